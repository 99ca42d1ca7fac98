#!/bin/sh
# What `make cross` built, run under user-mode emulators: every target counts a
# capture to the byte, as an independent reader does, and all of them say the
# same about it, whatever their word size and byte order.
. "$(dirname "$0")/lib.sh"
needs python3 zstd
capture=$work/demo.pcap
zstd -dqo "$capture" "$root/tests/fixtures/demo.pcap.zst" || skip "no fixture"
python3 "$here/captures.py" "$capture" "$work" >"$work/totals" || skip "the fixture cannot be read"

# run TARGET ARGS...: the binary natively where this machine can, else emulated.
run() {
	sg_target "$1"
	shift
	binary=$out/$TARGET/streamguard
	[ -f "$binary" ] || binary=$out/$TARGET/streamguard-core
	case $(uname -m)/$TARGET in
	x86_64/x86_64 | aarch64/aarch64) "$binary" "$@" ;;
	*) "$QEMU" ${EMULATED_CPU:+-cpu "$EMULATED_CPU"} "$binary" "$@" ;;
	esac
}

# last_words TARGET: it waits for a capture that never comes, and is sent the signal of a trap.
last_words() {
	rm -f "$work/pipe" "$work/words"
	mkfifo "$work/pipe"
	run "$1" analyze "$work/pipe" 2>"$work/words" &
	sleep 2
	pkill -ILL -P $!
	sleep 2
	pkill -KILL -P $!
	wait $!
	[ $? = 132 ] && grep -q 'stopped by a fault in itself.* at 0x' "$work/words"
}

tried=''
for target in $SG_TARGETS; do
	sg_target "$target"
	[ -f "$out/$target/streamguard" ] || [ -f "$out/$target/streamguard-core" ] || continue
	if ! command -v "$QEMU" >/dev/null && [ "$(uname -m)" != "$target" ]; then
		echo "  $target: no $QEMU here"
		continue
	fi
	tried="$tried $target"
	while read -r file packets bytes; do
		run "$target" analyze "$work/$file" --json --report summary,clients,windows >"$work/$file.$target" 2>"$work/err" ||
			ok "$target analyses $file" sh -c "cat '$work/err'; false"
		ok "$target: $file has $packets packets and $bytes bytes" python3 -c '
import json, sys
c = json.load(open(sys.argv[1]))["capture"]
got = c["packets"], c["bytes"]
assert got == (int(sys.argv[2]), int(sys.argv[3])), got' "$work/$file.$target" "$packets" "$bytes"
		# The file's own name apart, every form of the capture tells the same story.
		sed "s,$work/[a-z-]*\.pcap,FILE,g" "$work/$file.$target" >"$work/story"
		first=$work/first.${file%%[-.]*}
		[ -f "$first" ] || cp "$work/story" "$first"
		ok "$target: $file is judged as by the first target (were all built from the same sources?)" cmp "$first" "$work/story"
	done <"$work/totals"
	[ ! -f "$out/$target/streamguard" ] || ok "$target says where it was when it is stopped by a fault" last_words "$target"
	ok "$target refuses a file that is no capture" no run "$target" analyze "$root/Cargo.toml"
done
[ -n "$tried" ] || skip "nothing built: make cross TARGET='$SG_TARGETS'"
echo "  targets:$tried"
finish
