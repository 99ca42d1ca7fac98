#!/bin/sh
# `make install` on a PC: program, unit, user and options, in a root of our own.
. "$(dirname "$0")/lib.sh"
needs make install
cd "$root" || exit 1
r=$work/pc
put() { make -s "$1" DESTDIR="$r" BINARY=/bin/true IFACE=enp9s0 PREFIX=/usr; }

ok "a program that is not built yet is said to be" \
	sh -c 'make -s install DESTDIR="$0" BINARY=/nonexistent | grep -q "make build first"' "$r"
ok "it installs" put install
ok "the program is there" test -x "$r/usr/sbin/streamguard"
unit=$r/etc/systemd/system/streamguard.service
ok "the unit starts what was installed" grep -qx 'ExecStart=/usr/sbin/streamguard run \$STREAMGUARD_OPTIONS' "$unit"
ok "it looks and blocks nothing" grep -qx 'STREAMGUARD_OPTIONS="--interface enp9s0 --monitor"' "$r/etc/default/streamguard"
if command -v systemd-analyze >/dev/null; then
	mkdir -p "$r/bin" "$r/usr/bin"
	cp /bin/true "$r/bin/kill"
	cp /bin/true "$r/usr/bin/install"
	ok "systemd takes the unit" systemd-analyze --root="$r" --man=no --recursive-errors=no verify "$unit"
fi
if command -v systemd-sysusers >/dev/null; then
	mkdir -p "$r/etc"
	ok "systemd makes the user" systemd-sysusers --root="$r" streamguard.conf
	ok "and its group" grep -q '^streamguard:' "$r/etc/group"
fi
echo 'STREAMGUARD_OPTIONS="--interface br0"' >"$r/etc/default/streamguard"
ok "it installs again" put install
ok "options of one's own stay" grep -q br0 "$r/etc/default/streamguard"
ok "it goes" put uninstall
ok "nothing that could start is left" test -z "$(find "$r/usr/sbin" "$r/etc/systemd" "$r/etc/sysusers.d" -type f)"
finish
