#!/bin/sh
# openwrt/pack.sh ipk|apk|feed|tree ...
#
#   tree PACKAGE TARGET DIR   lay out PACKAGE's files under DIR
#   ipk TARGET [ARCH]         .ipk files for OpenWrt up to 24.10
#   apk TARGET [ARCH]         .apk files for 25.12 and newer (needs apk-tools 3)
#   feed                      indexes over all packages made so far
#
# The binaries come from build.sh. One static binary serves every OpenWrt
# architecture of its target, so it is packed once for each name (targets.sh),
# or for ARCH alone. The same input gives the same bytes: no time but
# SOURCE_DATE_EPOCH (the last commit's), no owner, sorted names.
#
# Signing: with USIGN_KEY (secret key file) a feed's Packages is signed by
# usign; with APK_KEY (PEM) apk signs packages and index. Without, install with
# `opkg install FILE` or `apk add --allow-untrusted FILE`.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=${here%/*}
# shellcheck source=openwrt/targets.sh
. "$here/targets.sh"
out=${OUT:-${CARGO_TARGET_DIR:-$root/target}/openwrt}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH
umask 022
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | sed -n 1p)-r${RELEASE:-1}
LICENSE=GPL-2.0-or-later
MAINTAINER='streamguard authors'
DEPENDS='libc, kmod-nft-core, kmod-nf-conntrack-netlink'

describe() {
	case $1 in
	streamguard) echo 'Watch time, quotas, accounting and attack alerts for every device in the LAN' ;;
	streamguard-web) echo "streamguard's dashboard as a web server of its own" ;;
	luci-app-streamguard) echo 'LuCI pages for streamguard' ;;
	esac
}

depends() {
	case $1 in
	streamguard) echo "$DEPENDS" ;;
	streamguard-web) echo 'libc, streamguard' ;;
	luci-app-streamguard) echo 'libc, luci-base, streamguard' ;;
	esac
}

# --- the tree --------------------------------------------------------------

# put MODE SOURCE TARGET
put() { mkdir -p "${3%/*}" && cp "$2" "$3" && chmod "$1" "$3"; }

tree() {
	package=$1 target=$2 dir=$3
	rm -rf "$dir"
	mkdir -p "$dir"
	case $package in
	streamguard)
		put 755 "$out/$target/streamguard" "$dir/usr/sbin/streamguard"
		(cd "$root/files" && find . \( -path ./www -o -path ./systemd \) -prune -o -type f -print) | while read -r file; do
			case $file in
			./etc/config/*) mode=600 ;;
			./etc/init.d/* | ./etc/streamguard/hooks.d/* | ./usr/libexec/*) mode=755 ;;
			*) mode=644 ;;
			esac
			put $mode "$root/files/$file" "$dir/$file"
		done ;;
	streamguard-web)
		put 755 "$out/$target/streamguard-web" "$dir/usr/sbin/streamguard-web" ;;
	luci-app-streamguard)
		app=$root/openwrt/luci-app-streamguard
		[ ! -d "$app/root" ] || cp -R "$app/root/." "$dir/"
		[ ! -d "$app/htdocs" ] || { mkdir -p "$dir/www" && cp -R "$app/htdocs/." "$dir/www/"; }
		# The dashboard's modules; what only its own web server needs stays out.
		(cd "$root/files/www" && find . -type f ! -name '*.html' ! -name 'child.js' ! -name 'app.js' \
			! -name 'transport-http.js' ! -name 'language.js' ! -name 'icon.svg' ! -path './pages/settings.js') | while read -r file; do
			put 644 "$root/files/www/$file" "$dir/www/luci-static/resources/streamguard/$file"
		done
		python3 "$root/openwrt/i18n.py" --lmo "$dir/usr/lib/lua/luci/i18n"
		find "$dir" -type f -exec chmod 644 {} +
		find "$dir/usr/libexec" -type f -exec chmod 755 {} + ;;
	esac
	find "$dir" -type d -exec chmod 755 {} +
}

# scripts PACKAGE DIR: what the package managers run, as files in DIR.
scripts() {
	mkdir -p "$2"
	for script in postinst prerm; do
		[ ! -f "$here/scripts/$1.$script" ] || put 755 "$here/scripts/$1.$script" "$2/$script"
	done
	case $1 in
	streamguard)
		echo /etc/config/streamguard >"$2/conffiles"
		chmod 644 "$2/conffiles" ;;
	esac
}

# --- .ipk: tar.gz of a version, data and control ---------------------------

tarball() {
	dir=$1
	shift
	tar --format=gnu --numeric-owner --owner=0 --group=0 --sort=name --mtime="@$SOURCE_DATE_EPOCH" -C "$dir" -cf - "$@"
}

# squeezed TAR: gzipped as small as it gets, in place. zopfli needs seconds for
# what saves 4 %, so a tarball that several architectures share is done once.
squeezed() {
	if ! command -v zopfli >/dev/null; then
		gzip -n9 "$1"
		return
	fi
	done=$out/squeezed/$(sha256sum <"$1" | cut -d' ' -f1)
	if [ ! -f "$done" ]; then
		mkdir -p "${done%/*}"
		zopfli -c --gzip "$1" >"$done.part"
		mv "$done.part" "$done"
	fi
	cp "$done" "$1.gz"
	rm "$1"
}

pack_ipk() {
	package=$1 target=$2 arch=$3
	work=$out/work/$package-$arch
	tree "$package" "$target" "$work/data"
	rm -rf "$work/control"
	scripts "$package" "$work/control"
	size=$(find "$work/data" -type f -exec cat {} + | wc -c)
	{
		echo "Package: $package"
		echo "Version: $version"
		echo "Depends: $(depends "$package")"
		echo "Source: openwrt/$package"
		echo "SourceName: $package"
		echo "License: $LICENSE"
		echo "Section: net"
		[ "$package" != streamguard ] || echo "Require-User: streamguard:streamguard"
		echo "SourceDateEpoch: $SOURCE_DATE_EPOCH"
		echo "Maintainer: $MAINTAINER"
		echo "Architecture: $arch"
		echo "Installed-Size: $size"
		echo "Description:  $(describe "$package")"
	} >"$work/control/control"
	chmod 644 "$work/control/control"
	echo 2.0 >"$work/debian-binary"
	for part in data control; do
		tarball "$work/$part" . >"$work/$part.tar"
		squeezed "$work/$part.tar"
	done
	chmod 644 "$work/debian-binary" "$work"/*.tar.gz
	mkdir -p "$out/feed/$arch"
	file=$out/feed/$arch/${package}_${version}_$arch.ipk
	tarball "$work" ./debian-binary ./data.tar.gz ./control.tar.gz | gzip -n9 >"$file"
	rm -rf "$work"
	say "$file: $(wc -c <"$file") bytes, $size installed"
}

# --- .apk, by apk-tools 3 ---------------------------------------------------

apk_tool() {
	apk=${APK:-apk}
	command -v "$apk" >/dev/null && "$apk" mkpkg --help >/dev/null 2>&1 && return 0
	say "No apk-tools 3 here ('apk mkpkg'), which alone writes OpenWrt's .apk format.
Install it or set APK=/path/to/apk, or build in the OpenWrt SDK (openwrt/streamguard/Makefile).
The .ipk of the same files, for OpenWrt 24.10 and older: make ipk"
	return 1
}

pack_apk() {
	package=$1 target=$2 arch=$3
	work=$out/work/$package-$arch-apk
	tree "$package" "$target" "$work/data"
	rm -rf "$work/control"
	scripts "$package" "$work/control"
	# What OpenWrt's functions.sh and sysupgrade look for.
	meta=$work/data/lib/apk/packages
	mkdir -p "$meta"
	if [ -f "$work/control/conffiles" ]; then
		cp "$work/control/conffiles" "$meta/$package.conffiles"
		while read -r file; do
			echo "$file $(sha256sum <"$work/data$file" | cut -d' ' -f1)"
		done <"$work/control/conffiles" >"$meta/$package.conffiles_static"
	fi
	[ "$package" != streamguard ] || echo streamguard:streamguard >"$meta/$package.rusers"
	(cd "$work/data" && find . -type f ! -path './lib/apk/*' | sed 's,^\.,,' | LC_ALL=C sort) >"$meta/$package.list"
	find "$work/data" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
	set -- --info "name:$package" --info "version:$version" --info "arch:$arch" \
		--info "license:$LICENSE" --info "origin:$package" --info "maintainer:$MAINTAINER" \
		--info "description:$(describe "$package")" --info "depends:$(depends "$package" | tr -d ,)"
	# apk has scripts of its own for upgrades and does not stop the old service.
	if [ -f "$work/control/postinst" ]; then
		{
			printf '#!/bin/sh\nexport PKG_UPGRADE=1\n'
			sed '/^#!/d; /^exit 0$/d' "$work/control/postinst"
			# shellcheck disable=SC2016 # expands on the router
			[ "$package" != streamguard ] || echo '[ -n "${IPKG_INSTROOT}" ] || /etc/init.d/streamguard restart'
			echo 'exit 0'
		} >"$work/control/upgrade"
		chmod 755 "$work/control/upgrade"
	fi
	for pair in postinst:post-install upgrade:post-upgrade prerm:pre-deinstall; do
		[ ! -f "$work/control/${pair%%:*}" ] || set -- "$@" --script "${pair##*:}:$work/control/${pair%%:*}"
	done
	[ -z "${APK_KEY:-}" ] || set -- "$@" --sign-key "$APK_KEY"
	mkdir -p "$out/feed/$arch"
	file=$out/feed/$arch/$package-$version.apk
	"${APK:-apk}" mkpkg "$@" --files "$work/data" -o "$file"
	rm -rf "$work"
	say "$file: $(wc -c <"$file") bytes"
}

# --- indexes ----------------------------------------------------------------

index() {
	: >"$1/Packages"
	for file in "$1"/*.ipk; do
		[ -f "$file" ] || continue
		tar -xzOf "$file" ./control.tar.gz | tar -xzOf - ./control
		echo "Filename: ${file##*/}"
		echo "Size: $(wc -c <"$file")"
		printf 'SHA256sum: %s\n\n' "$(sha256sum <"$file" | cut -d' ' -f1)"
	done >>"$1/Packages"
	gzip -9nc "$1/Packages" >"$1/Packages.gz"
	[ -z "${USIGN_KEY:-}" ] || usign -S -m "$1/Packages" -s "$USIGN_KEY" -x "$1/Packages.sig"
	for file in "$1"/*.apk; do
		[ -f "$file" ] || return 0
	done
	apk_tool || return 0
	set -- "$1" ${APK_KEY:+--sign-key "$APK_KEY"}
	dir=$1
	shift
	"${APK:-apk}" mkndx "$@" --output "$dir/packages.adb" "$dir"/*.apk
}

# packages TARGET: what can be packed for it now, one a line.
packages() {
	if [ ! -f "$out/$1/streamguard" ]; then
		if [ -f "$out/$1/streamguard-core" ]; then
			die "$1: only streamguard-core was built, which cannot capture or enforce; no package is made of it"
		fi
		die "nothing built for $1 yet: make cross TARGET=$1"
	fi
	echo streamguard
	[ ! -f "$out/$1/streamguard-web" ] || echo streamguard-web
	[ ! -d "$root/openwrt/luci-app-streamguard/root" ] || echo luci-app-streamguard
}

usage="usage: $0 tree PACKAGE TARGET DIR | ipk TARGET [ARCH] | apk TARGET [ARCH] | feed"
verb=${1:?$usage}
shift
case $verb in
tree)
	tree "$@" ;;
ipk | apk)
	sg_target "${1:?$usage}"
	[ "$verb" = ipk ] || apk_tool
	list=$(packages "$TARGET")
	for arch in ${2:-$ARCHES}; do
		for package in $list; do
			case $package in luci-*) "pack_$verb" "$package" "$TARGET" all ;; *) "pack_$verb" "$package" "$TARGET" "$arch" ;; esac
		done
	done ;;
feed)
	[ -d "$out/feed" ] || die "no packages yet: make ipk"
	for dir in "$out/feed"/*/; do
		index "${dir%/}"
		say "${dir}Packages: $(grep -c ^Package: "${dir}Packages" || true) packages"
	done ;;
*) die "$usage" ;;
esac
