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
# average. Counted at the ends' own devices, both of them by the same rule.
counted() {
    local in_dev=client out_ns=s1 entered left
    if [ "$1" = down ]; then in_dev=s1 out_ns=client; fi
    nft_flush
    count_packets entered director $in_dev ingress 'meta length > 200 tcp sport 1-65535'
    count_packets left $out_ns eth0 ingress 'meta length > 200 tcp sport 1-65535'
    transfer "$1"
    entered=$(packets entered director) left=$(packets left $out_ns)
    kept_whole "$1" $((MB * 1048576)) "$entered" "$left"
}

nft_flush() { local ns; for ns in director s1 client; do in_ns $ns nft flush ruleset; done; }

test_up() { counted up; }

test_down() { counted down; }

# offload OPTIONS...: sets the same on every device of the path.
offload() {
    in_ns client ethtool -K eth0 "$@"; in_ns s1 ethtool -K eth0 "$@"
    in_ns director ethtool -K client "$@"; in_ns director ethtool -K s1 "$@"
}

# What comes as one big packet is no list: the senders send segments, and receivers put them together.
test_with_gro_and_fraglist() {
    offload gro on rx-gro-list on tso off gso off
    counted up; counted down
    offload rx-gro-list off tso on gso on
}

test_once_with_gro() {
    offload gro on
    counted up; counted down
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
    count_packets left s1 eth0 ingress 'meta length > 200 tcp dport 9000'
    count_packets toa s1 eth0 ingress 'meta length > 2000 tcp dport 9000 tcp option 254 exists'
    in_ns s1 nft -f - <<'NFT'
table inet hold { chain out { type filter hook output priority 0; tcp sport 9000 tcp flags & (syn | ack) == ack counter drop
 }
}
NFT
    background s1 receiver sh -c "socat -u tcp${IP#v}-listen:9000,reuseaddr - | sha256sum"
    wait_for listens s1 tcp 9000
    background client sender socat -u "$TMP/data" "tcp:$vip:9000"
    wait_for is -ge 1 packets left s1
    in_ns s1 nft delete table inet hold
    wait_for gone "$(pid_of receiver)"
    same "$(cat "$TMP/sum")" "$(cat "$TMP/receiver.log")"
    kept_whole "to the server" $((MB * 1048576)) "$(packets entered director)" "$(packets left s1)"
    # It is in packets that are larger than the MTU, so it was written into packets that stayed whole.
    at_least 1 "$(packets toa s1)" "big packets with the option"
}

# iperf OPTIONS...: what the receiving end has got, in bytes.
iperf() { in_ns client iperf3 -c "$VIP" --connect-timeout 20000 -J "$@" | jq '.error // .end.sum_received.bytes // .end.sum.bytes'; }

test_iperf3_in_every_way() {
    background s1 iperf3 iperf3 -s
    wait_for listens s1 tcp 5201
    at_least 4000000 "$(iperf -n 4M)" 'bytes up'
    at_least 4000000 "$(iperf -n 4M -R)" 'bytes down'
    at_least 4000000 "$(iperf -n 4M -P 4)" 'bytes over four connections'
    # Some may be lost: the receiver is as slow as the sender.
    at_least 500000 "$(iperf -n 1M -u -b 10M -l 1200)" 'bytes in datagrams'
    end_of iperf3
}

run_facts v4 v6
