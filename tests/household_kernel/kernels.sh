#!/bin/sh
# The daemon on kernels that offload flows in software and with clocks that are
# set, in emulated machines: Debian's 6.1 (stands in for OpenWrt 24.10's 6.6) and
# 6.12 (25.12). Takes the release build, its libraries and Debian's nft along.
# Shares the machines of tests/package.
. "$(dirname "$0")/../package/lib.sh"
package=$root/tests/package
needs dpkg-deb cpio xz depmod modprobe apt-get ldd nft qemu-system-x86_64
sg_target x86_64
. "$package/boot.sh"
binary=${STREAMGUARD_BINARY:-$root/target/release/streamguard}
[ -f "$binary" ] || skip "not built: $binary"

# with_libraries PROGRAM DIR NAME: the program and what it links to
with_libraries() {
	mkdir -p "$2/usr/sbin"
	cp "$1" "$2/usr/sbin/$3"
	ldd "$1" | grep -o '/[^ )]*' | while read -r library; do
		mkdir -p "$2$(dirname "$library")"
		cp -L "$library" "$2$library"
	done
}

# run_part NAME: boots with guest-NAME as the first process
run_part() {
	guest=$work/$release-$1
	mkdir -p "$guest"
	with_libraries "$binary" "$guest" streamguard
	with_libraries "$(command -v nft)" "$guest" nft
	cp "$package/guest-house" "$guest/"
	cp "$root/tests/household_kernel/guest-$1" "$guest/init"
	initramfs "$guest" "$work/initrd" bridge veth af_packet nf_tables nft_ct nft_counter nft_reject_inet \
		nf_conntrack_netlink nf_flow_table nf_flow_table_inet nft_flow_offload nf_reject_ipv4 crc32c_generic
	machine amd64 "$work/initrd" "$work/console"
	# QEMU's emulation spoils the flags of cmpxchg16b now and then, and the guest's kernel dies of it: once more.
	! grep -q 'Kernel panic' "$work/console" || { echo "  $KV died in emulation: once more"; machine amd64 "$work/initrd" "$work/console"; }
	tr -d '\r' <"$work/console" >"$work/log"
	[ -z "${SHOW:-}" ] || cat "$work/log"
	ok "$KV runs to its end" grep -q '^claim: end: yes' "$work/log"
	grep '^claim: ' "$work/log" | sed 's/^claim: //; /^end/d' >"$work/claims"
	while read -r line; do
		ok "$KV: ${line%: *}" test "${line##*: }" = yes
	done <"$work/claims"
	[ "$failed" = 0 ] || grep -v '^\[.*\]  ' "$work/log" | head -n 60 | sed 's/^/    | /'
}

tried=''
for release in ${RELEASES:-bookworm trixie}; do
	kernel "$release" amd64 2>"$work/err" || { echo "  no kernel of $release: $(tail -n 1 "$work/err")"; continue; }
	for part in ${PARTS:-offload clock}; do
		run_part "$part"
	done
	tried="$tried $KV"
done
[ -n "$tried" ] || skip "nothing to boot"
echo "  booted:$tried"
finish
