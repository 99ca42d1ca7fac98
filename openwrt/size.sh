#!/bin/sh
# openwrt/size.sh TARGET: what the shipped binary and its package weigh against
# the budget, and what weighs what inside. For the second part the same code is
# linked once more with its symbols kept, in a directory of its own.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=${here%/*}
# shellcheck source=openwrt/targets.sh
. "$here/targets.sh"
sg_target "${1:?usage: $0 TARGET}"
build=${CARGO_TARGET_DIR:-$root/target}
out=${OUT:-$build/openwrt}
binary=$out/$TARGET/streamguard
[ -f "$binary" ] || die "nothing built for $TARGET yet: make cross TARGET=$TARGET"

status=0
# budget NAME BYTES MAX
budget() {
	verdict='within'
	[ "$2" -le "$3" ] || { verdict='OVER' status=1; }
	printf '%-44s %9d bytes, %s the budget of %d\n' "$1" "$2" "$verdict" "$3"
}
budget "$TARGET streamguard (stripped)" "$(wc -c <"$binary")" "${SIZE_BINARY_MAX:-2000000}"
for ipk in "$out"/feed/*/streamguard_*.ipk; do
	[ -f "$ipk" ] || continue
	arch=$(basename "$(dirname "$ipk")")
	case " $ARCHES " in *" $arch "*) budget "$(basename "$ipk")" "$(wc -c <"$ipk")" "${SIZE_IPK_MAX:-1000000}" ;; esac
done
[ -z "${SIZE_BRIEF:-}" ] || exit $status

CARGO_TARGET_DIR=$build/weigh OUT=$build/weigh/openwrt CARGO_PROFILE_RELEASE_STRIP=none "$here/build.sh" "$TARGET" >/dev/null 2>"$build/weigh.log" ||
	{ cat "$build/weigh.log" >&2; exit 1; }
python3 "$here/weigh.py" "$build/weigh/openwrt/$TARGET/streamguard" "$binary"
exit $status
