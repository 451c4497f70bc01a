#!/bin/bash
# Loss, reordering and duplication on both sides: SACK works through the translation, and every byte arrives.
# suite: bulk
. "${0%/*}/../lib/all.sh"

setup() {
    topology
    lvs_in
    service -t 9000 $S1:9000
    head -c 3000000 /dev/urandom >"$TMP/data"
    sha256sum <"$TMP/data" >"$TMP/sum"
}

# sacks NS: how often the sender in NS recovered by SACK.
sacks() { in_ns "$1" nstat -asz TcpSackRecovery TcpExtTCPSackRecovery 2>/dev/null | awk '/SackRecovery/ {n += $2} END {print n + 0}'; }

up() {
    background s1 receiver sh -c "socat -u tcp-listen:9000,reuseaddr - | sha256sum"
    wait_for listens s1 tcp 9000
    in_ns client socat -u "$TMP/data" "tcp:$VIP:9000"
    wait_within 90 gone "$(pid_of receiver)"
    same "$(cat "$TMP/sum")" "$(cat "$TMP/receiver.log")"
}

down() {
    background s1 sender socat -u "$TMP/data" tcp-listen:9000,reuseaddr
    wait_for listens s1 tcp 9000
    same "$(cat "$TMP/sum")" "$(in_ns client socat -u "tcp:$VIP:9000" - | sha256sum)"
}

# netem NS DEV ARGUMENTS...: without segmentation offload, or a loss is a loss of 64 kB.
netem() {
    local ns=$1 dev=$2; shift 2
    in_ns "$ns" ethtool -K "$dev" tso off gso off gro off
    in_ns "$ns" tc qdisc replace dev "$dev" root netem "$@" seed 20
}

test_loss_to_the_server_is_repaired_by_sack() {
    netem client eth0 loss 2%
    up
    at_least 1 "$(sacks client)" "SACK recoveries of the client"
}

test_loss_to_the_client_is_repaired_by_sack() {
    in_ns client tc qdisc del dev eth0 root
    netem s1 eth0 loss 2%
    down
    at_least 1 "$(sacks s1)" "SACK recoveries of the server"
}

test_reordering_and_duplicates_both_ways() {
    netem s1 eth0 delay 2ms reorder 25% duplicate 2%
    netem client eth0 delay 2ms reorder 25% duplicate 2%
    up; down
}

run_facts
