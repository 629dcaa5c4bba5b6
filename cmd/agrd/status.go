package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"time"

	"ifagr/agr/ctl"
	"ifagr/agr/picture"
)

const (
	// statusApart is the time between the two looks that show how much flows.
	statusApart = time.Second
	// statusEvents is how many transitions a picture shows.
	statusEvents = 100
)

// runStatus shows the aggregates as they are now, one or all, as text or as a
// page that stands for itself.
func runStatus(ctx context.Context, args []string, stdout, _ io.Writer) error {
	fs := flag.NewFlagSet("agrd status", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	asHTML := fs.Bool("html", false, "")
	if err := fs.Parse(args); err != nil || fs.NArg() > 1 {
		return errUsage
	}
	src := &source{}
	defer src.close()
	names, err := src.List(ctx)
	if err != nil {
		return fmt.Errorf("status: no agrd serves this network namespace: %w", err)
	}
	if fs.NArg() == 1 {
		names = fs.Args()
	}
	p, err := twice(ctx, src, names)
	if err != nil {
		return err
	}
	if *asHTML {
		return p.Static(stdout)
	}
	return p.Text(stdout)
}

// twice looks at aggregates, and again a moment later.
func twice(ctx context.Context, src *source, names []string) (*picture.Page, error) {
	last, err := looks(ctx, src, names)
	if err != nil {
		return nil, err
	}
	if len(names) > 0 {
		if err := sleep(ctx, statusApart); err != nil {
			return nil, err
		}
	}
	now, err := looks(ctx, src, names)
	if err != nil {
		return nil, err
	}
	made := time.Now()
	p := &picture.Page{
		Host: hostname(), Made: made, Program: program(),
		Daemon: picture.Daemon{Text: "as it was at " + made.Format("2006-01-02 15:04:05 MST")},
	}
	var all []*ctl.Status
	for i := range now {
		p.Agrs = append(p.Agrs, picture.Look(now[i], last[i]))
		all = append(all, now[i].Status)
	}
	p.Events = picture.History(all)
	p.Events = p.Events[:min(len(p.Events), statusEvents)]
	return p, nil
}

func looks(ctx context.Context, src *source, names []string) ([]picture.Sample, error) {
	all := make([]picture.Sample, 0, len(names))
	for _, name := range names {
		st, err := src.Status(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("status: %s: %w", name, err)
		}
		all = append(all, picture.Sample{At: time.Now(), Status: st})
	}
	return all, nil
}
