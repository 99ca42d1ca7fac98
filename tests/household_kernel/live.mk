# The daemon against time, floods and other kernels; docs/enforcement.md has the last results. All need root.
.PHONY: soak bench-live

# Another build to measure, such as the one that `make cross TARGET=x86_64` makes for routers.
LIVE_BINARY ?= $(CURDIR)/target/release/streamguard

soak: build ## kill -9 200 times, floods, full disk, lost interface, 20 blocks, Chromium over QUIC (root; about 50 minutes)
	STREAMGUARD_SOAK=1 STREAMGUARD_BINARY=$(LIVE_BINARY) \
	    $(CARGO) test --locked --test soak --test household_options --test household_players -- --nocapture --test-threads 1

bench-live: build ## packets a second without loss, processor time a packet, memory at rest and under floods (root)
	STREAMGUARD_SOAK=1 STREAMGUARD_BINARY=$(LIVE_BINARY) \
	    $(CARGO) test --locked --test soak -- --nocapture --test-threads 1 one_core floods at_rest

.PHONY: test-kernel
test-kernel: build ## software flow offload and set clocks on Debian's 6.1 and 6.12, in emulated machines
	@tests/household_kernel/kernels.sh
