# ifagr: NetBSD's ifconfig(8) and agr(4) for Linux. "make help" lists what there is.

PREFIX  ?= /usr/local
DESTDIR ?=
PKG     ?= ./...
RACE    ?=
ARGS    ?=
# Flags of go build, for packages.
BUILDFLAGS ?=

# Both binaries lie beside each other, because ifconfig starts the agrd that it
# finds there, and in no directory that is in anybody's PATH, because Linux has
# an ifconfig of its own. The manual page of ours is where man(1) looks for it
# once $(LIBEXEC) is in PATH.
LIBEXEC = $(PREFIX)/libexec/ifagr
SBIN    = $(PREFIX)/sbin
MAN     = $(PREFIX)/share/man
UNITS   = /usr/lib/systemd/system

# sudo's PATH has no /usr/local/go/bin.
export PATH := $(PATH):/usr/local/go/bin
# No stamp of the version control system: git refuses to read a clone that
# belongs to somebody else, as under sudo.
export GOFLAGS := $(GOFLAGS) -buildvcs=false
# No cgo: static binaries.
GO = CGO_ENABLED=0 go

.PHONY: all build demo test generate oracle bench bench-ifconfig restarts failpoints sim sim-planted exhaustive conformance faults screenshot lint ci install install-system uninstall uninstall-system deb deb-test clean help have-go need-root
.NOTPARALLEL:

all: build

build: have-go
	$(GO) build -trimpath $(BUILDFLAGS) -o bin/ ./cmd/ifconfig ./cmd/agrd

demo: need-root build
	bin/agrd demo

test: need-root build
	@.ci/packages test $(if $(RACE),race)
	@$(GO) -C tools build -o ../bin/tools/ ./testsum
	CGO_ENABLED=$(if $(RACE),1,0) bin/tools/testsum $(if $(RACE),-race) -count=1 -timeout=18m $(ARGS) $(PKG)

bench: need-root build
	@.ci/packages test
	$(GO) run ./bench/datapath $(ARGS)

restarts: need-root build
	@.ci/packages test
	$(GO) run ./bench/datapath -restarts $(or $(N),100) -ways $(or $(WAYS),kernel) $(ARGS) restarts

failpoints: need-root build
	@.ci/packages test
	$(GO) test -count=1 -timeout=60m -parallel=6 -v -run '^TestFailpoints$$' . -failpoints $(ARGS)

bench-ifconfig: need-root build
	@.ci/packages bench
	$(GO) run ./bench/ifconfig

generate: have-go
	@.ci/packages bpf
	$(GO) generate ./...

oracle: need-root have-go
	@out=$$(go test -count=1 -v -run '^(TestOracle|TestReplay|TestRows)$$' ./cmd/ifconfig); status=$$?; \
	echo "$$out" | grep -E '^ +--- |^ok|FAIL|lines agree|: differ: |: skipped: |: SKIP-FEATURE'; exit $$status

sim: have-go
	$(GO) run ./bench/sim -hours $(or $(HOURS),100) $(if $(SEED),-seed $(SEED)) $(ARGS)

sim-planted: have-go
	$(GO) test -count=1 -timeout=30m -v -run '^TestPlanted$$' ./agr/lacp/sim $(ARGS)

exhaustive: have-go
	$(GO) test -count=1 -timeout=30m -v -run '^TestExhaustive$$' ./agr/lacp -exhaustive $(ARGS)

conformance: have-go
	$(GO) test -count=1 -run '^TestConformance$$' . -update

screenshot: need-root build
	@.ci/packages test
	$(GO) test -count=1 -v -run '^TestPage$$' . -screenshot

faults: need-root have-go
	@.ci/packages test
	$(GO) test -count=1 -timeout=30m -v -run '^TestFaults$$' . -faults $(ARGS)
	$(GO) test -count=1 -run '^TestFaultList$$' . -update

lint:
	@.ci/run format vet staticcheck tidy manuals scripts

ci: need-root
	@.ci/run

install: build
	install -d $(DESTDIR)$(LIBEXEC)/man/man8 $(DESTDIR)$(SBIN) $(DESTDIR)$(MAN)/man4 $(DESTDIR)$(MAN)/man5 $(DESTDIR)$(MAN)/man8
	install -m 755 bin/ifconfig bin/agrd $(DESTDIR)$(LIBEXEC)/
	install -d $(DESTDIR)$(LIBEXEC)/completion
	install -m 644 completion/ifconfig.bash completion/_ifconfig $(DESTDIR)$(LIBEXEC)/completion/
	ln -sf ../libexec/ifagr/agrd $(DESTDIR)$(SBIN)/agrd
	install -m 644 man/agr.4 $(DESTDIR)$(MAN)/man4/
	install -m 644 man/agrd.5 man/ifconfig.if.5 $(DESTDIR)$(MAN)/man5/
	install -m 644 man/agrd.8 $(DESTDIR)$(MAN)/man8/
	sed 's|/usr/local/|$(PREFIX)/|g' man/ifconfig.8 >$(DESTDIR)$(LIBEXEC)/man/man8/ifconfig.8
	chmod 644 $(DESTDIR)$(LIBEXEC)/man/man8/ifconfig.8
	ln -sf ../../../libexec/ifagr/man/man8/ifconfig.8 $(DESTDIR)$(MAN)/man8/ifagr-ifconfig.8

# What systemd, udev and NetworkManager have to know. It is for packages: it is
# where those look, whatever PREFIX is.
install-system:
	install -d $(DESTDIR)$(UNITS) $(DESTDIR)/usr/lib/systemd/network $(DESTDIR)/usr/lib/NetworkManager/conf.d $(DESTDIR)/etc/default
	install -m 644 contrib/systemd/*.service contrib/systemd/*.socket $(DESTDIR)$(UNITS)/
	sed -i 's|/usr/sbin/|$(SBIN)/|' $(DESTDIR)$(UNITS)/*agrd*.service $(DESTDIR)$(UNITS)/ifconfig@.service
	install -m 644 contrib/systemd/90-agr.network contrib/systemd/90-agr.link $(DESTDIR)/usr/lib/systemd/network/
	install -m 644 contrib/NetworkManager/90-agr.conf $(DESTDIR)/usr/lib/NetworkManager/conf.d/
	[ -e $(DESTDIR)/etc/default/agrd ] || install -m 644 contrib/debian/default $(DESTDIR)/etc/default/agrd

deb: have-go
	contrib/debian/build bin

deb-test: need-root
	@.ci/packages package
	@.ci/run package

uninstall: uninstall-system
	rm -f $(DESTDIR)$(SBIN)/agrd $(DESTDIR)$(MAN)/man4/agr.4 $(DESTDIR)$(MAN)/man5/agrd.5 $(DESTDIR)$(MAN)/man5/ifconfig.if.5 $(DESTDIR)$(MAN)/man8/agrd.8 $(DESTDIR)$(MAN)/man8/ifagr-ifconfig.8
	rm -rf $(DESTDIR)$(LIBEXEC)

# Only what install-system has put there with the same PREFIX: another installation, or
# a package, has the same names. Options that somebody has changed stay.
uninstall-system:
	@if grep -qs '^ExecStart=$(SBIN)/agrd ' $(DESTDIR)$(UNITS)/agrd.service; then set -ex; \
	[ -n "$(DESTDIR)" ] || ! [ -d /run/systemd/system ] || systemctl --quiet disable --now agrd.socket agrd.service agrd-netstart.service ifconfig@.service || :; \
	rm -f $(addprefix $(DESTDIR)$(UNITS)/,$(notdir $(wildcard contrib/systemd/*.service contrib/systemd/*.socket))); \
	rm -f $(DESTDIR)/usr/lib/systemd/network/90-agr.network $(DESTDIR)/usr/lib/systemd/network/90-agr.link $(DESTDIR)/usr/lib/NetworkManager/conf.d/90-agr.conf; \
	! cmp -s contrib/debian/default $(DESTDIR)/etc/default/agrd || rm -f $(DESTDIR)/etc/default/agrd; \
	[ -n "$(DESTDIR)" ] || ! [ -d /run/systemd/system ] || systemctl --quiet daemon-reload || :; fi

clean:
	rm -rf bin

help:
	@echo 'make                build bin/ifconfig and bin/agrd, static'
	@echo 'make demo           two machines, two cables, one interface: watch it work (root)'
	@echo 'make test           all tests; installs what is missing (root). RACE=1, PKG=./agr/..., ARGS="-run X"'
	@echo 'make bench          both datapaths, a bare veth and Open vSwitch; ARGS=scale: 1,000 aggregates (root)'
	@echo 'make bench-ifconfig our ifconfig, ip and net-tools with 4,000 interfaces (root)'
	@echo 'make restarts       frames lost while the daemon is exchanged. N=1000 WAYS=kernel,user (root)'
	@echo 'make failpoints     kills the daemon before every change that it makes (root)'
	@echo 'make oracle         what NetBSD said against what we say: agree, differ, skipped (root)'
	@echo 'make generate       the object of the eBPF programs from their C source (clang-14)'
	@echo 'make sim            many systems, cables and faults on a virtual clock. HOURS=1000 SEED=1 ARGS=-trace'
	@echo 'make sim-planted    the same with deliberate bugs, each of which must be found. ARGS=-update writes docs/planted.md'
	@echo 'make exhaustive     every state of two systems and two cables'
	@echo 'make conformance    writes docs/conformance.md from testdata/conformance/cases.txt'
	@echo 'make screenshot     docs/picture.png: the page of agrd web, in Chromium (root)'
	@echo 'make faults         every fault of docs/faults.md in full size, and writes it from testdata/faults.txt (root)'
	@echo 'make lint           formatting, vet, staticcheck, go.mod, manuals, scripts'
	@echo 'make ci             everything that a change must pass: .ci/run (root)'
	@echo 'make install        to $(LIBEXEC) (DESTDIR= PREFIX=); shadows no other ifconfig'
	@echo 'make install-system units, /etc/default/agrd, and files for networkd, udev and NetworkManager, for $(PREFIX)'
	@echo 'make uninstall      undoes both; run agrd teardown before'
	@echo 'make deb            a Debian package in bin; the same sources give the same octets'
	@echo 'make deb-test       builds it twice, installs, uses, upgrades and purges it in a copy of this system (root)'
	@echo 'make clean          removes bin'

have-go:
	@.ci/have-go

need-root:
	@[ "$$(id -u)" = 0 ] || { echo 'This needs root, because it makes network namespaces and interfaces. Try: sudo make $(MAKECMDGOALS)' >&2; exit 1; }
