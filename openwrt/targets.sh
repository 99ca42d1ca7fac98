# shellcheck shell=sh disable=SC2034 # sourced: what it sets is read elsewhere
# What differs between the routers we build for, in one table. Sourced, not run.
#
# sg_target NAME sets:
#   TRIPLE  Rust's name, also of the wrapper in .cargo/
#   HOST    what autoconf is told
#   DEBARCH Debian's name where it ships static libmnl and libnftnl, else empty
#   DEBDIR  the multiarch directory those lie in
#   QEMU    user-mode emulator; EMULATED_CPU its model where the default is too new
#           (not QEMU_CPU, which the emulators read themselves, empty or not)
#   FILE    words that file(1) says about a right binary
#   ARCHES  names under which OpenWrt's package manager looks for it
#
# The lists of ARCHES are not complete: `opkg print-architecture` or
# `cat /etc/apk/arch` on the router tells its name, and
# `make ipk TARGET=aarch64 ARCH=that_name` makes a package for it.

SG_TARGETS="x86_64 aarch64 armv7 mipsel mips"

sg_target() {
	TARGET=$1 DEBARCH='' DEBDIR='' EMULATED_CPU=''
	case $1 in
	x86_64)
		TRIPLE=x86_64-unknown-linux-musl HOST=x86_64-linux-musl
		DEBARCH=amd64 DEBDIR=x86_64-linux-gnu
		QEMU=qemu-x86_64-static FILE='64-bit LSB.*x86-64'
		ARCHES=x86_64 ;;
	aarch64)
		TRIPLE=aarch64-unknown-linux-musl HOST=aarch64-linux-musl
		DEBARCH=arm64 DEBDIR=aarch64-linux-gnu
		QEMU=qemu-aarch64-static FILE='64-bit LSB.*ARM aarch64'
		ARCHES='aarch64_generic aarch64_cortex-a53 aarch64_cortex-a72 aarch64_cortex-a76' ;;
	armv7)
		TRIPLE=armv7-unknown-linux-musleabihf HOST=arm-linux-musleabihf
		DEBARCH=armhf DEBDIR=arm-linux-gnueabihf
		QEMU=qemu-arm-static FILE='32-bit LSB.*ARM, EABI5'
		ARCHES='arm_cortex-a5_vfpv4 arm_cortex-a7 arm_cortex-a7_vfpv4 arm_cortex-a7_neon-vfpv4 arm_cortex-a8_vfpv3 arm_cortex-a9 arm_cortex-a9_neon arm_cortex-a9_vfpv3-d16 arm_cortex-a15_neon-vfpv4' ;;
	mipsel)
		TRIPLE=mipsel-unknown-linux-musl HOST=mipsel-linux-musl
		QEMU=qemu-mipsel-static EMULATED_CPU=24Kc FILE='32-bit LSB.*MIPS'
		ARCHES='mipsel_24kc mipsel_24kc_24kf mipsel_74kc' ;;
	mips)
		TRIPLE=mips-unknown-linux-musl HOST=mips-linux-musl
		QEMU=qemu-mips-static EMULATED_CPU=24Kc FILE='32-bit MSB.*MIPS'
		ARCHES=mips_24kc ;;
	*)
		echo "unknown TARGET '$1': one of $SG_TARGETS" >&2
		return 2 ;;
	esac
	# Read by the scripts that source this file.
	export TARGET TRIPLE HOST DEBARCH DEBDIR QEMU EMULATED_CPU FILE ARCHES
}

# Everything fetched or built for cross compiling lies here, outside the tree.
SG_CACHE=${STREAMGUARD_CROSS:-${XDG_CACHE_HOME:-$HOME/.cache}/streamguard-cross}

say() { printf '%s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
