#!/bin/bash
# Random frames through taps with virtio headers, right and wrong ones, at virtual and local addresses, by every method, within
# and between the families: what leaves is right, every path is taken, everything that is counted is met, and nothing stays.
# SCALE=soak: many more. FUZZ_SEED: another run.
# suite: packet-fuzz
# kernel: debug
# seconds: 14400
# takes: 344
. "${0%/*}/../lib/all.sh"

case $SCALE in
soak) count=10000000 ;;
*) count=200000 ;;
esac

# Counters that no packet leads to, or only if time goes by, and why.
NEVER=(
    "no_memory: allocations fail in the case fail-nth alone"
    "port_taken_from_udp: datagrams come faster than flows fall silent, more or less; the case ports has it"
)

setup() {
    local side
    modprobe tun
    ns_add director
    lvs_in
    remember slabs "$(slabs lvs_)"
    for side in client server; do
        in_ns director ip tuntap add "$side" mode tap vnet_hdr
        # What is sent has left when the call returns: no other CPU has it in hand.
        in_ns director tc qdisc replace dev "$side" root noqueue
    done
    lvs_frames network | batch director
    lvs_frames marks | in_ns director nft -f -
    forwarding director
    # One service has a local address with these ports alone, so that they run out.
    vs_set fullnat_lport_max 20031
    vs_set fullnat_lport_min 20000
    vs_set nat_icmp_send 1
    # What falls silent ends while frames still come.
    adm --set 15 0 15
    lvs_frames rules | adm -R
}

# counters: lines `COUNT NAME` of why packets were dropped, and of what else happened to them.
counters() { adm -L --drops --json | jq -r '(.drops[], .events[]) | "\(.count) \(.name)"'; }

test_what_leaves_is_right_and_every_path_is_taken() {
    local rc=0
    in_ns director lvs_frames --seed "$FUZZ_SEED" --count "$count" --every-path >"$TMP/frames" 2>&1 || rc=$?
    reached "$(cat "$TMP/frames")"
    [ $rc = 0 ]
}

test_everything_that_is_counted_is_met() {
    local all missed='' number name reason
    all=$(counters)
    reached "$all"
    at_least 30 "$(wc -l <<<"$all")" "counters"
    while read -r number name; do
        [ "$number" = 0 ] || continue
        reason=$(printf '%s\n' "${NEVER[@]}" | grep "^$name: ") && note "0 $reason" || missed+=" $name"
    done <<<"$all"
    same "" "$missed" "counters that nothing led to"
}

test_nothing_stays() {
    vs_set expire_nodest_conn 1
    adm -C
    wait_within 120 is -eq 1 eval 'in_ns director cat /proc/net/ip_vs_conn | wc -l'
    wait_within 120 slabs_are lvs_ "$(recall slabs)"
    note "$(slabs lvs_)"
}

explain() { in_ns director ipvsadm-rs -L --drops | awk '$1 != 0'; dmesg | tail -n 5; }

run_facts
