#!/bin/sh
# Tests of the lab: Python parts, the delayer, the traffic program. What needs
# a tool that is absent says so and is skipped. STREAMGUARD_LAB=1 (as root, after
# deps.sh) also records one short run.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m unittest discover -s "$here/tests"
if command -v rustc >/dev/null; then
    rustc --edition 2024 -D warnings --test -o "$scratch/delay" "$here/delay/delay.rs"
    "$scratch/delay" --quiet
else
    echo "lab: no rustc, the delayer is not tested"
fi
if command -v go >/dev/null && [ -d /usr/share/gocode/src/github.com/lucas-clemente/quic-go ]; then
    cd "$here/traffic"
    GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE="${STREAMGUARD_LAB_WORK:-$here/../work/lab}/gocache" go vet .
    GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE="${STREAMGUARD_LAB_WORK:-$here/../work/lab}/gocache" go test .
else
    echo "lab: no Go with quic-go, the traffic program is not tested (model/lab/deps.sh installs it)"
fi
