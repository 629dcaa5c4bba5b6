package main

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"ifagr/ifcfg"
)

// options are what the letters before the operands ask for.
type options struct {
	form                   ifcfg.Form
	show                   ifcfg.Options
	filter                 ifcfg.Filter
	all, list, cloners     bool
	json                   bool
	wait                   bool
	waitSecs, linkSecs     int
	exclusive, withDetails int // how many of -C -l -w, and of -a -j -L -m -v -z, were given
}

// withArgument are the letters that take one; letters are all of them.
const (
	letters      = "AabCdhjLlmNsuvWwz"
	withArgument = "Ww"
)

// parseOptions reads the letters as getopt(3) does without permutation: the
// first word that is none ends them. It gives the operands.
func parseOptions(args []string, complain func(string)) (*options, []string, error) {
	o := &options{}
	if len(args) == 0 {
		o.form = ifcfg.FormAll
	}
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		word := args[0][1:]
		args = args[1:]
		if word == "-" {
			break
		}
		var err error
		if args, err = o.cluster(word, args, complain); err != nil {
			return nil, nil, err
		}
	}
	if o.json && o.form == ifcfg.FormStatus && len(args) == 0 {
		o.form = ifcfg.FormAll
	}
	if o.exclusive > 1 || o.exclusive > 0 && o.withDetails > 0 ||
		o.json && o.form != ifcfg.FormStatus && o.form != ifcfg.FormAll {
		return nil, nil, &ifcfg.UsageError{}
	}
	return o, args, nil
}

// cluster reads the letters of one word. The rest of the word behind a letter
// that takes an argument is that, or else the next word is.
func (o *options) cluster(word string, args []string, complain func(string)) ([]string, error) {
	for i, c := range []byte(word) {
		letter := string(c)
		if strings.IndexByte(letters, c) < 0 {
			return nil, &ifcfg.UsageError{Note: "unknown option -- " + letter}
		}
		if strings.IndexByte(withArgument, c) < 0 {
			o.set(c, complain)
			continue
		}
		arg := word[i+1:]
		if arg == "" {
			if len(args) == 0 {
				return nil, &ifcfg.UsageError{Note: "option requires an argument -- " + letter}
			}
			arg, args = args[0], args[1:]
		}
		return args, o.setSeconds(c, arg)
	}
	return args, nil
}

// set takes a letter in its turn: what form the operands have depends on the
// order of the letters.
func (o *options) set(c byte, complain func(string)) {
	switch c {
	case 'A':
		complain("-A is deprecated")
	case 'a':
		o.all, o.form = true, ifcfg.FormAll
		o.withDetails++
	case 'b':
		o.filter.Broadcast = true
	case 'C':
		o.cloners, o.form = true, ifcfg.FormNone
		o.exclusive++
	case 'd':
		o.filter.Down = true
	case 'h':
		o.show.Human = true
	case 'l':
		o.list, o.form = true, ifcfg.FormNone
		o.exclusive++
	case 'N':
		o.show.Names = true
	case 's':
		o.filter.Carrier = true
		if !o.list && !o.all {
			o.form = ifcfg.FormCarrier
		}
	case 'u':
		o.filter.Up = true
	case 'v':
		o.show.Verbose = true
		o.withDetails++
	case 'j', 'L', 'm', 'z':
		o.setStatus(c)
	}
}

// setStatus takes the letters that want a status and nothing else.
func (o *options) setStatus(c byte) {
	switch c {
	case 'j':
		o.json = true
	case 'L':
		o.show.Lifetimes = true
	case 'm':
		o.show.SupportedMedia = true
	case 'z':
		o.show.Zero = true
	}
	o.withDetails++
	if !o.all {
		o.form = ifcfg.FormStatus
	}
}

// setSeconds takes -w and -W, as strtol(3) reads them. INT32_MAX itself is too
// long for NetBSD.
func (o *options) setSeconds(c byte, arg string) error {
	n, err := strconv.ParseInt(strings.TrimLeft(arg, " \t\n\v\f\r"), 10, 32)
	if err != nil || n < 0 || n == math.MaxInt32 {
		return errors.New(arg + ": not a number")
	}
	if c == 'W' {
		o.linkSecs = int(n)
		return nil
	}
	if !o.wait {
		o.exclusive++
	}
	o.wait, o.waitSecs, o.form = true, int(n), ifcfg.FormNone
	return nil
}
