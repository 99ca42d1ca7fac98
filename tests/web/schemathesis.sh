#!/usr/bin/env bash
# schemathesis over the OpenAPI document of a replayed household: no 5xx, only documented statuses and types.
set -euo pipefail
cd "$(dirname "$0")/../.."
tool=${SCHEMATHESIS:-schemathesis}
command -v "$tool" >/dev/null || { echo "skipped: no schemathesis (pip install schemathesis==4.32.5)"; exit 0; }
log=$(mktemp)
"$STREAMGUARD" replay tests/fixtures/demo.pcap.zst --config tests/fixtures/demo.conf --listen 127.0.0.1:0 --speed 60 >"$log" &
pid=$!
trap 'kill $pid; rm -f "$log"' EXIT
for _ in $(seq 50); do [ -s "$log" ] && break; sleep 0.2; done
"$tool" run "$(head -n 1 "$log")api/v1/openapi.json" --seed 1 -n "${EXAMPLES:-25}" --header 'X-Streamguard: 1' \
  --checks not_a_server_error,status_code_conformance,content_type_conformance,unsupported_method \
  --suppress-health-check=all
