#!/bin/bash
# Allocations that fail: of every control operation and of the opening of connections the first, the second, and so on,
# until it succeeds without one. What could not be done has not been begun, and nothing of it stays: the slab caches go
# with the module, and kmemleak is asked at the end of every run.
# suite: fail-nth
# kernel: debug
# seconds: 3600
# takes: 370
. "${0%/*}/../lib/all.sh"
. "${0%/*}/../lib/messages.sh"

INJECT=/sys/kernel/debug
# A module is loaded, and a namespace made and first used, by hundreds of allocations that are mostly the kernel's own; each
# try needs another module or namespace. A long run tries all.
case $SCALE in
soak) step=1 ;;
*) step=13 ;;
esac

# can: whether this kernel can do it.
can() { [ -e /proc/self/fail-nth ] || skip "no /proc/self/fail-nth: this kernel cannot fail allocations (FAULT_INJECTION)"; }

# knob DIR FILE VALUE: a setting of fault injection, if this kernel has it.
knob() { [ ! -e "$INJECT/$1/$2" ] || echo "$3" >"$INJECT/$1/$2"; }

# Whatever is allocated may fail, by who may sleep and by who may not. Pages are left out: slabs ask for one now and then,
# and the count would be of other allocations each time. Nothing is said about failures, for they are meant.
knobs() {
    knob failslab ignore-gfp-wait N
    knob failslab verbose 0
    # What lvs_messages switches on for itself: all that a task asks for fails.
    knob failslab task-filter Y
    knob failslab times -1
    knob failslab probability 100
    knob fail_page_alloc min-order 10
}

setup() {
    can
    knobs
    messages_up
    # The addresses that it is a client of itself by.
    batch fuzz <<IP
addr add 10.1.0.100/32 dev lo
addr add fd00:1::100/128 dev lo nodad
addr add 10.9.0.1/32 dev lo
addr add fd00:9::1/128 dev lo nodad
IP
    # What is loaded when it is first needed is there.
    in_ns fuzz ipvsadm-rs -A -t '[fd00:1::100]:80' -s rr
    in_ns fuzz ipvsadm-rs -C
}

# failures GROUP...: as lvs_messages has them.
failures() {
    can
    local rc=0
    in_ns fuzz lvs_messages --failures "$@" >"$TMP/failures" || rc=$?
    note "$(cat "$TMP/failures")"
    reached "$1: $(sed -n 's/.*: \([0-9]*\) failed, and then: .*/\1/p' "$TMP/failures" |
        awk '{sum += $1} END {print NR " operations, " sum + 0 " allocations failed"}')"
    [ $rc = 0 ]
}

test_requests() { failures messages; }
test_files_and_settings() { failures files; }
test_connections() { failures connections; }
test_the_first_service_of_a_namespace() { failures first-service $step; }
test_a_namespace() { failures namespaces $step; }

test_unloading_leaves_nothing() {
    can
    in_ns fuzz ipvsadm-rs -C
    wait_for rmmod lvs
    wait_for rmmod toa
    no_slabs lvs
}

test_loading() {
    can
    failures loading $step lvs "$(modinfo -n lvs)"
    failures loading $step toa "$(modinfo -n toa)"
}

explain() { tail -n 20 "$TMP/failures" 2>/dev/null; dmesg | tail -n 20; }

teardown() { [ ! -e /run/netns/fuzz ] || ip netns del fuzz; }

run_facts
