# Stand-in for OpenWrt's /lib/functions.sh: what the package calls of it, written
# from its documented behaviour.
CONFIG_ALL=

config() { CONFIG_AT=$2; CONFIG_ALL="$CONFIG_ALL $2"; eval "CONFIG_${2}_TYPE=\$1"; }
option() { eval "CONFIG_${CONFIG_AT}_$1=\$2"; }
list() { eval "CONFIG_${CONFIG_AT}_$1=\"\${CONFIG_${CONFIG_AT}_$1:+\$CONFIG_${CONFIG_AT}_$1 }\$2\""; }
package() { :; }

config_load() {
	local text

	CONFIG_ALL=
	text="$(uci ${UCI_CONFIG_DIR:+-c "$UCI_CONFIG_DIR"} -n export "$1")" || return 1
	eval "$text"
}

config_get() { eval "$1=\${CONFIG_${2}_${3}:-\$4}"; }

config_get_bool() {
	local value

	config_get value "$2" "$3" "$4"
	case "$value" in
	1 | on | true | yes | enabled) value=1 ;;
	0 | off | false | no | disabled) value=0 ;;
	*) value=$4 ;;
	esac
	eval "$1=\$value"
}

config_foreach() {
	local call="$1" want="$2" section type

	shift 2
	for section in $CONFIG_ALL; do
		eval "type=\$CONFIG_${section}_TYPE"
		[ "$type" != "$want" ] || "$call" "$section" "$@"
	done
}

list_contains() { eval "case \" \$$1 \" in *\" $2 \"*) return 0 ;; esac"; return 1; }

# --- packages ---

add_group_and_user() {
	grep -q '^Require-User: streamguard:streamguard$' "/usr/lib/opkg/info/$pkgname.control" || return 0
	grep -q '^streamguard:' /etc/group || echo 'streamguard:x:32768:streamguard' >>/etc/group
	grep -q '^streamguard:' /etc/passwd || echo 'streamguard:x:32768:32768::/var/run/streamguard:/bin/false' >>/etc/passwd
}

default_postinst() {
	add_group_and_user
	for file in $(grep '^/etc/uci-defaults/' "/usr/lib/opkg/info/$pkgname.list"); do
		(. "$file") && rm -f "$file"
	done
	for file in $(grep '^/etc/init.d/' "/usr/lib/opkg/info/$pkgname.list"); do
		[ "$PKG_UPGRADE" = 1 ] || "$file" enable
		"$file" start
	done
}

default_prerm() {
	for file in $(grep '^/etc/init.d/' "/usr/lib/opkg/info/$pkgname.list"); do
		[ "$PKG_UPGRADE" = 1 ] || "$file" disable
		"$file" stop
	done
}
