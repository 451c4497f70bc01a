#!/bin/bash
# Large transfers arrive byte for byte, and big packets stay whole on their way through the director.
# suite: bulk
. "${0%/*}/../lib/all.sh"

MB=10

setup() {
    topology
    lvs_in
    both bulk
    head -c $((MB * 1048576)) /dev/urandom >"$TMP/data"
    sha256sum <"$TMP/data" >"$TMP/sum"
}

bulk() {
    service -t 9000 "$s1:9000"
    service -t 5201 "$s1:5201"
    service -u 5201 "$s1:5201"
}

# transfer up|down: one connection; the receiver's sum must be the sender's.
transfer() {
    local from=client to=s1
    if [ "$1" = up ]; then
        background s1 receiver sh -c "socat -u tcp${IP#v}-listen:9000,reuseaddr - | sha256sum"
        wait_for listens s1 tcp 9000
        in_ns client socat -u "$TMP/data" "tcp:$vip:9000"
        wait_for gone "$(pid_of receiver)"
        same "$(cat "$TMP/sum")" "$(cat "$TMP/receiver.log")" "sha256 of $MB MB to the server"
    else
        background s1 sender socat -u "$TMP/data" "tcp${IP#v}-listen:9000,reuseaddr"
        wait_for listens s1 tcp 9000
        same "$(cat "$TMP/sum")" "$(in_ns client socat -u "tcp:$vip:9000" - | sha256sum)" "sha256 of $MB MB to the client"
    fi
}

# counted up|down: the same, and the packets that leave the director are at most 1.1 of those that enter it, 8 kB on
# average. Counted where they enter it and where they leave it: nobody has put them together in between.
counted() {
    local in_dev=client out_dev=s1
    if [ "$1" = down ]; then in_dev=s1 out_dev=client; fi
    nft_flush
    count_packets entered director $in_dev ingress 'meta length > 200 tcp sport 1-65535'
    count_packets left director $out_dev egress 'meta length > 200 tcp sport 1-65535'
    transfer "$1"
    kept_whole "$1" $((MB * 1048576)) "$(packets entered director)" "$(packets left director)"
}

nft_flush() { local ns; for ns in director s1 client; do in_ns $ns nft flush ruleset; done; }

test_up() { counted up; }

test_down() { counted down; }

# offload OPTIONS...: sets the same on every device of the path.
offload() {
    in_ns client ethtool -K eth0 "$@"; in_ns s1 ethtool -K eth0 "$@"
    in_ns director ethtool -K client "$@"; in_ns director ethtool -K s1 "$@"
}

# ends OPTIONS...: of those who send, that is.
ends() { in_ns client ethtool -K eth0 "$@"; in_ns s1 ethtool -K eth0 "$@"; }

# The senders send segments of one MTU each, so that it is the director who puts them together: as a list of packets, or
# as one.
test_with_gro_and_fraglist() {
    ends gro off tso off gso off
    patient 1000000 10
    in_ns director ethtool -K client gro on rx-gro-list on; in_ns director ethtool -K s1 gro on rx-gro-list on
    counted up; counted down
    in_ns director ethtool -K client rx-gro-list off; in_ns director ethtool -K s1 rx-gro-list off
    counted up; counted down
    patient 0 0
    ends tso on gso on
}
# patient NANOSECONDS TIMES: how long the director waits for more of the same before it hands on what it has.
patient() {
    local dev
    for dev in client s1; do
        ip netns exec director sh -c "echo $1 >/sys/class/net/$dev/gro_flush_timeout; echo $2 >/sys/class/net/$dev/napi_defer_hard_irqs"
    done
}

test_without_any_offload() {
    offload gro off gso off tso off tx off rx off
    transfer up; transfer down
}

test_once_with_segments_but_without_checksum_offload() {
    offload gro off gso on tso off tx off rx off
    transfer up; transfer down
}

test_all_on_again() {
    offload gro on gso on tso on tx on rx on
    counted up; counted down
}

# While TOA is being inserted: the server reads nothing and says nothing but SYN-ACK, whose ACKs are held back, until
# the client's first window is out.
test_while_toa_is_inserted() {
    nft_flush
    count_packets entered director client ingress 'meta length > 200 tcp dport 9000'
    count_packets left director s1 egress 'meta length > 200 tcp dport 9000'
    count_packets toa director s1 egress 'meta length > 2000 tcp dport 9000 tcp option 254 exists'
    in_ns s1 nft -f - <<'NFT'
table inet hold { chain out { type filter hook output priority 0; tcp sport 9000 tcp flags & (syn | ack) == ack counter drop
 }
}
NFT
    background s1 receiver sh -c "socat -u tcp${IP#v}-listen:9000,reuseaddr - | sha256sum"
    wait_for listens s1 tcp 9000
    background client sender socat -u "$TMP/data" "tcp:$vip:9000"
    wait_for is -ge 1 packets left director
    in_ns s1 nft delete table inet hold
    wait_for gone "$(pid_of receiver)"
    same "$(cat "$TMP/sum")" "$(cat "$TMP/receiver.log")"
    kept_whole "to the server" $((MB * 1048576)) "$(packets entered director)" "$(packets left director)"
    # It is in packets that are larger than the MTU, so it was written into packets that stayed whole.
    at_least 1 "$(packets toa director)" "big packets with the option"
}

# iperf OPTIONS...: what the receiving end has got, in bytes. A server for each: between two tests it would be deaf for a moment.
iperf() {
    background s1 iperf3 iperf3 -s -1
    wait_for listens s1 tcp 5201
    in_ns client iperf3 -c "$VIP" --connect-timeout 20000 -J "$@" | jq '.error // .end.sum_received.bytes // .end.sum.bytes'
    wait_for gone "$(pid_of iperf3)"
}

test_iperf3_in_every_way() {
    at_least 4000000 "$(iperf -n 4M)" 'bytes up'
    at_least 4000000 "$(iperf -n 4M -R)" 'bytes down'
    at_least 4000000 "$(iperf -n 4M -P 4)" 'bytes over four connections'
    # Some may be lost: the receiver is as slow as the sender.
    at_least 100000 "$(iperf -n 1M -u -b 2M -l 1200)" 'bytes in datagrams'
}

run_facts v4 v6
