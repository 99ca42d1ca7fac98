#!/bin/sh
# The .ipk: made twice the same, made right, and leaving nothing when it goes.
. "$(dirname "$0")/lib.sh"
needs tar gzip
some_binary x86_64
export OUT="$out"
touch "$work/before"
SOURCE_DATE_EPOCH=1700000000 "$root/openwrt/pack.sh" ipk x86_64 >/dev/null 2>&1 || echo "  FAILED to pack"
ipk=$(find "$out/feed/x86_64" -name 'streamguard_*_x86_64.ipk' -newer "$work/before")
cp "$ipk" "$work/first.ipk"
sleep 1
(umask 077; SOURCE_DATE_EPOCH=1700000000 "$root/openwrt/pack.sh" ipk x86_64 >/dev/null 2>&1)
ok "packed twice, at another time and with another umask: the same bytes" cmp "$work/first.ipk" "$ipk"

mkdir "$work/ipk" "$work/control"
tar -xzf "$ipk" -C "$work/ipk"
tar -xzf "$work/ipk/control.tar.gz" -C "$work/control"
ok "format 2.0" grep -qx 2.0 "$work/ipk/debian-binary"
ok "members in opkg's order" test "$(tar -tzf "$ipk" | tr '\n' ' ')" = "./debian-binary ./data.tar.gz ./control.tar.gz "
tar -tvzf "$work/ipk/data.tar.gz" --numeric-owner | awk '{ print $1, $2, $6 }' | grep -v /www/ >"$work/listing"
same "files, owners and modes" "$here/golden/ipk-files" "$work/listing"
grep -v '^\(Version\|Installed-Size\|SourceDateEpoch\):' "$work/control/control" >"$work/fields"
same "control" "$here/golden/ipk-control" "$work/fields"
ok "a version that apk takes too" grep -qxE 'Version: [0-9]+(\.[0-9]+)*-r[0-9]+' "$work/control/control"
ok "the configuration is a conffile" grep -qx /etc/config/streamguard "$work/control/conffiles"
ok "its index names the file and its sum" sh -c '
	"$0" feed 2>/dev/null && cd "$1" && grep -q "^SHA256sum: $(sha256sum <"$2" | cut -d" " -f1)$" Packages &&
	grep -qx "Filename: ${2##*/}" Packages && gzip -dc Packages.gz | cmp - Packages' \
	"$root/openwrt/pack.sh" "$(dirname "$ipk")" "$ipk"

# --- on a router ---
r=$work/router
router "$r"
snapshot() { (cd "$r" && find . ! -path './tmp/calls' ! -path './tmp/procd' | LC_ALL=C sort); }
snapshot >"$work/before"

# What opkg does, in its order.
tar -xzf "$work/ipk/data.tar.gz" -C "$r"
ln -sf recorder "$r/usr/sbin/streamguard"
cp "$work/control/control" "$r/usr/lib/opkg/info/streamguard.control"
(cd "$work" && tar -tzf ipk/data.tar.gz | sed -n 's,^\./\(.*[^/]\)$,/\1,p') >"$r/usr/lib/opkg/info/streamguard.list"
cp "$work/control/postinst" "$r/usr/lib/opkg/info/streamguard.postinst"
cp "$work/control/prerm" "$r/usr/lib/opkg/info/streamguard.prerm"
ok "postinst" sh -c 'env -i PATH=/usr/sbin:/bin:/sbin chroot "$0" /usr/lib/opkg/info/streamguard.postinst configure >"$1"' "$r" "$work/greeting"
ok "it says that every device is limited, and how to exempt one" grep -q 'policy=exempt' "$work/greeting"
ok "the service is enabled and started" test -L "$r/etc/rc.d/S95streamguard" -a -s "$r/tmp/procd"
ok "a user of its own" grep -q ^streamguard: "$r/etc/passwd"
ok "uci-defaults ran and went" no test -e "$r/etc/uci-defaults/90-streamguard"
ok "rpcd learnt of the plugin" grep -qx 'rpcd reload' "$r/tmp/calls"

# The router is used: a database, sockets, a blackhole.
echo db >"$r/etc/streamguard/streamguard.db"
mkdir -p "$r/tmp/streamguard"
echo packets >"$r/tmp/streamguard/1.pcap"
echo state >"$r/var/run/streamguard/state.json"
within "$r" uci set streamguard.dns.blackhole=all
within "$r" uci commit streamguard
ok "uci set works on a section of uci-defaults" grep -q "blackhole 'all'" "$r/etc/config/streamguard"
echo youtube.com >"$r/var/run/streamguard/dns.names"
init "$r" restart
ok "blackhole is on" test -e "$r/tmp/dnsmasq.d/streamguard.conf"

ok "an upgrade keeps state, sockets' directory and table" sh -c '
	chroot "$0" /bin/sh -c "export PATH=/usr/sbin:/bin:/sbin PKG_UPGRADE=1; /usr/lib/opkg/info/streamguard.prerm upgrade" &&
	test -e "$0/var/run/streamguard/state.json" && ! grep -q nft "$0/tmp/calls"' "$r"
rm -f "$r/tmp/calls"
ok "prerm" within "$r" /usr/lib/opkg/info/streamguard.prerm remove
ok "the kernel's table is removed even where the daemon left it" grep -qx 'nft delete table inet streamguard' "$r/tmp/calls"
while read -r file; do
	[ "$file" = /etc/config/streamguard ] || rm -f "$r$file"
done <"$r/usr/lib/opkg/info/streamguard.list"
rm -f "$r"/usr/lib/opkg/info/streamguard.*
(cd "$r" && find . -depth -type d -empty -path '*streamguard*' -exec rmdir {} +)
snapshot | diff "$work/before" - | sed -n 's/^[<>] //p' | while read -r path; do
	[ -d "$r/$path" ] && [ ! -L "$r/$path" ] && case $path in *streamguard*) ;; *) continue ;; esac
	echo "$path"
done >"$work/left"
same "what is left: the configuration and the history" "$here/golden/left-behind" "$work/left"
ok "the other configurations are as they were" sh -c 'cd "$0" && for f in *; do cmp "$f" "$1/$f" || exit 1; done' \
	"$here/configs/base" "$r/etc/config"

# --- uci-defaults on a router with an old, partial configuration ---
printf "config streamguard 'main'\n\toption quota '77'\n\tlist interface 'guest'\n" >"$r/etc/config/streamguard"
cp "$root/files/etc/uci-defaults/90-streamguard" "$r/tmp/defaults"
ok "uci-defaults" within "$r" /bin/sh /tmp/defaults
within "$r" uci export streamguard >"$work/migrated"
same "adds what is missing, changes nothing" "$here/golden/migrated" "$work/migrated"
ok "and again" within "$r" /bin/sh /tmp/defaults
within "$r" uci export streamguard | cmp -s - "$work/migrated" || ok "twice is once" false
finish
