#!/bin/sh
# openwrt/build.sh TARGET [WHAT [check]]
#
# Builds one statically linked musl binary and puts it where the packages take
# it from: $OUT/TARGET/WHAT, OUT being target/openwrt. WHAT is
#   streamguard      (default) the daemon and its command line
#   streamguard-web  the HTTP gateway alone, a package of its own
#   streamguard-core neither capture nor netlink: analysis of files only, for
#                    targets whose C libraries cannot be had (see toolchain.sh)
#
# With `check` it is only type-checked, which finds what breaks on 32 bits or
# another byte order in a fraction of the time.
#
# Two worlds, STREAMGUARD_STD:
#   prebuilt  rustup's standard library for the target
#   source    built here from rust-src, optimised for size (tier 3, MIPS)
#   auto      (default) source where rust-src lies, else prebuilt
# Paths of this machine are mapped away, so that the same sources give the same
# bytes in any directory.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=${here%/*}
# shellcheck source=openwrt/targets.sh
. "$here/targets.sh"
sg_target "${1:?usage: $0 TARGET [WHAT]}"
what=${2:-streamguard}
libs=$SG_CACHE/$TARGET/lib
out=${OUT:-${CARGO_TARGET_DIR:-$root/target}/openwrt}
cd "$root"

if [ "$what" != streamguard-core ] && ! { [ -f "$libs/libpcap.a" ] && [ -f "$libs/libnftnl.a" ]; }; then
	say "$TARGET: static libpcap, libmnl and libnftnl are not in $libs."
	say "Building streamguard-core instead: it analyses capture files, it cannot capture or enforce."
	what=streamguard-core
fi
sysroot=$(rustc --print sysroot)
std=${STREAMGUARD_STD:-auto}
if [ "$std" = auto ]; then
	if [ -d "$sysroot/lib/rustlib/src/rust/library/std" ]; then std=source; else std=prebuilt; fi
fi
# Nothing unwinds, so no unwind tables: those of the C libraries are left out.
case $std in
source) link='-Clink-arg=-Wl,-T,openwrt/router.ld' ;;
*) link='' ;;
esac
case $what in
streamguard) features='--bin streamguard' ;;
streamguard-web) features='--features web --bin streamguard-web' ;;
streamguard-core) features='--no-default-features --bin streamguard' ;;
*) die "unknown WHAT '$what'" ;;
esac

set --
if [ "$std" = source ]; then
	export RUSTC_BOOTSTRAP=1
	set -- --config .cargo/build-std.toml --config "target.$TRIPLE.rustflags=[\"--cfg=router\"]"
elif [ -d "$sysroot/lib/rustlib/$TRIPLE/lib" ]; then
	set -- --config 'profile.release.opt-level="s"'
else
	die "no standard library for $TRIPLE: run openwrt/toolchain.sh $TARGET"
fi

# These are not scoped by target in the -sys crates: they belong to this one
# build and never into .cargo/config.toml, where they would break the host's.
export LIBPCAP_LIBDIR="$libs" LIBMNL_LIB_DIR="$libs" LIBNFTNL_LIB_DIR="$libs"
LIBPCAP_VER=$(cat "$SG_CACHE/$TARGET/libpcap.version" 2>/dev/null || echo 1.10.5)
export LIBPCAP_VER
LIBSQLITE3_FLAGS=$(grep -v '^#' "$here/sqlite.flags" | tr '\n' ' ')
export LIBSQLITE3_FLAGS
export STREAMGUARD_CC="$root/.cargo/$TRIPLE-cc"
# Small, with sections for the linker to cut. zig takes -Oz for -Os, clang itself
# does not: 12 % less of SQLite.
name=$(echo "$TRIPLE" | tr - _)
export "CC_$name=$STREAMGUARD_CC" "AR_$name=$root/.cargo/zig-ar" "RANLIB_$name=$root/.cargo/zig-ranlib"
export "CFLAGS_$name=-Os -Xclang -Oz -g0 -fomit-frame-pointer -fno-asynchronous-unwind-tables -fno-unwind-tables -ffunction-sections -fdata-sections -ffile-prefix-map=$root=."

set -- "$@" --config "target.$TRIPLE.linker=\"$here/link-cc\""
registry=${CARGO_HOME:-$HOME/.cargo}/registry/src
set -- "$@" --config "target.$TRIPLE.rustflags=[\"--remap-path-prefix=$registry=crates\",\"--remap-path-prefix=$sysroot/lib/rustlib/src/rust=rust\",\"--remap-path-prefix=$root=.\"]"
# Cryptography opens QUIC Initials and checks artefacts, a few a second at most:
# its compact forms, without those for processors that routers do not have.
for cfg in aes_backend=soft aes_backend_soft=compact polyval_backend=soft sha2_backend=soft sha2_backend_soft=compact; do
	set -- "$@" --config "target.$TRIPLE.rustflags=[\"--cfg=${cfg%%=*}=\\\"${cfg#*=}\\\"\"]"
done
# What is not ours is never on the path of a packet, except in archives.
set -- "$@" --config 'profile.release.package."*".opt-level="z"'
# shellcheck disable=SC2086 # a list of words
[ "${3:-}" != check ] || exec cargo "$@" check --locked --target "$TRIPLE" $features ${CARGO_FLAGS:-}
# shellcheck disable=SC2086
cargo "$@" rustc --release --locked --target "$TRIPLE" $features ${CARGO_FLAGS:-} -- $link

built=${CARGO_TARGET_DIR:-target}/$TRIPLE/release/streamguard
[ "$what" != streamguard-web ] || built=$built-web
mkdir -p "$out/$TARGET"
install -m 755 "$built" "$out/$TARGET/$what.part"
mv "$out/$TARGET/$what.part" "$out/$TARGET/$what"
if command -v file >/dev/null; then
	kind=$(file -b "$out/$TARGET/$what")
	echo "$kind" | grep -q 'statically linked' || die "$what is not statically linked: $kind"
	echo "$kind" | grep -q "$FILE" || die "$what is not for $TARGET: $kind"
fi
say "$out/$TARGET/$what: $(wc -c <"$out/$TARGET/$what") bytes, $(gzip -9c "$out/$TARGET/$what" | wc -c) gzipped, standard library from $std"
