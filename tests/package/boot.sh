# shellcheck shell=sh
# Debian kernels in emulated machines. Sourced by t-boot.sh after lib.sh.
. "$root/openwrt/apt.sh"

# kernel RELEASE DEBARCH: sets VMLINUZ, MODULES and KV, fetching on first use.
kernel() {
	store=$SG_CACHE/kernel/$1-$2
	if [ ! -f "$store/ready" ]; then
		rm -rf "$store"
		mkdir -p "$store"
		image=$(apt_view "$1" apt-cache show --no-all-versions "linux-image-cloud-$2" | sed -n 's/^Depends: *\(linux-image-[^ ,]*\).*/\1/p' | sed -n 1p)
		[ -n "$image" ] || return 1
		(cd "$store" && apt_view "$1" apt-get download -qq "$image:$2" "busybox-static:$2") || return 1
		for deb in "$store"/*.deb; do
			dpkg-deb -x "$deb" "$store/root"
			rm "$deb"
		done
		touch "$store/ready"
	fi
	VMLINUZ=$(echo "$store"/root/boot/vmlinuz-*)
	KV=${VMLINUZ##*/vmlinuz-}
	MODULES=$store/root
	[ -d "$MODULES/lib/modules" ] || MODULES=$store/root/usr
	BUSYBOX=$(find "$store/root" -path '*/bin/busybox' -type f | sed -n 1p)
}

# initramfs DIR FILE MODULE...: packs DIR with busybox and modules in the order in
# which they load, listed in /modules.
initramfs() {
	dir=$1 file=$2
	shift 2
	mkdir -p "$dir/bin" "$dir/lib" "$dir/proc" "$dir/sys" "$dir/dev" "$dir/tmp" "$dir/run" "$dir/etc"
	cp "$BUSYBOX" "$dir/bin/busybox"
	depmod -b "$MODULES" "$KV"
	: >"$dir/modules"
	for module; do
		modprobe -S "$KV" -d "$MODULES" --show-depends "$module" 2>/dev/null | sed -n 's/^insmod *\([^ ]*\).*/\1/p'
	done | awk '!seen[$0]++' | while read -r path; do
		name=$(basename "$path")
		case $name in
		*.xz) name=${name%.xz}; xz -dc "$path" >"$dir/lib/$name" ;;
		*) cp "$path" "$dir/lib/$name" ;;
		esac
		echo "$name" >>"$dir/modules"
	done
	(cd "$dir" && find . | cpio -o -H newc --quiet | gzip -1) >"$file"
}

# machine DEBARCH INITRD LOG: runs it to its power-off, eight minutes at most, seconds on an idle machine. Older
# emulators' translation crashes now and then while the kernel starts: that is tried again, since nothing of ours has
# run by then.
machine() {
	for attempt in 1 2 3; do
		booted "$@"
		grep -q 'Kernel panic' "$3" && ! grep -q '^claim: ' "$3" || return 0
		echo "  the emulated kernel crashed while starting, attempt $attempt"
	done
	return 1
}

booted() {
	case $1 in
	amd64) set -- qemu-system-x86_64 "$2" "$3" -M pc -cpu qemu64; console=ttyS0 ;;
	arm64) set -- qemu-system-aarch64 "$2" "$3" -M virt -cpu cortex-a53; console=ttyAMA0 ;;
	esac
	emulator=$1 initrd=$2 log=$3
	shift 3
	timeout 480 "$emulator" "$@" -accel tcg -m 256 -nodefaults -no-user-config -display none -serial stdio -no-reboot \
		-kernel "$VMLINUZ" -initrd "$initrd" -append "console=$console panic=-1 quiet" </dev/null >"$log" 2>&1
}
