#!/bin/sh
# The static binaries on real kernels: Debian's 6.1 (stands in for OpenWrt 24.10's
# 6.6) and 6.12 (25.12), in emulated machines, with busybox for all userland. The
# guest makes a small house of namespaces and enforces in it.
. "$(dirname "$0")/lib.sh"
needs dpkg-deb cpio xz depmod modprobe apt-get
. "$here/boot.sh"

tried=''
for target in x86_64 aarch64; do
	sg_target $target
	[ -f "$out/$target/streamguard" ] || { echo "  $target: not built (make cross TARGET=$target)"; continue; }
	command -v "qemu-system-$target" >/dev/null || { echo "  $target: no qemu-system-$target"; continue; }
	for release in ${RELEASES:-bookworm trixie}; do
		kernel $release "$DEBARCH" 2>"$work/err" || { echo "  no kernel of $release for $DEBARCH: $(tail -n 1 "$work/err")"; continue; }
		guest=$work/$target-$release
		mkdir -p "$guest/usr/sbin" "$guest/etc/config"
		cp "$out/$target/streamguard" "$guest/usr/sbin/"
		cp "$root/files/etc/config/streamguard" "$guest/etc/config/"
		cp "$here/guest-init" "$guest/init"
		cp "$here/guest-house" "$guest/"
		initramfs "$guest" "$work/initrd" bridge veth af_packet nf_tables nft_ct nft_counter nft_reject_inet \
			nft_limit nf_conntrack_netlink sch_htb nf_reject_ipv4 crc32c_generic
		ok "$target on $KV boots and powers off" machine "$DEBARCH" "$work/initrd" "$work/console"
		tr -d '\r' <"$work/console" >"$work/log"
		ok "$target on $KV runs to its end" grep -q '^claim: end: yes' "$work/log"
		grep '^claim: ' "$work/log" | sed 's/^claim: //; /^end/d' >"$work/claims"
		while read -r line; do
			case $line in
			*': absent') echo "  $target on $KV: no daemon in this build" ;;
			*) ok "$target on $KV: ${line%: *}" test "${line##*: }" = yes ;;
			esac
		done <"$work/claims"
		[ "$failed" = 0 ] || grep -v '^\[.*\]  ' "$work/log" | head -n 60 | sed 's/^/    | /'
		tried="$tried $target/$KV"
	done
done
[ -n "$tried" ] || skip "nothing to boot"
echo "  booted:$tried"
finish
