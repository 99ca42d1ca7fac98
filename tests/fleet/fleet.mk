.PHONY: test-fleet

test-fleet: deps ## exports, read by nfdump, Wireshark and Prometheus' own tools (needs root)
	@for tool in nfdump tshark prometheus; do \
		dpkg -s $$tool >/dev/null 2>&1 || apt-get install -y -q --no-install-recommends $$tool || exit 1; \
	done
	$(CARGO) test --locked --test fleet -- --nocapture --test-threads 1
