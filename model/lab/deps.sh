#!/bin/sh
# Installs what the lab needs: Debian packages, and three players from npm.
# Run as root; safe to run again. The players land in the lab's work folder.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=${STREAMGUARD_LAB_WORK:-$here/../work/lab}
missing=
for pair in ffmpeg:ffmpeg mpv:mpv chromium:chromium dnsmasq:dnsmasq-base tcpdump:tcpdump ip:iproute2 \
    ethtool:ethtool zstd:zstd openssl:openssl go:golang-go wireguard-go:wireguard-go wg:wireguard-tools; do
    command -v "${pair%%:*}" >/dev/null || missing="$missing ${pair##*:}"
done
[ -d /usr/share/gocode/src/github.com/lucas-clemente/quic-go ] || missing="$missing golang-github-lucas-clemente-quic-go-dev"
command -v rustc >/dev/null || missing="$missing rustc"
command -v npm >/dev/null || missing="$missing npm"
if [ -n "$missing" ]; then
    echo "lab: installing$missing"
    apt-get update -q >/dev/null
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends $missing >/dev/null
fi
mkdir -p "$work"
if [ ! -e "$work/node_modules/shaka-player" ]; then
    echo "lab: installing hls.js, dash.js, shaka-player"
    npm install --silent --no-save --prefix "$work" hls.js@1 dashjs@5 shaka-player@5
fi
echo "lab: building"
rustc --edition 2024 -O -o "$work/delay" "$here/delay/delay.rs"
cd "$here/traffic"
GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE="$work/gocache" go build -o "$work/traffic" .
