# SPDX-License-Identifier: GPL-2.0
# Everything a person types. What each target does is a script under tools/build or selftests; nothing but Debian's own
# packages and the cache ($XDG_CACHE_HOME or ~/.cache, in lvs/) is used, and what is missing is fetched.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
SHELL := /bin/bash

# Variables given on the command line (RUN, KDIR, ...) reach the scripts through the environment: make exports those.

.PHONY: help
help: ## this list
	@echo 'Usage: make TARGET'
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | awk -F'|' '{printf "  %-12s  %s\n", $$1, $$2}'
	@echo
	@echo '  make vm RUN=script.sh [SHARE=dir] [ICOUNT=1] [SMP=n] [MEM=MiB] [KERNEL=stock|second|debug|<release>] [TIMEOUT=s]'
	@echo '  make fuzz [T=seconds for each] [TARGET=name]'
	@echo '  make sim [SEEDS=n] [SEED=x, one alone]'
	@echo '  make modules [KERNEL=second|debug|<release>] [KDIR=tree with Rust metadata] [RUSTC=its compiler] [V=1]'

.PHONY: demo
demo: ## FULLNAT and TOA between two real web servers, each fact checked
	@selftests/demo/run

.PHONY: check
check: ## formats, lints, host tests, modules, machines, demo: all but soak, mutants, bench and the debug kernel's turn at each case
	@tools/build/check

.PHONY: bench
bench: ## instructions per packet beside stock IPVS, nftables, the limit and the floor
	@selftests/bench/run

.PHONY: modules
modules: ## build/<kernel release>/{lvs,toa}.ko
	@tools/build/modules $${KERNEL:-stock} >/dev/null

.PHONY: cli
cli: ## build/ipvsadm-rs
	@tools/build/cli >/dev/null

.PHONY: vm
vm: ## run a script in a virtual machine with the modules
	@selftests/vm/run

.PHONY: mutants
mutants: ## listed one-line faults, each of which a test must catch
	@selftests/mutants/run

.PHONY: soak
soak: ## hours: the table under churn; on the debug kernel random messages and frames, failed allocations, loading and unloading
	@SCALE=soak selftests/run table-stress
	@SCALE=soak selftests/run -k debug -o

.PHONY: fuzz
fuzz: ## mutated bytes for every parser of bytes, its properties checked
	@selftests/fuzz/run $${T:+-t "$$T"} $$TARGET

.PHONY: sim
sim: ## the load balancer simulated: a network that does harm, everything checked after each event
	@selftests/sim/run

.PHONY: test-host
test-host: ## tests of the pure crates, on this machine
	@tools/build/host-tests

.PHONY: coverage
coverage: ## the same tests, and how much of the pure crates they run
	@tools/build/coverage

.PHONY: loom
loom: ## every interleaving of what CPUs do at once in the table and the ports, within a bound
	@tools/build/loom

.PHONY: fmt-check
fmt-check: ## the formatter's opinion of every crate
	@tools/build/fmt-check

.PHONY: clippy
clippy: ## lints, warnings are errors
	@tools/build/clippy
	@LVS_CLIPPY=1 tools/build/modules

.PHONY: clean
clean: ## remove build/
	rm -rf build

.PHONY: distclean
distclean: clean ## remove the cache too: build root, kernel, machine images
	@tools/build/remove-cache
