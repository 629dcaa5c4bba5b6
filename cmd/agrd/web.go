package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"ifagr/agr/web"
)

// webAddress is where agrd web serves when it is not told otherwise.
const webAddress = "localhost:8802"

// webConns is how many connections of browsers are served at a time.
const webConns = 64

// runWeb serves the picture of this network namespace's aggregates until it is
// interrupted.
func runWeb(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	fs := flag.NewFlagSet("agrd web", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	where := fs.String("l", webAddress, "")
	if err := fs.Parse(args); err != nil || fs.NArg() > 0 {
		return errUsage
	}
	at, err := parseAddress(*where)
	if err == nil {
		err = at.loopback()
	}
	if err != nil {
		return fmt.Errorf("web: %w", err)
	}
	l, err := at.listen()
	if err != nil {
		return fmt.Errorf("web: %w", err)
	}
	fmt.Fprintln(stdout, "serving", describe(at, l.Addr().String()))
	s := web.New(web.Config{Daemon: &source{}, Host: hostname(), Program: program(), ID: rand.Text(), Now: time.Now})
	log := slog.New(slog.NewTextHandler(stderr, nil))
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.Run(ctx) })
	group.Go(func() error {
		err := serveHTTP(ctx, l, s, usualLimits(webConns), log)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return err
	})
	if err := group.Wait(); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// describe is what a person types into a browser, or gives to ssh -L.
func describe(a address, bound string) string {
	if a.network == "unix" {
		return a.String()
	}
	return "http://" + bound + "/"
}

func program() string { return "agrd " + version() }

func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return name
}
