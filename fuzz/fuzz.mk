# Fuzzing: cargo-fuzz drives libFuzzer; RUSTC_BOOTSTRAP lets the stable compiler take its flags.
FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?= $(basename $(notdir $(wildcard fuzz/fuzz_targets/*.rs)))

.PHONY: fuzz-smoke fuzz-seeds

fuzz-smoke: fuzz-seeds ## each fuzz target for FUZZ_SECONDS (60)
	@command -v cargo-fuzz >/dev/null || $(CARGO) install --locked cargo-fuzz
	@set -e; for target in $(FUZZ_TARGETS); do \
		echo "fuzz: $$target"; \
		RUSTC_BOOTSTRAP=1 $(CARGO) fuzz run --sanitizer none $$target \
			$$( [ -d fuzz/corpus/$$target ] && echo fuzz/corpus/$$target ) \
			-- -max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=512 -timeout=10 -max_len=131072; \
	done

# Seeds come from the fixtures, so that no corpus needs to be kept.
fuzz-seeds:
	@mkdir -p fuzz/corpus/frame fuzz/corpus/capture_file
	@python3 fuzz/seeds.py fuzz/corpus
