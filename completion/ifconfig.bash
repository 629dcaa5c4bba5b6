# shellcheck shell=bash
# Completion of ifconfig's lines, made from the grammar of its parser by the
# test of ifagr's package ifcfg/completion. Do not edit.

# Leaves in "at" where in its grammar the line is: a number, or -1 when
# nothing is known about what follows.
_ifagr_ifconfig_walk() {
	local word
	at=0
	for word in "$@"; do
		case $at:$word in
		-1:*) continue ;;
		0:-w | 0:-W) at=seconds && continue ;;
		0:-*C* | 0:-*l*) at=-1 && continue ;;
		0:-*a*) at=family && continue ;;
		0:-*) continue ;;
		family:* | seconds:*) at=-1 && continue ;;
		1:destroy) at=-1 && continue ;;
		1:create) at=2 && continue ;;
		1:atalk | 1:inet | 1:inet6 | 1:link) at=3 && continue ;;
		2:atalk | 2:inet | 2:inet6 | 2:link) at=3 && continue ;;
		19:-rx-all | 19:rx-all) at=19 && continue ;;
		21:-dumpdu | 21:-maxports | 21:-multi-linkspeed | 21:-optimistic | 21:-stopdu | 21:dumpdu | 21:multi-linkspeed | 21:optimistic | 21:stopdu) at=21 && continue ;;
		24:pri) at=7 && continue ;;
		esac
		case $at in 1 | 2 | 19 | 21 | 24) at=3 ;; esac
		case $at:$word in
		0:*) at=1 ;;
		3:-laggproto | 3:-vlanif) at=-1 ;;
		3:-alias | 3:-allmulti | 3:-anycast | 3:-apbridge | 3:-arp | 3:-bssid | 3:-carpdev | 3:-chan | 3:-debug | 3:-deprecated | 3:-descr | 3:-description | 3:-eee | 3:-frag | 3:-hidessid | 3:-ip4csum | 3:-ip4csum-rx | 3:-ip4csum-tx | 3:-lacpcoupled | 3:-lacpstrict | 3:-link0 | 3:-link1 | 3:-link2 | 3:-linkstr | 3:-multicast | 3:-nwkey | 3:-powersave | 3:-promisc | 3:-rts | 3:-syncdev | 3:-syncpeer | 3:-tcp4csum | 3:-tcp4csum-rx | 3:-tcp4csum-tx | 3:-tcp6csum | 3:-tcp6csum-rx | 3:-tcp6csum-tx | 3:-trailers | 3:-tso4 | 3:-tso6 | 3:-udp4csum | 3:-udp4csum-rx | 3:-udp4csum-tx | 3:-udp6csum | 3:-udp6csum-rx | 3:-udp6csum-tx | 3:-unnumbered | 3:-vlan-hwfilter | 3:-vlan-hwtagging | 3:active | 3:alias | 3:allmulti | 3:anycast | 3:apbridge | 3:arp | 3:debug | 3:delete | 3:deletecookie | 3:deletesession | 3:deletetunnel | 3:deprecated | 3:down | 3:eee | 3:eui64 | 3:hidessid | 3:ip4csum | 3:ip4csum-rx | 3:ip4csum-tx | 3:lacpcoupled | 3:lacpstrict | 3:link0 | 3:link1 | 3:link2 | 3:multicast | 3:powersave | 3:promisc | 3:tcp4csum | 3:tcp4csum-rx | 3:tcp4csum-tx | 3:tcp6csum | 3:tcp6csum-rx | 3:tcp6csum-tx | 3:trailers | 3:tso4 | 3:tso6 | 3:udp4csum | 3:udp4csum-rx | 3:udp4csum-tx | 3:udp6csum | 3:udp6csum-rx | 3:udp6csum-tx | 3:unnumbered | 3:up | 3:vlan-hwfilter | 3:vlan-hwtagging) at=3 ;;
		3:-agrport | 3:-laggport | 3:agrport | 3:carpdev | 3:name | 3:syncdev | 3:vlanif) at=4 ;;
		3:-mediaopt | 3:bssid | 3:descr | 3:description | 3:laggproto | 3:linkstr | 3:media | 3:mediaopt | 3:mode | 3:nwid | 3:nwkey | 3:pass | 3:range | 3:ssid) at=5 ;;
		3:add | 3:broadcast | 3:del | 3:dstaddr | 3:lacprestore | 3:minlinks | 3:netmask | 3:pointopoint | 3:syncpeer) at=6 ;;
		3:advbase | 3:advskew | 3:chan | 3:frag | 3:inst | 3:instance | 3:lacpkey | 3:lacpsyspri | 3:maxports | 3:maxupd | 3:metric | 3:mtu | 3:phase | 3:pltime | 3:powersavesleep | 3:preference | 3:prefixlen | 3:rts | 3:txqueuelen | 3:vhid | 3:vlan | 3:vltime) at=7 ;;
		3:agrhash) at=8 ;;
		3:agrmac) at=9 ;;
		3:cookie) at=10 ;;
		3:session) at=12 ;;
		3:hw) at=13 ;;
		3:lacpfallback) at=14 ;;
		3:lacpmode) at=15 ;;
		3:lacpportpri | 3:laggportpri) at=16 ;;
		3:lacptimeout) at=17 ;;
		3:laggfailover) at=18 ;;
		3:lagglacp) at=20 ;;
		3:laggport) at=23 ;;
		3:list) at=25 ;;
		3:state) at=26 ;;
		3:tunnel) at=27 ;;
		3:*) at=3 ;;
		4:*) at=3 ;;
		5:*) at=3 ;;
		6:*) at=3 ;;
		7:*) at=3 ;;
		8:l2 | 8:l3 | 8:l4) at=3 ;;
		9:first | 9:follow) at=3 ;;
		9:fixed) at=6 ;;
		10:*) at=11 ;;
		11:*) at=12 ;;
		12:*) at=7 ;;
		13:ether) at=6 ;;
		13:*) at=3 ;;
		14:all | 14:none | 14:single) at=3 ;;
		14:*) at=3 ;;
		15:active | 15:passive) at=3 ;;
		16:*) at=7 ;;
		17:fast | 17:slow) at=3 ;;
		18:-rx-all | 18:rx-all) at=19 ;;
		20:-dumpdu | 20:-maxports | 20:-multi-linkspeed | 20:-optimistic | 20:-stopdu | 20:dumpdu | 20:multi-linkspeed | 20:optimistic | 20:stopdu) at=21 ;;
		20:maxports) at=22 ;;
		22:*) at=21 ;;
		23:*) at=24 ;;
		25:scan) at=3 ;;
		26:BACKUP | 26:INIT | 26:MASTER) at=3 ;;
		27:*) at=6 ;;
		*) at=-1 ;;
		esac
	done
}

# Prints what may stand in the place $1; $2 is the command.
_ifagr_ifconfig_offer() {
	case $1 in 1 | 2 | 19 | 21 | 24 | 3) echo '-agrport -alias -allmulti -anycast -apbridge -arp -bssid -carpdev -chan -debug -deprecated -descr -description -eee -frag -hidessid -ip4csum -ip4csum-rx -ip4csum-tx -lacpcoupled -lacpstrict -laggport -laggproto -link0 -link1 -link2 -linkstr -mediaopt -multicast -nwkey -powersave -promisc -rts -syncdev -syncpeer -tcp4csum -tcp4csum-rx -tcp4csum-tx -tcp6csum -tcp6csum-rx -tcp6csum-tx -trailers -tso4 -tso6 -udp4csum -udp4csum-rx -udp4csum-tx -udp6csum -udp6csum-rx -udp6csum-tx -unnumbered -vlan-hwfilter -vlan-hwtagging -vlanif active add advbase advskew agrhash agrmac agrport alias allmulti anycast apbridge arp broadcast bssid carpdev chan cookie debug del delete deletecookie deletesession deletetunnel deprecated descr description down dstaddr eee eui64 frag hidessid hw inst instance ip4csum ip4csum-rx ip4csum-tx lacpcoupled lacpfallback lacpkey lacpmode lacpportpri lacprestore lacpstrict lacpsyspri lacptimeout laggfailover lagglacp laggport laggportpri laggproto link0 link1 link2 linkstr list maxports maxupd media mediaopt metric minlinks mode mtu multicast name netmask nwid nwkey pass phase pltime pointopoint powersave powersavesleep preference prefixlen promisc range rts session ssid state syncdev syncpeer tcp4csum tcp4csum-rx tcp4csum-tx tcp6csum tcp6csum-rx tcp6csum-tx trailers tso4 tso6 tunnel txqueuelen udp4csum udp4csum-rx udp4csum-tx udp6csum udp6csum-rx udp6csum-tx unnumbered up vhid vlan vlan-hwfilter vlan-hwtagging vlanif vltime' ;; esac
	case $1 in
	family) echo 'atalk inet inet6 link' ;;
	1) echo 'atalk create destroy inet inet6 link' ;;
	2) echo 'atalk inet inet6 link' ;;
	8) echo 'l2 l3 l4' ;;
	9) echo 'first fixed follow' ;;
	13) echo 'ether' ;;
	14) echo 'all none single' ;;
	15) echo 'active passive' ;;
	17) echo 'fast slow' ;;
	18) echo '-rx-all rx-all' ;;
	19) echo '-rx-all rx-all' ;;
	20) echo '-dumpdu -maxports -multi-linkspeed -optimistic -stopdu dumpdu maxports multi-linkspeed optimistic stopdu' ;;
	21) echo '-dumpdu -maxports -multi-linkspeed -optimistic -stopdu dumpdu multi-linkspeed optimistic stopdu' ;;
	24) echo 'pri' ;;
	25) echo 'scan' ;;
	26) echo 'BACKUP INIT MASTER' ;;
	0 | 4 | 16 | 23) "$2" -l 2>/dev/null ;;
	esac
}

_ifagr_ifconfig() {
	local cur=${COMP_WORDS[COMP_CWORD]} at
	COMPREPLY=()
	_ifagr_ifconfig_walk "${COMP_WORDS[@]:1:COMP_CWORD-1}"
	if [[ $cur == -* && $at == 0 ]]; then
		mapfile -t COMPREPLY < <(compgen -W '-a -b -C -d -h -j -L -l -m -N -s -u -v -W -w -z' -- "$cur")
		return
	fi
	mapfile -t COMPREPLY < <(compgen -W "$(_ifagr_ifconfig_offer "$at" "${COMP_WORDS[0]}")" -- "$cur")
}
complete -F _ifagr_ifconfig ifconfig
