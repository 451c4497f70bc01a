#!/bin/bash
# A client, a director and a server, each with a kernel of its own, joined by virtio devices that leave checksums and segments to
# the other side: FULLNAT, TOA, and megabytes that arrive whole while the path narrows and packets are lost. The server's kernel is
# of another series.
# suite: machines
# machines: client=stock director server=second
. "${0%/*}/../lib/all.sh"
. "$LIB/machines.sh"

HALF=2000000

setup() {
    local machine
    machines_in
    topology
    in_ns director modprobe lvs; in_ns server modprobe toa
    echo_tcp server 7000; echo_udp server 5000
    both services
    for machine in client server; do
        # `go` is written to when the second half may follow.
        in_ns $machine sh -c "head -c $((2 * HALF)) /dev/urandom >$TMP/data; mkfifo $TMP/go"
    done
}

services() {
    service -t 7000 "$s1:7000"
    service -u 5000 "$s1:5000"
    service -t 9000 "$s1:9000"
    service -t 9001 "$s2:9000"
}

test_once_each_has_a_kernel_of_its_own() {
    local machine
    for machine in client director server; do
        note "$machine: $(in_ns $machine uname -r)"
        in_ns $machine cat /proc/sys/kernel/random/boot_id
    done >"$TMP/boots"
    same 3 "$(sort -u "$TMP/boots" | wc -l)" "kernels that run"
}

test_once_their_devices_leave_checksums_and_segments_to_others() {
    local machine feature features
    for machine in client director server; do
        features=$(in_ns $machine ethtool -k eth0)
        for feature in tx-checksumming rx-checksumming tcp-segmentation-offload tx-tcp-segmentation tx-tcp6-segmentation; do
            has "$features" "^[[:space:]]*$feature: on( |\$)" $machine
        done
    done
}

test_once_lvs_works_on_the_servers_kernel_too() {
    in_ns server modprobe lvs
    in_ns server ipvsadm-rs -A -t 10.99.0.1:80 -s rr
    in_ns server ipvsadm-rs -a -t 10.99.0.1:80 -r 10.99.0.2:80 -m
    has "$(in_ns server ipvsadm-rs -Ln)" '10\.99\.0\.2:80 +Masq'
    in_ns server ipvsadm-rs -C
    wait_for in_ns server rmmod lvs
}

# 7.2 would switch it off for others and leave toa.ko blind; later series switch it off for nobody.
test_once_tracing_stays_on_under_toa() {
    local said
    if said=$(in_ns server sysctl -w kernel.ftrace_enabled=0 2>&1); then
        in_ns server sysctl -qw kernel.ftrace_enabled=1
        fail "tracing was switched off: $said"
    fi
    case $(in_ns server uname -r) in
    7.2.*)
        has "$said" 'busy'
        in_ns server rmmod toa
        in_ns server sysctl -qw kernel.ftrace_enabled=0
        ! said=$(in_ns server modprobe toa 2>&1) || fail "toa loads though nothing can be watched"
        has "$said" 'busy'
        has "$(in_ns server dmesg | tail -n 5)" 'cannot attach: set kernel.ftrace_enabled to 1'
        in_ns server sysctl -qw kernel.ftrace_enabled=1
        in_ns server modprobe toa
        ;;
    *) has "$said" 'not supported' ;;
    esac
}

test_the_server_sees_the_client() {
    has "$(hello 7000 15001)" "^server $CLIENT 15001 $S1 7000\$"
}

test_without_the_module_it_sees_the_local_address() {
    in_ns server rmmod toa
    has "$(hello 7000 15002)" "^server $LIP1 [0-9]+ $S1 7000\$"
    in_ns server modprobe toa
    has "$(hello 7000 15003)" "^server $CLIENT 15003 "
}

test_a_datagram_comes_back() {
    has "$(ask_udp client "$VIP" 5000 word)" "^server $LIP1 [0-9]+ word\$"
}

# halves MACHINE SOCAT-ADDRESS: sends the machine's data there. The second half waits for `midway`.
halves() {
    background "$1" sender sh -c "{ head -c $HALF $TMP/data; : >$TMP/half; cat $TMP/go; tail -c $HALF $TMP/data; } | socat -u - $2"
}

# midway MACHINE COMMAND...: COMMAND when the first half is on its way, then the second.
midway() {
    local machine=$1; shift
    wait_for in_ns "${machine%/*}" rm "$TMP/half"
    "$@"
    in_ns "${machine%/*}" sh -c ": >$TMP/go"
}

# whole FROM TO NAME: what NAME printed in TO is the sum of the data of FROM.
whole() {
    wait_within 90 gone "$(pid_of receiver)"
    same "$(in_ns "${1%/*}" sha256sum "$TMP/data" | cut -d' ' -f1)" "$(cut -d' ' -f1 "$TMP/receiver.log")" "sha256 of $((2 * HALF)) bytes"
}

# up CLIENT SERVER PORT [COMMAND...]: from the client through the VIP's PORT to the server, with COMMAND midway.
up() {
    local client=$1 server=$2 port=$3; shift 3
    background "$server" receiver sh -c "socat -u tcp${IP#v}-listen:9000,reuseaddr - | sha256sum"
    wait_for listens "$server" tcp 9000
    halves "$client" "tcp:$vip:$port"
    midway "$client" "$@"
    whole "$client"
}

# down CLIENT SERVER PORT [COMMAND...]: the other way.
down() {
    local client=$1 server=$2 port=$3; shift 3
    halves "$server" "tcp${IP#v}-listen:9000,reuseaddr"
    wait_for listens "$server" tcp 9000
    background "$client" receiver sh -c "socat -u tcp:$vip:$port - | sha256sum"
    midway "$server" "$@"
    whole "$server"
}

# in_big_packets "MACHINES" MATCH COMMAND...: while COMMAND runs, a quarter of the data at least comes to each of these machines in
# packets longer than any on a wire, as the device hands them over: nobody puts any together before they are counted.
in_big_packets() {
    local machines=$1 match=$2 machine octets; shift 2
    for machine in $machines; do
        in_ns $machine nft flush ruleset
        in_ns $machine ethtool -K eth0 gro off
        count_packets big $machine eth0 ingress "meta length > 1600 $match"
    done
    "$@"
    for machine in $machines; do
        octets=$(octets big $machine)
        note "$machine: $octets of $((2 * HALF)) bytes in $(packets big $machine) big packets"
        in_ns $machine ethtool -K eth0 gro on
        at_least $((HALF / 2)) "$octets" "bytes in big packets at $machine"
    done
}

test_big_packets_to_the_server() { in_big_packets 'director server' 'tcp dport 9000' up client server 9000 true; }

test_big_packets_to_the_client() { in_big_packets 'director client' 'tcp sport 9000' down client server 9000 true; }

# The router's end alone: a server that knew would say so in its SYN.
test_the_path_to_the_server_narrows_midway() {
    up client server/behind 9001 in_ns server ip link set behind mtu 1400
    same 1400 "$(mtu_of client "$VIP")" "the client's path MTU to the VIP"
    in_ns server ip link set behind mtu 1500
}

test_the_path_to_the_client_narrows_midway() {
    down client/behind server 9000 in_ns client ip link set behind mtu 1400
    same 1400 "$(mtu_of server "$LIP1")" "the server's path MTU to the local address"
    in_ns client ip link set behind mtu 1500
}

# lossy MACHINE: of what it sends one in fifty is lost. Without segmentation by others, or a loss is one of 64 kB.
lossy() {
    in_ns "$1" nstat -n
    in_ns "$1" ethtool -K eth0 tso off gso off
    in_ns "$1" tc qdisc replace dev eth0 root netem loss 2% seed 20
}

# mended MACHINE: it recovered by SACK; no loss any more.
mended() {
    in_ns "$1" tc qdisc del dev eth0 root
    in_ns "$1" ethtool -K eth0 tso on gso on
    at_least 1 "$(in_ns "$1" nstat -z TcpExtTCPSackRecovery | awk '/SackRecovery/ {print $2}')" "SACK recoveries of the $1"
}

test_loss_on_the_way_to_the_server() {
    lossy client
    up client server 9000 true
    mended client
}

test_loss_on_the_way_to_the_client() {
    lossy server
    down client server 9000 true
    mended server
}

# What they hold goes with a service, and takes a moment.
teardown() {
    adm -C
    wait_for in_ns director rmmod lvs
    in_ns server rmmod toa
}

run_facts v4 v6
