# shellcheck shell=sh
# Debian packages of another release or architecture than this system's, without
# touching the system: a private view for each release, from the mirror that this
# machine already uses. Sourced after targets.sh.

# apt_view RELEASE TOOL ARGS...: apt-get or apt-cache as if RELEASE were ours.
apt_view() {
	release=$1 tool=$2 view=$SG_CACHE/apt/$1
	shift 2
	if [ ! -f "$view/ready" ]; then
		mkdir -p "$view/lists/partial" "$view/cache/archives/partial"
		mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list 2>/dev/null |
			sed -n 's/^URIs: *\([^ ]*\).*/\1/p; s/^deb *\(\[[^]]*\] *\)\{0,1\}\([^ ]*\).*/\2/p' |
			grep -m1 '/debian/*$') || { say "no Debian mirror among this system's apt sources"; return 1; }
		key=/usr/share/keyrings/debian-archive-keyring.gpg
		{
			echo "deb [signed-by=$key] $mirror $release main"
			echo "deb-src [signed-by=$key] $mirror $release main"
			echo "deb [arch=$(dpkg --print-architecture) signed-by=$key] $mirror $release-backports main"
		} >"$view/sources.list"
		# A mirror caught in the middle of its update may lack one index of
		# many: go on, and let the download that misses something say so.
		apt_run apt-get update -qq && touch "$view/ready"
	fi
	apt_run "$tool" "$@"
}

apt_run() {
	program=$1
	shift
	"$program" -o Dir::Etc::SourceList="$view/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::Etc::PreferencesParts=/dev/null -o Dir::State::Lists="$view/lists" \
		-o Dir::Cache="$view/cache" -o APT::Sandbox::User="$(id -un)" \
		-o APT::Architectures::=amd64 -o APT::Architectures::=arm64 -o APT::Architectures::=armhf "$@"
}
