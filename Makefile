# streamguard: every verb the README names. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
CARGO ?= cargo
# Labelled captures beside the checkout; what needs them skips without.
SHARED ?= ../shared
export STREAMGUARD_SHARED := $(SHARED)

.PHONY: help deps build demo test lint

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
