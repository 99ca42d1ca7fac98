# The dashboard in a browser, included by the top-level Makefile.

.PHONY: test-web screenshots

test-web: deps ## the dashboard over the demo capture, in Debian's Chromium
	$(CARGO) build --locked --features web
	@cd tests/web && STREAMGUARD="$(abspath $(or $(CARGO_TARGET_DIR),target))/debug/streamguard" node --test

test: test-web

screenshots: deps build ## the pictures in docs/images, from the demo
	@cd tests/web && STREAMGUARD="$(abspath $(or $(CARGO_TARGET_DIR),target))/release/streamguard" \
	  node screenshots.mjs ../../docs/images

.PHONY: soak-web
# SOAK_S=600 seconds; with schemathesis (PyPI) installed, its 5xx hunt over the OpenAPI document too.
soak-web: deps build ## ten minutes of slow, oversized and malformed requests, the household unaffected
	@cd tests/web && STREAMGUARD="$(abspath $(or $(CARGO_TARGET_DIR),target))/release/streamguard" node soak.mjs
	@STREAMGUARD="$(abspath $(or $(CARGO_TARGET_DIR),target))/release/streamguard" tests/web/schemathesis.sh
