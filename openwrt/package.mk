# Packages for routers, included by the top-level Makefile.
#
#   make cross ipk TARGET=aarch64            from a fresh clone to packages
#   make cross ipk TARGET=aarch64 ARCH=aarch64_cortex-a53    for one router
#
# TARGET: x86_64 aarch64 armv7 mipsel mips; several in quotes work too.
# WEB=1 also builds streamguard-web. What is fetched and built for this lies in
# $(STREAMGUARD_CROSS), by default ~/.cache/streamguard-cross; openwrt/*.sh say
# more, docs/build-host.md walks through it.

TARGET ?= x86_64
WEB ?=

# Budgets, bytes: the stripped binary (2.0 MB) and its .ipk (1.0 MB).
SIZE_BINARY_MAX := 2000000
SIZE_IPK_MAX := 1000000
export SIZE_BINARY_MAX SIZE_IPK_MAX

.PHONY: cross cross-check ipk apk feed size test-package

cross: ## static musl binary for TARGET=x86_64|aarch64|armv7|mipsel|mips
	@openwrt/toolchain.sh $(TARGET)
	@set -e; for t in $(TARGET); do openwrt/build.sh $$t; $(if $(WEB),openwrt/build.sh $$t streamguard-web;) done

cross-check: ## type-check for 32-bit ARM and big-endian MIPS, quicker than a build
	@openwrt/toolchain.sh armv7 mips
	@openwrt/build.sh armv7 streamguard check
	@openwrt/build.sh mips streamguard check

ipk: ## .ipk packages of what `make cross` built for TARGET
	@set -e; for t in $(TARGET); do openwrt/pack.sh ipk $$t $(ARCH); done

apk: ## .apk packages (OpenWrt 25.12 and newer), where apk-tools 3 is installed
	@set -e; for t in $(TARGET); do openwrt/pack.sh apk $$t $(ARCH); done

feed: ## package indexes: a directory that opkg and apk can install from
	@openwrt/pack.sh feed

size: ## what weighs what in the binary for TARGET; fails over budget
	@set -e; for t in $(TARGET); do openwrt/size.sh $$t; done

test-package: ## everything under tests/package, with emulated machines
	@tests/package/run.sh all

# The parts that need no emulated machine belong to every `make test`.
.PHONY: package-checks
package-checks: deps
	@tests/package/run.sh
test: package-checks
