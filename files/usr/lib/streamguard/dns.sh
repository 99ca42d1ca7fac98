# shellcheck shell=sh
# Blackholing of names by dnsmasq. Sourced by the init script and by the hook.
#
# The daemon writes the domains that are to be blackholed now, one a line, to
# $SG_RUN/dns.names. All that is made of it lies in RAM:
#   all     a servers-file in the main dnsmasq's drop-in directory, named with a
#           dot so that dnsmasq does not take it for configuration. It is read
#           again at SIGHUP, so that only switching the feature on or off
#           restarts dnsmasq. The router's configuration is not changed.
#   client  the configuration of a second dnsmasq under procd.

SG_RUN=${SG_RUN:-/var/run/streamguard}

# Names come from the daemon's own table of services, but a line that is not
# plainly a domain must not become configuration.
dns_names() { sed -n '/^[A-Za-z0-9_][A-Za-z0-9._-]*$/p' "$SG_RUN/dns.names" 2>/dev/null; }

# The drop-in directory of the running dnsmasq; its place differs by release.
dns_confdir() { sed -n 's/^conf-dir=\([^,]*\).*/\1/p' /var/etc/dnsmasq.conf.* 2>/dev/null | sed -n 1p; }

dns_all_render() {
	dns_names | sed 's,.*,server=/&/,' >"$1/.streamguard.servers.new"
	chmod 644 "$1/.streamguard.servers.new"
	mv "$1/.streamguard.servers.new" "$1/.streamguard.servers"
}

dns_all_on() {
	dir=$(dns_confdir)
	[ -d "$dir" ] || { logger -t streamguard -p daemon.err "dns.blackhole 'all': dnsmasq has no drop-in directory"; return 0; }
	if grep -qs '^servers-file=' /var/etc/dnsmasq.conf.*; then
		logger -t streamguard -p daemon.err "dns.blackhole 'all': dnsmasq has a serversfile of its own (an ad blocker?); blackhole stays off"
		return 0
	fi
	dns_all_render "$dir"
	[ -e "$dir/streamguard.conf" ] && return 0
	echo "servers-file=$dir/.streamguard.servers" >"$dir/streamguard.conf"
	/etc/init.d/dnsmasq restart
}

dns_all_update() {
	dir=$(dns_confdir)
	[ -e "$dir/streamguard.conf" ] || return 0
	dns_all_render "$dir"
	ubus call service signal '{"name":"dnsmasq","signal":1}'
}

dns_all_off() {
	found=
	for dir in /tmp/dnsmasq.d /tmp/dnsmasq.*.d; do
		[ -e "$dir/streamguard.conf" ] && found=1
		rm -f "$dir/streamguard.conf" "$dir/.streamguard.servers"
	done
	[ -z "$found" ] || /etc/init.d/dnsmasq restart
}

# dns_client_config PORT: the second dnsmasq, on stdout.
dns_client_config() {
	echo "port=$1"
	echo 'local-service
no-resolv
no-hosts
pid-file=/var/run/streamguard.dns.pid
cache-size=0
server=127.0.0.1'
	dns_names | sed 's,.*,address=/&/0.0.0.0\naddress=/&/::,'
}
