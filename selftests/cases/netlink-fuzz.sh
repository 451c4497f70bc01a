#!/bin/bash
# Random messages to the families IPVS, LVS and TOA, right and wrong ones, by root and by others; the kernel does with each
# what a model says, and is set to what the model is. SCALE=soak: many more. FUZZ_SEED: another run.
# suite: netlink-fuzz
# kernel: debug
# seconds: 14400
# takes: 153
. "${0%/*}/../lib/all.sh"
. "${0%/*}/../lib/messages.sh"

case $SCALE in
soak) count=1000000 ;;
*) count=30000 ;;
esac

setup() { messages_up; }

test_messages_do_what_the_model_says() {
    in_ns fuzz lvs_messages --seed "$FUZZ_SEED" --count "$count" >"$TMP/messages" || { note "$(cat "$TMP/messages")"; exit 1; }
    reached "$(cat "$TMP/messages")"
}

test_what_is_left_can_be_removed() {
    in_ns fuzz ipvsadm-rs -C
    same "" "$(in_ns fuzz ipvsadm-rs -Sn | grep -- '-A' || true)"
}

test_nobody_else_saw_any_of_it() {
    same "" "$(ipvsadm-rs -Sn)"
}

test_unloading_leaves_nothing() {
    wait_for rmmod lvs
    wait_for rmmod toa
    no_slabs lvs
}

# explain: the namespace is of another name here.
explain() { in_ns fuzz ipvsadm-rs -Sn; dmesg | tail -n 5; }

teardown() { ip netns del fuzz; }

run_facts
