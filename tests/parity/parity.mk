# Accounting against the analysers that people know.
.PHONY: parity bench

parity: ## analyze against tshark on every capture under SHARED, number by number
	@command -v tshark >/dev/null || { echo "parity: needs tshark (apt-get install tshark)"; exit 2; }
	$(CARGO) build --release --locked
	@test -d $(SHARED)/captures || { echo "parity: no captures under $(SHARED): skipped"; exit 0; }; \
	python3 tests/parity/parity.py target/release/streamguard $(SHARED)/captures

bench: ## all reports beside tshark, softflowd, tcpdump and what else is installed
	$(CARGO) build --release --locked
	@python3 benches/bench.py target/release/streamguard $(SHARED)
