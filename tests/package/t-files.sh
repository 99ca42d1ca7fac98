#!/bin/sh
# The shipped files, read: they parse, they say what they must, and agree.
. "$(dirname "$0")/lib.sh"
needs python3
cd "$root" || exit 1

for file in files/etc/init.d/* files/etc/streamguard/hooks.d/* files/etc/uci-defaults/* files/etc/hotplug.d/*/* \
	files/usr/lib/streamguard/* files/usr/libexec/rpcd/* openwrt/scripts/* openwrt/luci-app-streamguard/root/usr/libexec/*; do
	ok "$file parses in ash" busybox ash -n "$file"
done
if command -v shellcheck >/dev/null; then
	# local is ash's; the rest are names that rc.common and callers give.
	ok "shellcheck of what runs on the router" shellcheck -s dash -e SC3043,SC2034,SC1091,SC2154 \
		files/etc/init.d/* files/etc/streamguard/hooks.d/* files/etc/uci-defaults/* \
		files/usr/lib/streamguard/* files/usr/libexec/rpcd/* openwrt/scripts/* openwrt/luci-app-streamguard/root/usr/libexec/*
	ok "shellcheck of what runs on the build host" shellcheck -x openwrt/*.sh openwrt/link-cc .cargo/zig .cargo/*-cc
fi
for file in $(find files openwrt -name '*.json'); do
	ok "$file is JSON" python3 -m json.tool "$file"
done
ok "every option in the configuration has its paragraph" python3 "$here/options.py" paragraphs
ok "and is one the daemon knows, and all of them are there" python3 "$here/options.py" schema
ok "read and write are different groups of rights" python3 - <<'P'
import json
acl = json.load(open("files/usr/share/rpcd/acl.d/streamguard.json"))
read = set(acl["streamguard-view"]["read"]["ubus"]["streamguard"])
write = set(acl["streamguard-control"]["write"]["ubus"]["streamguard"])
assert "write" not in acl["streamguard-view"], "the viewing group may write"
assert not read & write, read & write
assert write == set("grant revoke pause resume reset ack capture_start capture_stop export_pcap reload".split())
P
ok "LuCI's rights are the same, reading and writing apart" python3 - <<'P'
import json
core = json.load(open("files/usr/share/rpcd/acl.d/streamguard.json"))
app = json.load(open("openwrt/luci-app-streamguard/root/usr/share/rpcd/acl.d/luci-app-streamguard.json"))["luci-app-streamguard"]
read, write = (set(app[kind]["ubus"]["streamguard"]) for kind in ("read", "write"))
assert write == set(core["streamguard-control"]["write"]["ubus"]["streamguard"]), "writing"
assert not read & write, read & write
assert read >= set(core["streamguard-view"]["read"]["ubus"]["streamguard"]), "reading"
menu = json.load(open("openwrt/luci-app-streamguard/root/usr/share/luci/menu.d/luci-app-streamguard.json"))
import os
for node in menu.values():
    if node["action"]["type"] == "view":
        assert os.path.exists("openwrt/luci-app-streamguard/htdocs/luci-static/resources/view/%s.js" % node["action"]["path"]), node
P
ok "the translators' templates are up to date (openwrt/i18n.py)" python3 openwrt/i18n.py --check
ok "the LuCI package has every translation" sh -c '
	"$0/openwrt/pack.sh" tree luci-app-streamguard x86_64 "$1" &&
	test "$(find "$1/usr/lib/lua/luci/i18n" -name "streamguard.*.lmo" -size +4k | wc -l)" = "$(ls -d "$0"/openwrt/luci-app-streamguard/po/*/streamguard.po | wc -l)"' \
	"$root" "$work/luci"
ok "the daemon gets two capabilities and no more" python3 - <<'P'
import json
for name, caps in json.load(open("files/etc/capabilities/streamguard.json")).items():
    assert sorted(caps) == ["CAP_NET_ADMIN", "CAP_NET_RAW"], name
P
for target in $SG_TARGETS; do
	sg_target "$target"
	ok "$target has its linker" test -x ".cargo/$TRIPLE-cc"
	ok "$target is in .cargo/config.toml" grep -q "^\[target.$TRIPLE\]" .cargo/config.toml
done
ok "no setting for the host's own target" no grep -qE '^\[(build|env|profile)|linux-gnu' .cargo/config.toml
finish
