#!/bin/sh
# What apk-tools 3 would be told and given. Where it is installed it also makes
# the package, twice the same; else its part is played by a script that notes.
. "$(dirname "$0")/lib.sh"
some_binary x86_64
export OUT="$out" SOURCE_DATE_EPOCH=1700000000
cat >"$work/apk" <<'E2'
#!/bin/sh
verb=$1
shift
[ "$1" != --help ] || exit 0
echo "$verb" >>"$NOTES/words"
# Trees and scripts are kept of the daemon's package only.
kept=
for word in "$@"; do [ "$word" != name:streamguard ] || kept=yes; done
while [ $# -gt 0 ]; do
	case $1 in
	--script) [ -z "$kept" ] || cp "${2#*:}" "$NOTES/${2%%:*}"; shift ;;
	--files) [ -z "$kept" ] || cp -pR "$2" "$NOTES/tree"; shift ;;
	-o | --output) : >"$2"; shift ;;
	--info) echo "  $2" >>"$NOTES/words"; shift ;;
	esac
	shift
done
E2
chmod 755 "$work/apk"
export NOTES="$work"
APK=$work/apk "$root/openwrt/pack.sh" apk x86_64 >/dev/null 2>&1 || echo "  FAILED to pack"
grep -v '^  version:' "$work/words" >"$work/fields"
same "what the package says of itself" "$here/golden/apk-fields" "$work/fields"
ok "a version that apk takes" grep -qxE '  version:[0-9]+(\.[0-9]+)*-r[0-9]+' "$work/words"
meta=$work/tree/lib/apk/packages
ok "the configuration is a conffile, with its sum" grep -qx \
	"/etc/config/streamguard $(sha256sum <"$root/files/etc/config/streamguard" | cut -d' ' -f1)" "$meta/streamguard.conffiles_static"
ok "its user" grep -qx streamguard:streamguard "$meta/streamguard.rusers"
ok "functions.sh finds the service in its list" grep -qx /etc/init.d/streamguard "$meta/streamguard.list"
ok "no time but the source's" test -z "$(find "$work/tree" -newermt '@1700000001')$(find "$work/tree" ! -newermt '@1699999999')"
for script in post-install post-upgrade pre-deinstall; do
	ok "$script parses in ash" busybox ash -n "$work/$script"
done
ok "an upgrade is told from an installation" grep -qx 'export PKG_UPGRADE=1' "$work/post-upgrade"
ok "and starts the new program: apk does not stop the old one" grep -q 'init.d/streamguard restart$' "$work/post-upgrade"
ok "an installation is not" no grep -q 'PKG_UPGRADE=1' "$work/post-install"
ok "without apk-tools the verb says what to do" sh -c 'APK=/nonexistent "$0" apk x86_64 2>&1 | grep -q "make ipk"' "$root/openwrt/pack.sh"

if command -v apk >/dev/null && apk mkpkg --help >/dev/null 2>&1; then
	"$root/openwrt/pack.sh" apk x86_64 2>/dev/null
	cp "$out"/feed/x86_64/streamguard-*.apk "$work/first.apk"
	sleep 1
	"$root/openwrt/pack.sh" apk x86_64 2>/dev/null
	ok "made twice, the same bytes" cmp "$work/first.apk" "$out"/feed/x86_64/streamguard-*.apk
else
	echo "  apk-tools 3 is not installed: no .apk was made"
fi
finish
