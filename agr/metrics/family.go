package metrics

import (
	"cmp"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// family is one metric of things of type T: how it is called, and how its
// values are read from such a thing.
type family[T any] struct {
	desc   *prometheus.Desc
	kind   prometheus.ValueType
	labels []string // names, beside those that say which thing it is
	read   func(*T, func(value float64, labels ...string))
}

// collect writes the metrics of one thing. which are the labels that say which
// one it is; most metrics have no others and share them.
func collect[T any](out chan<- prometheus.Metric, families []family[T], of *T, which []*dto.LabelPair) {
	for i := range families {
		f := &families[i]
		f.read(of, func(value float64, labels ...string) {
			s := &sample{desc: f.desc, kind: f.kind, value: value, labels: which}
			if len(labels) > 0 {
				s.labels = append(which[:len(which):len(which)], pairs(f.labels, labels)...)
				slices.SortFunc(s.labels, func(a, b *dto.LabelPair) int { return cmp.Compare(a.GetName(), b.GetName()) })
			}
			out <- s
		})
	}
}

// pairs are labels with their values.
func pairs(names, values []string) []*dto.LabelPair {
	all := make([]*dto.LabelPair, len(names))
	for i := range names {
		all[i] = &dto.LabelPair{Name: &names[i], Value: &values[i]}
	}
	return all
}

// sample is one metric. The library's own would make each label anew, which is
// most of what a scrape of a thousand aggregates costs.
type sample struct {
	desc   *prometheus.Desc
	kind   prometheus.ValueType
	value  float64
	labels []*dto.LabelPair // by name
}

var _ prometheus.Metric = (*sample)(nil)

// Desc implements prometheus.Metric.
func (s *sample) Desc() *prometheus.Desc { return s.desc }

// Write implements prometheus.Metric.
func (s *sample) Write(m *dto.Metric) error {
	m.Label = s.labels
	if s.kind == prometheus.CounterValue {
		m.Counter = &dto.Counter{Value: &s.value}
	} else {
		m.Gauge = &dto.Gauge{Value: &s.value}
	}
	return nil
}

// kit makes families that have some labels in common.
type kit[T any] struct {
	prefix string
	labels []string
}

func (k kit[T]) make(kind prometheus.ValueType, name, help string, labels []string, read func(*T, func(float64, ...string))) family[T] {
	all := append(k.labels[:len(k.labels):len(k.labels)], labels...)
	return family[T]{prometheus.NewDesc(k.prefix+name, help, all, nil), kind, labels, read}
}

// gauge is a value that goes up and down.
func (k kit[T]) gauge(name, help string, read func(*T) float64) family[T] {
	return k.make(prometheus.GaugeValue, name, help, nil, func(t *T, add func(float64, ...string)) { add(read(t)) })
}

// flag is a gauge that is 0 or 1.
func (k kit[T]) flag(name, help string, read func(*T) bool) family[T] {
	return k.gauge(name, help, func(t *T) float64 { return number(read(t)) })
}

// counter only grows, until the daemon starts anew or the port leaves.
func (k kit[T]) counter(name, help string, read func(*T) uint64) family[T] {
	return k.make(prometheus.CounterValue, name, help, nil, func(t *T, add func(float64, ...string)) { add(float64(read(t))) })
}

// reasons is a counter for each of some values of one more label.
func (k kit[T]) reasons(name, help, label string, values []string, read func(*T) []uint64) family[T] {
	return k.make(prometheus.CounterValue, name, help, []string{label}, func(t *T, add func(float64, ...string)) {
		for i, n := range read(t) {
			add(float64(n), values[i])
		}
	})
}

// states is a gauge for each of some states, 1 for the one that is.
func (k kit[T]) states(name, help string, states []string, read func(*T) string) family[T] {
	return k.make(prometheus.GaugeValue, name, help, []string{"state"}, func(t *T, add func(float64, ...string)) {
		is := read(t)
		for _, s := range states {
			add(number(s == is), s)
		}
	})
}

// info is always 1, and its labels are what there is to know.
func (k kit[T]) info(name, help string, labels []string, read func(*T) []string) family[T] {
	return k.make(prometheus.GaugeValue, name, help, labels, func(t *T, add func(float64, ...string)) {
		if values := read(t); values != nil {
			add(1, values...)
		}
	})
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
