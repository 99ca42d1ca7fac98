# shellcheck shell=sh
# What the package tests share: a router's root without a router. Busybox and
# the stand-ins of router/ make the base; a package is unpacked over it.
#
# A test is a file t-*.sh that sources this, says what it checks with `ok` and
# `same`, and ends with `finish`. It skips with a reason by `skip`.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=${here%/*/*}
. "$root/openwrt/targets.sh"
out=${OUT:-${CARGO_TARGET_DIR:-$root/target}/openwrt}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0 checks=0

skip() { echo "  skipped: $*"; exit 0; }
needs() { for tool; do command -v "$tool" >/dev/null || skip "no $tool here"; done; }

# ok CLAIM COMMAND...: the command succeeds.
ok() {
	claim=$1
	shift
	checks=$((checks + 1))
	if ! "$@" >"$work/said" 2>&1; then
		failed=$((failed + 1))
		echo "  FAILED: $claim"
		echo "    $*"
		sed 's/^/    /' "$work/said"
	fi
}
no() { ! "$@"; }

# same CLAIM EXPECTED-FILE FILE: with UPDATE=1 the expectation is written anew.
same() {
	[ "${UPDATE:-}" != 1 ] || cp "$3" "$2"
	ok "$1" diff -u "$2" "$3"
}

finish() {
	echo "  $checks checks, $failed failed"
	[ "$failed" = 0 ]
	exit
}

# router DIR: a root with busybox, stand-ins and a freshly flashed router's
# configuration. /tmp/calls notes every program that is a stand-in.
router() {
	busybox=$(command -v busybox) || skip "no busybox here"
	ldd "$busybox" >/dev/null 2>&1 && skip "busybox is not static (Debian: busybox-static)"
	[ "$(id -u)" = 0 ] || skip "needs root for chroot"
	mkdir -p "$1/bin" "$1/dev" "$1/proc" "$1/tmp/dnsmasq.d" "$1/etc/config" "$1/etc/init.d" "$1/etc/rc.d" \
		"$1/usr/lib/opkg/info" "$1/usr/libexec" "$1/var/etc" "$1/var/run" "$1/sys/class/net/eth1"
	: >"$1/dev/null"
	chmod 666 "$1/dev/null"
	cp "$busybox" "$1/bin/busybox"
	for applet in sh ash awk cat chmod chown cp cut date find grep head id ln ls mkdir mv pidof printf readlink rm sed \
		sha256sum sleep sort stat tail touch tr wc; do
		ln -s busybox "$1/bin/$applet"
	done
	cp -R "$here/router/." "$1/"
	# A static build of OpenWrt's own uci, if there is one, in place of ours.
	[ -z "${UCI:-}" ] || cp "$UCI" "$1/sbin/uci"
	for name in nft ubus logger dnsmasq streamguard-web ujail; do
		ln -s recorder "$1/usr/sbin/$name"
	done
	rm "$1/usr/sbin/streamguard-web" "$1/usr/sbin/ujail"
	ln -s ../../usr/sbin/recorder "$1/etc/init.d/dnsmasq"
	ln -s ../../usr/sbin/recorder "$1/etc/init.d/rpcd"
	echo root:x:0:0:root:/root:/bin/ash >"$1/etc/passwd"
	echo root:x:0: >"$1/etc/group"
	echo lan br-lan >"$1/etc/test-networks"
	echo conf-dir=/tmp/dnsmasq.d >"$1/var/etc/dnsmasq.conf.cfg01411c"
	cp "$here"/configs/base/* "$1/etc/config/"
}

# within DIR COMMAND...: runs it in that root.
within() {
	dir=$1
	shift
	env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$dir" "$@"
}

# init DIR VERB...: the init script; leaves what procd was told in DIR/tmp/procd.
init() {
	dir=$1
	shift
	rm -f "$dir/tmp/procd" "$dir/tmp/calls"
	within "$dir" /etc/init.d/streamguard "$@"
}

# some_binary TARGET: a binary to pack, the one that was built or a stand-in: the
# packages' shape does not depend on it. What is packed here stays here.
some_binary() {
	built=$out/$1/streamguard
	out=$work/out
	mkdir -p "$out/$1"
	if [ -f "$built" ]; then
		cp "$built" "$out/$1/"
	else
		printf '#!/bin/sh\n' >"$out/$1/streamguard"
		chmod 755 "$out/$1/streamguard"
	fi
}
