#!/bin/sh
# The store's tests with SQLite as routers have it (openwrt/sqlite.flags): what
# the flags leave out, no statement may need.
. "$(dirname "$0")/lib.sh"
needs cargo
LIBSQLITE3_FLAGS=$(grep -v '^#' "$root/openwrt/sqlite.flags" | tr '\n' ' ')
export LIBSQLITE3_FLAGS
ok "the store works with the router's SQLite" env CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$root/target}/router-sqlite" \
	cargo test --quiet --locked --manifest-path "$root/Cargo.toml" --lib os::store
finish
