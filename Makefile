# streamguard: every verb the README names. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
CARGO ?= cargo
# Labelled captures beside the checkout; what needs them skips without.
SHARED ?= ../shared
export STREAMGUARD_SHARED := $(SHARED)

.PHONY: help deps build demo test lint install uninstall

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort | expand -t 16

deps: ## install what a fresh Debian machine lacks (needs root for packages)
	@.ci/deps

build: deps ## the release binary, target/release/streamguard
	$(CARGO) build --release --locked --features web

DEMO_LISTEN ?= 127.0.0.1:8990
demo: build ## counted and played minutes of the shipped capture; on a terminal, then its dashboard
	@python3 .ci/demo.py target/release/streamguard tests/fixtures/demo.pcap.zst tests/fixtures/demo-truth.csv
	@[ ! -t 1 ] || { echo; echo "The same eight minutes in a browser, twice as fast; Ctrl-C ends it:"; \
	  exec target/release/streamguard replay tests/fixtures/demo.pcap.zst --config tests/fixtures/demo.conf \
	  --listen $(DEMO_LISTEN) --speed 2; }

PREFIX ?= /usr/local
SBIN := $(PREFIX)/sbin
# The program to install, and what the service listens to until /etc/default/streamguard says otherwise.
BINARY ?= target/release/streamguard
IFACE ?= $(or $(shell ip -o route show default 2>/dev/null | sed -n '1s/.* dev \([^ ]*\).*/\1/p'),eth0)
SYSTEMD_DIRS := /etc/systemd/system /etc/default /etc/sysusers.d
install: ## what `make build` made, and a systemd unit, on this machine (PREFIX, DESTDIR, IFACE); starts nothing
	@[ -x $(BINARY) ] || { echo "$(BINARY) is missing: make build first"; exit 1; }
	install -d $(addprefix $(DESTDIR),$(SBIN) $(SYSTEMD_DIRS))
	install -m 755 $(BINARY) $(DESTDIR)$(SBIN)/streamguard
	sed 's|@SBIN@|$(SBIN)|' files/systemd/streamguard.service >$(DESTDIR)/etc/systemd/system/streamguard.service
	install -m 644 files/systemd/streamguard.sysusers $(DESTDIR)/etc/sysusers.d/streamguard.conf
	[ -e $(DESTDIR)/etc/default/streamguard ] || \
	  sed 's|@IFACE@|$(IFACE)|' files/systemd/streamguard.default >$(DESTDIR)/etc/default/streamguard
	[ -n "$(DESTDIR)" ] || { systemd-sysusers streamguard.conf && systemctl daemon-reload; }
	@echo "options: /etc/default/streamguard; to start it now and at boot: systemctl enable --now streamguard"

uninstall: ## what `make install` put there; options and history stay
	[ -n "$(DESTDIR)" ] || systemctl disable --now streamguard || true
	rm -f $(DESTDIR)$(SBIN)/streamguard $(DESTDIR)/etc/systemd/system/streamguard.service \
	  $(DESTDIR)/etc/sysusers.d/streamguard.conf
	[ -n "$(DESTDIR)" ] || systemctl daemon-reload || true

lint: ## formatting and clippy, warnings are errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) clippy --locked --all-targets --features web -- -D warnings
	$(CARGO) clippy --locked --all-targets --no-default-features -- -D warnings

test: deps ## everything that must hold before a commit
	$(MAKE) lint
	$(CARGO) test --locked --features web --lib --bins --tests
	$(CARGO) test --locked --no-default-features --lib --tests

-include tests/parity/parity.mk
-include tests/web/web.mk
-include openwrt/package.mk
-include model/model.mk
-include fuzz/fuzz.mk
-include tests/attacks/attacks.mk
-include tests/fleet/fleet.mk
-include tests/household_kernel/live.mk
