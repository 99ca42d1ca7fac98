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
	$(CARGO) build --release --locked

demo: build ## watch time of the shipped capture, beside what its players really did
	@python3 .ci/demo.py target/release/streamguard tests/fixtures/demo.pcap.zst tests/fixtures/demo-truth.csv

lint: ## formatting and clippy, warnings are errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) clippy --locked --all-targets --no-default-features -- -D warnings

test: deps ## everything that must hold before a commit
	$(MAKE) lint
	$(CARGO) test --locked --lib --bins --tests
	$(CARGO) test --locked --no-default-features --lib --tests

-include tests/parity/parity.mk
-include openwrt/package.mk
-include model/model.mk
-include fuzz/fuzz.mk
-include tests/attacks/attacks.mk
