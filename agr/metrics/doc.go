// Package metrics shows a daemon's state to Prometheus.
//
//	GET /metrics -> Collector -> Source.List, Source.Glance of each agr interface,
//	                             one after the other -> families.go -> text
//
// A scrape costs an owner of an aggregate one look at its own state, as a status
// request does, and waits for none that is busy: an interface that does not
// answer in time is shown as such, with its other metrics missing. Scrapes that
// come within a second of each other share one look.
//
// Every label but those of the partner has values that the administrator or this
// program chose: names of interfaces, states, reasons of refusal. The partner's
// stand in one metric for each port (ifagr_port_partner_info), so a far end that
// keeps changing its name costs one series for each port and scrape.
package metrics
