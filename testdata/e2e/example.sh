#!/bin/sh
# The example of agr(4): two Ethernet interfaces become one. The automatic
# link-local addresses are deleted first, because a port must have none. What
# the real program answers is in oracle/07-agr.jsonl.
set -eu

for port in re0 re1; do
	ifconfig $port up
	ifconfig $port inet6 | while read -r what address rest; do
		[ "$what" = inet6 ] || continue
		ifconfig $port inet6 "$address" delete
	done
done

ifconfig agr0 create
ifconfig agr0 agrport re0 agrport re1
ifconfig agr0 inet 192.0.2.1 netmask 255.255.255.0
