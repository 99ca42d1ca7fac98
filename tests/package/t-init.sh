#!/bin/sh
# What procd would be told by the init script, for configurations good and bad.
. "$(dirname "$0")/lib.sh"
some_binary x86_64
r=$work/router
router "$r"
OUT=$out "$root/openwrt/pack.sh" tree streamguard x86_64 "$work/tree"
cp -R "$work/tree/." "$r/"
ln -sf recorder "$r/usr/sbin/streamguard"
echo streamguard:x:32768: >>"$r/etc/group"
echo streamguard:x:32768:32768::/var/run/streamguard:/bin/false >>"$r/etc/passwd"

# told NAME: compares what procd was told, and what was logged and called.
told() {
	{
		cat "$r/tmp/procd"
		[ ! -f "$r/tmp/calls" ] || sed 's/^/called: /' "$r/tmp/calls"
	} >"$work/told"
	same "procd is told as in golden/$1" "$here/golden/$1" "$work/told"
}

ok "starts as shipped" init "$r" start
told default
same "the daemon reads the shipped options" "$here/golden/rendered-default" "$r/var/run/streamguard/config"
same "facts of the router, no secrets" "$here/golden/facts" "$r/var/run/streamguard/facts"
ok "the rendering is readable to the service and no one else" \
	test "$(stat -c '%a %u %g' "$r/var/run/streamguard/config")" = "640 0 32768"
ok "hooks run by root cannot be replaced by the service" \
	test "$(stat -c '%a %u %g' "$r/etc/streamguard")$(stat -c '%a %u' "$r/etc/streamguard/hooks.d")" = "1775 0 32768755 0"
cp "$r/tmp/procd" "$work/first"
ok "starts again" init "$r" start
ok "nothing changed: procd is told the same" cmp "$work/first" "$r/tmp/procd"

ln -s recorder "$r/usr/sbin/streamguard-web"
mkdir -p "$r/sbin"
ln -s ../usr/sbin/recorder "$r/sbin/ujail"
cp "$here/configs/custom" "$r/etc/config/streamguard"
printf 'youtube.com\ngooglevideo.com\nbad name; rm -rf /\n=evil\n' >"$r/var/run/streamguard/dns.names"
ok "starts customised, with a jail" init "$r" start
told custom
same "the second dnsmasq blackholes names and only names" "$here/golden/dnsmasq-client" "$r/var/run/streamguard/dnsmasq.conf"
ok "the state directory is made" test -d "$r/mnt/usb/streamguard"

cp "$here/configs/bad-values" "$r/etc/config/streamguard"
ok "starts with bad values" init "$r" start
told bad-values
ok "values are never run" no test -e "$r/tmp/injected"

cp "$here/configs/custom" "$r/etc/config/streamguard"
init "$r" start
cp "$r/tmp/procd" "$work/good"
cp "$here/configs/unreadable" "$r/etc/config/streamguard"
ok "starts with a file that cannot be parsed" init "$r" reload
ok "the last good configuration stays in force" cmp "$work/good" "$r/tmp/procd"
ok "and the log says so" grep -q 'cannot be parsed' "$r/tmp/calls"
rm -rf "$r/var/run/streamguard"
ok "starts on it after a reboot, too" init "$r" start
told unreadable
rm -r "$r/etc/config/streamguard" "$r/var/run/streamguard"
ok "starts without any configuration" init "$r" start
told unreadable

cp "$here/configs/disabled" "$r/etc/config/streamguard"
ok "stays off when disabled" init "$r" start
told disabled

cp "$here/configs/blackhole-all" "$r/etc/config/streamguard"
echo youtube.com >"$r/var/run/streamguard/dns.names"
ok "blackholes for the house" init "$r" start
told blackhole-all
ok "names go to a servers-file" grep -qx 'server=/youtube.com/' "$r/tmp/dnsmasq.d/.streamguard.servers"
rm -f "$r/tmp/calls"
echo vimeo.com >"$r/var/run/streamguard/dns.names"
within "$r" /bin/sh -c 'export SG_EVENT=dns; exec /etc/streamguard/hooks.d/10-dnsmasq'
ok "the hook brings new names" grep -qx 'server=/vimeo.com/' "$r/tmp/dnsmasq.d/.streamguard.servers"
ok "by a signal, not a restart" test "$(grep -c restart "$r/tmp/calls")$(grep -c '"signal":1' "$r/tmp/calls")" = 01
echo 'servers-file=/var/adblock' >>"$r/var/etc/dnsmasq.conf.cfg01411c"
ok "stop removes dnsmasq's drop-in" init "$r" stop
ok "both files" test -z "$(ls -A "$r/tmp/dnsmasq.d")"
init "$r" start
ok "an ad blocker's servers-file is left alone" no test -e "$r/tmp/dnsmasq.d/streamguard.conf"

cp "$root/files/etc/config/streamguard" "$r/etc/config/streamguard"
echo lan br-lan.10 >"$r/etc/test-networks"
init "$r" start
ok "a network's device is the one that is up" grep -q -- '--interface br-lan.10' "$r/tmp/procd"
: >"$r/etc/test-networks"
init "$r" start
ok "before it is up, the one configured" grep -q -- '--interface br-lan$' "$r/tmp/procd"
for verb in check doctor clients status_json; do
	ok "extra command $verb" init "$r" $verb
done
init "$r" grant Tablet 15
ok "extra command grant passes its words" grep -qx 'streamguard grant Tablet 15' "$r/tmp/calls"

# Hooks: the event's name in a variable, the event itself on standard input.
hook() {
	rm -f "$r/tmp/calls"
	printf %s '{"event":"blocked","name":"Tom'"'"'s \"Tab\" $(touch /tmp/injected)"}' |
		within "$r" /bin/sh -c "export SG_EVENT=blocked SG_WEBHOOK='$2'; exec /etc/streamguard/hooks.d/$1"
}
hook 20-ubus ''
ok "an event goes to ubus as it is" grep -qxF \
	"ubus send streamguard.blocked {\"event\":\"blocked\",\"name\":\"Tom's \\\"Tab\\\" \$(touch /tmp/injected)\"}" "$r/tmp/calls"
hook 30-webhook ''
ok "no webhook, no call" no test -e "$r/tmp/calls"
ln -s recorder "$r/usr/sbin/uclient-fetch"
hook 30-webhook 'https://home.example/hook?a=1&b=2'
ok "a webhook is posted to" grep -q '^uclient-fetch .*--post-data={"event":"blocked".* https://home.example/hook?a=1&b=2$' "$r/tmp/calls"
ln -s recorder "$r/usr/sbin/curl"
hook 30-webhook 'https://home.example/hook?a=1&b=2'
ok "by curl where there is one" grep -q '^curl .* -- https://home.example/hook?a=1&b=2$' "$r/tmp/calls"
ok "names of devices are never run" no test -e "$r/tmp/injected"

# The rpcd plugin hands over verb, method and arguments.
rm -f "$r/tmp/calls"
echo '{"who":"Tablet","minutes":15}' | within "$r" /usr/libexec/rpcd/streamguard call grant
within "$r" /usr/libexec/rpcd/streamguard list
ok "rpcd's calls reach the program" test "$(cat "$r/tmp/calls")" = "streamguard rpc call grant
streamguard rpc list"
ok "nothing else does" no within "$r" /usr/libexec/rpcd/streamguard shell

# Hotplug scripts are sourced by hotplug-call with the event in variables.
within "$r" /etc/init.d/streamguard enable
hotplug() {
	rm -f "$r/tmp/procd" "$r/tmp/calls"
	within "$r" /bin/sh -c "ACTION=$2 INTERFACE=${3:-}; . /etc/hotplug.d/$1/30-streamguard"
}
hotplug iface ifup lan
ok "a watched network that comes up reloads" test -s "$r/tmp/procd"
hotplug iface ifup wan
ok "another does not" no test -e "$r/tmp/procd"
hotplug ntp step
ok "a clock that was set is told" grep -q '"instance":"main","signal":1' "$r/tmp/calls"
finish
