#!/bin/bash
# The connection table under churn by two CPUs that run at once: pairs are added, looked up, removed, expired and flushed while
# the table grows. None is lost, none is met twice, each ends once (selftests/stress).
# suite: table-stress
# parallel: 1
. "${0%/*}/../lib/all.sh"

case $SCALE in
soak) rounds=2000 ;;
*) rounds=10 ;;
esac

setup() {
    modprobe table_stress
    grep . /sys/devices/system/cpu/cpu1/online
    echo 1 >/sys/devices/system/cpu/cpu1/online
    same 2 "$(nproc)" "CPUs"
}

# work NAME: does it, in the round's namespace.
work() { cat "/proc/net/table_stress_$1"; }
export -f work

# a_round: a table of its own, which two churn, each by a CPU of theirs, while a third lets it grow, expires and flushes.
a_round() {
    local churners=() cpu turns=0
    ns_add table
    for cpu in 0 1; do
        in_ns table taskset -c $cpu bash -c 'for i in 1 2 3; do work churn; done' >"$TMP/churn.$cpu" 3>&- &
        churners+=($!)
    done
    in_ns table bash -c 'for i in {1..10}; do for t in {1..5}; do work expire; work grow; done; work flush; done' >"$TMP/turns" 3>&- &
    wait "${churners[@]}"
    wait
    in_ns table bash -c 'work flush' >/dev/null
    # What was taken out is dropped a grace period later.
    wait_for all_dropped
    in_ns table bash -c 'work sums' >>"$TMP/sums"
    ip netns del table
}
all_dropped() { in_ns table bash -c 'work sums' | awk '{s[$1] = $2} END {exit s["made"] != s["dropped"]}'; }

# sum NAME: of all rounds.
sum() { awk -v name="$1" '$1 == name {sum += $2} END {printf "%d\n", sum}' "$TMP/sums"; }

test_churn() {
    local i
    for ((i = 0; i < rounds; i++)); do a_round; done
    note "$(for name in made looked removed refused expired flushed grown; do echo "$(sum $name) $name"; done | xargs)"
}

test_nothing_is_lost() { same 0 "$(sum lost)" "pairs that were not found"; same 0 "$(sum left)" "pairs that are left"; }
test_nothing_is_met_twice() { same 0 "$(sum doubled)" "pairs that were met twice"; }
test_what_is_removed_is_gone() { same 0 "$(sum ghosts)" "removed pairs that were found"; }
test_what_is_due_is_gone() { same 0 "$(sum overdue)" "pairs that outlived their turn"; }
test_a_key_is_its_owners() { same 0 "$(sum usurped)" "keys that were taken"; }

test_each_ends_once() {
    same "$(sum made)" "$(($(sum removed) + $(sum refused) + $(sum expired) + $(sum flushed)))" "pairs that ended"
    same "$(sum made)" "$(sum dropped)" "pairs that were dropped"
}

# Otherwise none of the above says anything.
test_all_of_it_has_happened() {
    local name
    for name in removed refused expired flushed; do at_least $((rounds * 10)) "$(sum $name)" "$name"; done
    at_least $((rounds * 2)) "$(sum grown)" "times that the table grew"
    at_least $((rounds * 20000)) "$(sum looked)" "pairs that were looked for"
    same 0 "$(sum no_memory)" "times that memory was missing"
}

test_the_module_goes() {
    wait_for rmmod table_stress
    no_slabs table_stress
}

explain() { cat "$TMP/sums" 2>/dev/null | tail -n 20; dmesg | tail -n 5; }

run_facts
