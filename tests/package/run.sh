#!/bin/sh
# tests/package/run.sh [all]: the tests of the package. Without `all`, those that
# need no emulated machine and no build of their own. A test whose tools are missing says so and is skipped.
cd "$(dirname "$0")" || exit 1
status=0
for test in t-*.sh; do
	case ${1:-}$test in
	all*) ;;
	t-boot.sh | t-store.sh) continue ;;
	esac
	echo "package: $test"
	sh "./$test" || status=1
done
exit $status
