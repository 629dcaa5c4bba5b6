#!/bin/sh
# The example of agr(4) by a user who is nobody special: in a user namespace of
# his own, with a network in it, and a second network for the far end. It needs
# /dev/net/tun to be everybody's, as udev(7) makes it.
#
#   unshare -Urn rootless.sh DIRECTORY     ifconfig and agrd are in PATH
set -eu
dir=$1
a=$dir/a b=$dir/b
mkdir "$a" "$b"

end() {
	for run in "$a" "$b"; do
		[ ! -e "$run/pid" ] || kill "$(cat "$run/pid")" || true
	done
	kill "$far"
}

# The far end is a network namespace that belongs to the same user namespace, and
# lives as long as a process in it.
unshare -n sleep 300 >/dev/null &
far=$!
trap end EXIT
until [ "$(readlink /proc/$far/ns/net)" != "$(readlink /proc/$$/ns/net)" ]; do sleep 0.1; done

here() { AGRD_SOCKET=$a/agrd.sock "$@"; }
there() { AGRD_SOCKET=$b/agrd.sock nsenter -t "$far" -n -- "$@"; }

for port in re0 re1; do
	ip link add $port type veth peer name $port netns "$far"
done

# example WHERE DIRECTORY ADDRESS is the manual's.
example() {
	# shellcheck disable=SC2016 # the inner shell has arguments of its own
	$1 sh -c 'echo $$ >"$0/pid"; exec agrd -log text 2>"$0/log"' "$2" >/dev/null &
	until [ -S "$2/agrd.sock" ]; do kill -0 "$!"; sleep 0.1; done
	for port in re0 re1; do
		$1 ifconfig $port up
		$1 ip -6 address flush dev $port
	done
	$1 ifconfig agr0 create
	$1 ifconfig agr0 agrport re0 agrport re1
	$1 ifconfig agr0 inet "$3" netmask 255.255.255.0
}
example here "$a" 192.0.2.1
example there "$b" 192.0.2.2

# Through the cable, and again after one of the two is cut.
n=0
until here ping -q -c 1 -W 1 192.0.2.2 >/dev/null 2>&1; do
	n=$((n + 1))
	[ $n -lt 20 ] || { cat "$a/log" "$b/log"; exit 1; }
done
here ifconfig -v agr0 | grep -m 1 datapath:
there ifconfig re0 down
until here ifconfig agr0 | grep -q 're0, flags=0x0'; do sleep 0.01; done # until then a frame may be lost
here ping -q -c 20 -i 0.01 -W 2 192.0.2.2 | grep -o '[0-9]* received'
here ifconfig agr0 -agrport re0 -agrport re1
here ifconfig agr0 destroy
here ifconfig -l
