#!/bin/sh
# openwrt/toolchain.sh TARGET...
#
# Brings together what a static musl build needs and a plain Debian or Ubuntu
# lacks: zig (C compiler and linker for every target), the standard library's
# source where rustup has no prebuilt one, and static libpcap, libmnl and
# libnftnl. All of it goes into a cache outside the tree (see targets.sh), is
# done once, and is picked up where it stopped.
#
# Where the C libraries come from, STREAMGUARD_SOURCES:
#   upstream  release tarballs, each checked against the sum below
#   debian    libpcap from Debian's source package; libmnl and libnftnl as
#             Debian's own static archives plus a shim for the few glibc names
#             in them. Good for x86_64, aarch64 and armv7; there are none for
#             MIPS. An expedient for networks that reach only a mirror: ship
#             what was built from `upstream`.
#   auto      (default) upstream, and debian where that cannot be reached
# Tarballs already lying in $STREAMGUARD_CROSS/dl are used without asking.
#
# A target whose libraries cannot be had still gets zig and the standard
# library: openwrt/build.sh then builds the core without capture and netlink.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=openwrt/targets.sh
. "$here/targets.sh"
# shellcheck source=openwrt/apt.sh
. "$here/apt.sh"
[ $# -gt 0 ] || die "usage: $0 TARGET...   (TARGET: $SG_TARGETS)"

ZIG=0.17.0
# name, version, archive, sha256, where
LIBPCAP='libpcap 1.10.6 libpcap-1.10.6.tar.gz 872dd11337fe1ab02ad9d4fee047c9da244d695c6ddf34e2ebb733efd4ed8aa9 https://www.tcpdump.org/release'
LIBMNL='libmnl 1.0.5 libmnl-1.0.5.tar.bz2 274b9b919ef3152bfb3da3a13c950dd60d6e2bcd54230ffeca298d03b40d0525 https://www.netfilter.org/pub/libmnl'
LIBNFTNL='libnftnl 1.3.1 libnftnl-1.3.1.tar.xz 607da28dba66fbdeccf8ef1395dded9077e8d19f2995f9a4d45a9c2f0bcffba8 https://www.netfilter.org/pub/libnftnl'
DEBIAN_SUITE=trixie
# Raised when something else is made of the same sources: what the cache holds is then made again.
LIBPCAP_RECIPE=2

CARGO_DIR=$here/../.cargo
SOURCES=${STREAMGUARD_SOURCES:-auto}
JOBS=${JOBS:-$(nproc)}
mkdir -p "$SG_CACHE/dl" "$SG_CACHE/bin"
# One at a time: two builds that share a cache wait for each other here.
exec 9>"$SG_CACHE/lock"
flock 9

# --- this machine ----------------------------------------------------------

# What a plain Debian or Ubuntu lacks; installed where that is possible.
tools() {
	missing=
	for pair in make:make bison:bison flex:flex file:file xz:xz-utils bzip2:bzip2 curl:curl zopfli:zopfli; do
		command -v "${pair%%:*}" >/dev/null || missing="$missing ${pair##*:}"
	done
	python3 -c 'import ensurepip' 2>/dev/null || missing="$missing python3-venv"
	dpkg-source --version >/dev/null 2>&1 || missing="$missing dpkg-dev"
	[ -n "$missing" ] || return 0
	say "installing:$missing"
	sudo=
	[ "$(id -u)" = 0 ] || sudo=sudo
	# shellcheck disable=SC2086 # a list of packages
	{ $sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null; } ||
		die "please install:$missing"
}

# --- sources ---------------------------------------------------------------

# fetch NAME VERSION ARCHIVE SUM WHERE: $SG_CACHE/dl/ARCHIVE, checked, or 1.
fetch() {
	file=$SG_CACHE/dl/$3
	if [ ! -f "$file" ]; then
		[ "$SOURCES" != debian ] || return 1
		say "fetching $3"
		if command -v curl >/dev/null; then
			curl -fsSL --connect-timeout 10 --retry 1 -o "$file.part" "$5/$3" || { rm -f "$file.part"; return 1; }
		else
			wget -q -T 10 -t 2 -O "$file.part" "$5/$3" || { rm -f "$file.part"; return 1; }
		fi
		mv "$file.part" "$file"
	fi
	echo "$4  $file" | sha256sum -c --status && return 0
	mv "$file" "$file.bad"
	die "$3 does not have the sum that is pinned here; kept as $file.bad"
}

# unpack ARCHIVE: prints the directory it unpacked to.
unpack() {
	top=$(tar -tf "$SG_CACHE/dl/$1" | sed -n '1s,^\./,,;1s,/.*,,p')
	[ -d "$SG_CACHE/src/$top" ] || {
		mkdir -p "$SG_CACHE/src"
		tar -C "$SG_CACHE/src" -xf "$SG_CACHE/dl/$1"
	}
	echo "$SG_CACHE/src/$top"
}

# --- zig -------------------------------------------------------------------

zig() {
	[ -z "${STREAMGUARD_ZIG:-}" ] || { say "zig: $STREAMGUARD_ZIG"; return 0; }
	[ -x "$SG_CACHE/bin/zig" ] && [ "$(cat "$SG_CACHE/zig.version" 2>/dev/null)" = $ZIG ] && return 0
	say "zig $ZIG (about 180 MB) into $SG_CACHE"
	python3 -m venv "$SG_CACHE/zig" || die "python3-venv is needed to fetch zig"
	"$SG_CACHE/zig/bin/pip" install -q "ziglang==$ZIG"
	ln -sfn "$("$SG_CACHE/zig/bin/python" -c 'import os, ziglang; print(os.path.dirname(ziglang.__file__))')/zig" "$SG_CACHE/bin/zig"
	echo $ZIG >"$SG_CACHE/zig.version"
}

# --- the standard library --------------------------------------------------

rust_std() {
	sysroot=$(rustc --print sysroot)
	library=$sysroot/lib/rustlib/src/rust/library
	[ -d "$library/std" ] && return 0
	# The source first: built here for size, without unwind tables, it weighs a
	# quarter of the binary less than what rustup has ready.
	if command -v rustup >/dev/null; then
		rustup component add rust-src >/dev/null 2>&1 && [ -d "$library/std" ] && return 0
	fi
	debian_rust_src && return 0
	[ -d "$sysroot/lib/rustlib/$TRIPLE/lib" ] && return 0
	command -v rustup >/dev/null && rustup target add "$TRIPLE" >/dev/null 2>&1 && return 0
	die "no standard library for $TRIPLE: neither rustup nor Debian $DEBIAN_SUITE has it, nor the source of $(rustc -V)"
}

debian_rust_src() {
	version=$(rustc -V | cut -d' ' -f2)
	say "standard library source of rustc $version from Debian's rust-src"
	if [ ! -d "$SG_CACHE/rust-src-$version/std" ]; then
		found=$(apt_view $DEBIAN_SUITE apt-cache madison rust-src | awk -v v="$version" 'index($3, v "+") == 1 { print $3; exit }')
		[ -n "$found" ] && (cd "$SG_CACHE/dl" && apt_view $DEBIAN_SUITE apt-get download "rust-src=$found") || return 1
		rm -rf "$SG_CACHE/dl/rust-src.x"
		dpkg-deb -x "$SG_CACHE"/dl/rust-src_*.deb "$SG_CACHE/dl/rust-src.x"
		mv "$SG_CACHE/dl/rust-src.x/usr/src/rustc-$version/library" "$SG_CACHE/rust-src-$version"
		rm -rf "$SG_CACHE/dl/rust-src.x" "$SG_CACHE"/dl/rust-src_*.deb
	fi
	# cargo looks for it in the toolchain's own directory and nowhere else. A
	# copy, not a link: cargo names build directories by the resolved path.
	if ! { mkdir -p "${library%/*}" && cp -a "$SG_CACHE/rust-src-$version" "$library"; }; then
		say "cannot write to $library; run once as the owner of the toolchain for smaller binaries"
		return 1
	fi
}

# --- C libraries -----------------------------------------------------------

# autotools NAME SOURCE-DIR LIBRARY CONFIGURE-ARGS...
autotools() {
	name=$1 source=$2 library=$3
	shift 3
	say "$name for $TARGET"
	rm -rf "$SG_CACHE/build/$TARGET/$name"
	mkdir -p "$SG_CACHE/build/$TARGET/$name" "$PREFIX/lib"
	(
		cd "$SG_CACHE/build/$TARGET/$name" &&
		"$source/configure" --host="$HOST" --prefix="$PREFIX" --disable-shared "$@" \
			CC="$CARGO_DIR/$TRIPLE-cc" AR="$CARGO_DIR/zig-ar" RANLIB="$CARGO_DIR/zig-ranlib" \
			CFLAGS='-Os -Xclang -Oz -g0 -fomit-frame-pointer -fno-asynchronous-unwind-tables -fno-unwind-tables -ffunction-sections -fdata-sections' >configure.log 2>&1 &&
		case $name in
		libpcap) make -j"$JOBS" libpcap.a >make.log 2>&1 && cp libpcap.a "$PREFIX/lib/" ;;
		*) make -j"$JOBS" install >make.log 2>&1 ;;
		esac
	) || die "$name did not build for $TARGET: see $SG_CACHE/build/$TARGET/$name"
	[ -f "$PREFIX/lib/$library" ]
}

pcap() {
	[ -f "$PREFIX/lib/libpcap.a" ] && [ "$(cat "$PREFIX/libpcap.recipe" 2>/dev/null)" = $LIBPCAP_RECIPE ] && return 0
	# shellcheck disable=SC2086 # the words of the pin
	if fetch $LIBPCAP; then
		# shellcheck disable=SC2086
		set -- $LIBPCAP
		source=$(unpack "$3") version=$2
	else
		[ "$SOURCES" != upstream ] || return 1
		source=$(echo "$SG_CACHE"/src/debian/libpcap-*/)
		if [ ! -d "$source" ]; then
			mkdir -p "$SG_CACHE/src/debian"
			(cd "$SG_CACHE/src/debian" && apt_view $DEBIAN_SUITE apt-get source -qq --download-only "libpcap/$DEBIAN_SUITE" &&
				tar -xf libpcap_*.orig.tar.*) || return 1
			source=$(echo "$SG_CACHE"/src/debian/libpcap-*/)
		fi
		source=${source%/} version=${source##*libpcap-}
		version=${version%/}
	fi
	# Its scanner spells out each form of an IPv6 address, in 40 kB of tables, and then asks getaddrinfo whether it
	# is one. Whatever has two colons may ask; a MAC address is recognised before.
	sed -i 's/^V6[[:blank:]].*/V6\t\t[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*/' "$source/scanner.l"
	autotools libpcap "$source" libpcap.a --with-pcap=linux --without-libnl --disable-usb --disable-usbmon \
		--disable-netmap --disable-bluetooth --disable-dbus --disable-rdma --without-dag --without-snf \
		--without-dpdk --disable-remote --disable-protochain
	echo "$version" >"$PREFIX/libpcap.version"
	echo $LIBPCAP_RECIPE >"$PREFIX/libpcap.recipe"
}

netlink() {
	[ -f "$PREFIX/lib/libnftnl.a" ] && return 0
	# shellcheck disable=SC2086
	if fetch $LIBMNL && fetch $LIBNFTNL; then
		# shellcheck disable=SC2086
		set -- $LIBMNL
		autotools libmnl "$(unpack "$3")" libmnl.a --enable-static
		# shellcheck disable=SC2086
		set -- $LIBNFTNL
		autotools libnftnl "$(unpack "$3")" libnftnl.a --enable-static \
			LIBMNL_CFLAGS="-I$PREFIX/include" LIBMNL_LIBS="-L$PREFIX/lib -lmnl"
		echo upstream >"$PREFIX/netlink.origin"
		return 0
	fi
	[ "$SOURCES" != upstream ] && [ -n "$DEBARCH" ] || return 1
	say "libmnl and libnftnl for $TARGET from Debian's static archives"
	(cd "$SG_CACHE/dl" && apt_view $DEBIAN_SUITE apt-get download "libmnl-dev:$DEBARCH/$DEBIAN_SUITE" "libnftnl-dev:$DEBARCH/$DEBIAN_SUITE") || return 1
	rm -rf "$SG_CACHE/dl/x-$DEBARCH"
	for deb in "$SG_CACHE"/dl/libmnl-dev_*_"$DEBARCH".deb "$SG_CACHE"/dl/libnftnl-dev_*_"$DEBARCH".deb; do
		dpkg-deb -x "$deb" "$SG_CACHE/dl/x-$DEBARCH"
	done
	mkdir -p "$PREFIX/lib"
	cp "$SG_CACHE/dl/x-$DEBARCH/usr/lib/$DEBDIR/libmnl.a" "$PREFIX/lib/"
	"$CARGO_DIR/$TRIPLE-cc" -Os -c "$here/glibc-shim.c" -o "$PREFIX/glibc-shim.o"
	cp "$SG_CACHE/dl/x-$DEBARCH/usr/lib/$DEBDIR/libnftnl.a" "$PREFIX/lib/libnftnl.a.part"
	"$CARGO_DIR/zig-ar" rs "$PREFIX/lib/libnftnl.a.part" "$PREFIX/glibc-shim.o" 2>/dev/null
	mv "$PREFIX/lib/libnftnl.a.part" "$PREFIX/lib/libnftnl.a"
	echo debian >"$PREFIX/netlink.origin"
}

# ---------------------------------------------------------------------------

tools
zig
for target in "$@"; do
	sg_target "$target"
	PREFIX=$SG_CACHE/$TARGET
	rust_std
	if netlink && pcap; then continue; fi
	say "$TARGET: no static libmnl/libnftnl/libpcap to be had here (upstream unreachable, none in Debian):
  only the core can be built, without live capture and enforcement"
done
