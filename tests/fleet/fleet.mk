.PHONY: test-fleet fleet-thousand

test-fleet: deps ## exports, read by nfdump, Wireshark, Prometheus' own tools and PostgreSQL (needs root)
	@for tool in nfdump tshark prometheus curl postgresql python3-pandas sqlite3; do \
		dpkg -s $$tool >/dev/null 2>&1 || apt-get install -y -q --no-install-recommends $$tool || exit 1; \
	done
	$(CARGO) test --locked --test fleet -- --nocapture --test-threads 1

fleet-thousand: ## a thousand simulated routers on one nfcapd and one PostgreSQL
	@for tool in nfdump postgresql; do \
		dpkg -s $$tool >/dev/null 2>&1 || apt-get install -y -q --no-install-recommends $$tool || exit 1; \
	done
	ulimit -n 4096; python3 tests/fleet/thousand.py
