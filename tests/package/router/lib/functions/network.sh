# Stand-in: /etc/test-networks holds `network device` for those that are up.
network_flush_cache() { :; }
network_get_device() {
	local found

	found="$(awk -v n="$2" '$1 == n { print $2 }' /etc/test-networks)"
	eval "$1=\$found"
	[ -n "$found" ]
}
