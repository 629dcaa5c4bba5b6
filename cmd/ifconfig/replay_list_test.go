package main

import (
	"fmt"
	"strings"
)

// replayed are the transcripts on Linux. A reason is a design decision (D...),
// or what Linux, a veth or this program does not have.
func replayed() []replayScenario {
	return []replayScenario{
		{
			name: "01-options", agree: 118,
			differ: reasons{
				"-C lists the cloners of this system":                        {4, 39},
				"Linux cannot tell the carrier of an interface that is down": {15, 18, 28, 35},
				"D13: -v of an agr shows what agrd knows":                    {47, 49},
			},
		},
		{
			name: "02-clone", agree: 63,
			differ: reasons{
				"no second agr1, of which agr01 is the name":  {11, 12, 68, 69, 70},
				"D1: an address on an agr without ports":      {43, 44},
				"D1: the MTU of an agr is set without a word": {47},
				"D1: an agr without ports shows no MTU":       {48},
				"virtN is no cloner of this system":           {74},
				"a bridge of Linux has an address, and flags": {30},
			},
			needs: map[string][]int{
				"dummy": {25, 26, 53, 54, 55, 56, 57, 58, 59, 60, 72, 92},
				"vlan":  {61, 62, 63},
			},
		},
		{
			name: "03-inet", agree: 133,
			differ: reasons{
				"Linux has no netmask with holes":                        {25, 29, 38, 40, 44, 83, 84},
				"Linux has no address preference":                        {124, 125, 147},
				"D8: a gif without its tunnel has no link-local address": {137, 139, 142},
			},
			before: map[int]func(*stage){
				// What Linux refused is there in what follows, with a mask that it takes.
				26: func(s *stage) { s.words("virt0 inet 10.0.12.1 netmask 255.0.0.0 broadcast 10.255.12.255 alias") },
				85: func(s *stage) { s.words("virt0 inet 10.0.0.1 netmask 255.0.0.0") },
			},
		},
		{
			name: "05-link", agree: 65,
			differ: reasons{
				"D1: the last port has left and the status ends well":  {67, 69},
				"Linux lists the agr's address that the port receives": {62},
			},
		},
		{
			name: "07-agr", agree: 121,
			differ: reasons{
				"D1: an address on an agr without ports":                     {7, 8, 9},
				"D1: the MTU of an agr is set without a word":                {11, 91, 93, 94},
				"D13: -v of an agr shows what agrd knows":                    {3, 89},
				"D1: the last port has left and the status ends well":        {121, 129, 135},
				"a veth has no media":                                        {71},
				"Linux has no link0 to link2 but an agr's":                   {73, 78},
				"virtN is no cloner of this system":                          {80},
				"Linux makes the link-local address when there is a carrier": {85},
			},
			before: map[int]func(*stage){
				// What NetBSD refused shall not be there in what follows.
				10: func(s *stage) { s.words("agr0 10.9.0.1 delete", "agr0 inet6 2001:db8::1 delete", "agr0 down") },
				12: func(s *stage) { s.words("agr0 mtu 1500") },
				// Linux has taken the automatic address away with the interface's UP.
				47: func(s *stage) { s.must("ip", "addr", "add", "fe80::b00a:1ff:fe0b:e01/64", "dev", "virt1") },
				// NetBSD's port works while it is down.
				86:  func(s *stage) { s.words("virt2 up") },
				120: func(s *stage) { s.words("virt2 down") },
			},
		},
		{
			name: "08-agr-lacp", agree: 38,
			differ: reasons{
				"D6, D7: there is no pause of seconds before a port distributes":      {11, 12, 13, 14, 15, 16},
				"Linux makes the link-local address when there is a carrier":          {10},
				"Linux removes the link-local address of an interface that goes down": {33},
				"D13: -v of an agr shows what agrd knows":                             {18, 22, 56},
				"a veth has no media": {37, 41},
			},
			before: map[int]func(*stage){4: farAgr, 21: ping, 25: ping, 49: ping},
		},
	}
}

// words runs lines that have to succeed without a word.
func (s *stage) words(lines ...string) {
	s.t.Helper()
	for _, l := range lines {
		if r := s.ifconfig(strings.Fields(l)...); r.Status != 0 || r.Stderr != "" {
			s.t.Errorf("%s: %s", l, fmt.Sprint(r))
		}
	}
}
