#!/bin/bash
# Each forwarding method with programs: a page, megabytes, datagrams in fragments, and a client that learns how much
# room is left beside the headers of a tunnel. `method` says how; the kernel's own ip_vs is asked the same.
# suite: methods
. "${0%/*}/../lib/all.sh"
. "$LIB/direct.sh"

MB=1

setup() {
    topology
    direct_servers
    decapsulate s1
    nginx_on s1
    head -c $((MB * 1048576)) /dev/urandom >"$TMP/data"
    sha256sum <"$TMP/data" >"$TMP/sum"
    echo_at s1 udp 10.1.0.100 5000; echo_at s1 udp fd00:1::100 5000
    echo_at s1 udp 10.2.0.2 5000; echo_at s1 udp fd00:2::2 5000
}

# how METHOD: as the command line has it.
how() {
    case $1 in
    nat) echo -m ;;
    fullnat) echo --fullnat ;;
    dr) echo -g ;;
    ipip) echo -i ;;
    gre) echo -i --tun-type gre ;;
    gre-csum) echo -i --tun-type gre --tun-csum ;;
    gue) echo -i --tun-type gue --tun-port $GUE_PORT --tun-nocsum ;;
    gue-csum) echo -i --tun-type gue --tun-port $GUE_PORT --tun-csum ;;
    gue-remcsum) echo -i --tun-type gue --tun-port $GUE_PORT --tun-remcsum ;;
    esac
}

# overhead METHOD INNER OUTER: what the headers of a tunnel take.
overhead() {
    local ip=20
    [ "$2" = v4 ] || ip=40
    case $1 in
    ipip) echo $ip ;;
    gre) echo $((ip + 4)) ;;
    gre-csum) echo $((ip + 8)) ;;
    gue | gue-csum) echo $((ip + 12)) ;;
    gue-remcsum) echo $((ip + 20)) ;;
    *) echo 0 ;;
    esac
}

# services METHOD [SERVER]: TCP 80 and UDP 5000 of the VIP by that method.
services() {
    local server=${2:-$s1} options; options=$(how "$1")
    in_ns director ipvsadm -C
    {
        printf '%s\n' "-A -t $vip:80 -s rr" "-A -u $vip:5000 -s rr"
        [ "$1" != fullnat ] || printf '%s\n' "-P -t $vip:80 -z $LIP1" "-P -u $vip:5000 -z $LIP1"
        printf '%s\n' "-a -t $vip:80 -r $server:80 $options" "-a -u $vip:5000 -r $server:5000 $options"
    } >"$TMP/rules"
    if [ "$DIRECTOR" = lvs ]; then adm -R <"$TMP/rules"; else stock -R <"$TMP/rules"; fi
    case $1 in
    nat) answer_through s1 ;;
    gre) gre_receivers s1 ;;
    gre-csum) gre_receivers s1 csum ;;
    esac
    [ "$1" = nat ] || answer_directly s1
    ip -n client route flush cache; ip -n client -6 route flush cache
}

# all_of_it METHOD: what must work, whatever the method is.
all_of_it() {
    local seen=$CLIENT mtu
    [ "$1" != fullnat ] || seen=$LIP1
    same "s1 $seen" "$(get)" "$1: a page"
    : >"$TMP/s1/www/up"
    in_ns client curl -sS --max-time 60 -o /dev/null -T "$TMP/data" "http://$vip/up"
    same "$(cat "$TMP/sum")" "$(sha256sum <"$TMP/s1/www/up")" "$1: sha256 of $MB MB to the server"
    # What the client has learnt on the way.
    mtu=$(ip -n client route get "$VIP" | sed -n 's/.* mtu \([0-9]*\).*/\1/p')
    same $((1500 - $(overhead "$1" "${2:-$IP}"))) "${mtu:-1500}" "$1: path MTU of the client"
    has "$(ask_udp client "$VIP" 5000 @4000)" "^s1 $seen [0-9]+ x{4000}$" "$1: a datagram in fragments"
}

loaded_is() {
    DIRECTOR=$1
    loaded "${2:-lvs}" || { modules_out; "${1}_in"; }
}

# The yardstick, in the cells that differ most.
test_v4_stock_does_the_same() {
    local method
    loaded_is stock ip_vs
    for method in dr gue-remcsum nat; do services $method; all_of_it $method; done
}

test_translated() {
    local method
    loaded_is lvs
    for method in nat fullnat; do services $method; all_of_it $method; done
}

test_direct_routing() { loaded_is lvs; services dr; all_of_it dr; }
test_ipip() { loaded_is lvs; services ipip; all_of_it ipip; }
test_gre() { loaded_is lvs; local m; for m in gre gre-csum; do services $m; all_of_it $m; done; }
test_gue() { loaded_is lvs; local m; for m in gue gue-csum gue-remcsum; do services $m; all_of_it $m; done; }

test_a_server_of_the_other_family() {
    loaded_is lvs
    local m outer=v6 server='[fd00:2::2]'
    if [ "$IP" = v6 ]; then outer=v4 server=10.2.0.2; fi
    for m in ipip gue-csum; do services $m "$server"; all_of_it $m $outer; done
}

# Big packets that no device cuts: the kernel does, in the director.
test_cut_in_software() {
    loaded_is lvs
    local m dev
    in_ns director ethtool -K s1 tso off gso off tx-udp_tnl-segmentation off tx-gre-segmentation off \
        tx-ipxip4-segmentation off tx-ipxip6-segmentation off tx-udp_tnl-csum-segmentation off tx-gre-csum-segmentation off tx off
    for m in gre-csum gue-remcsum; do services $m; all_of_it $m; done
    in_ns director ethtool -K s1 tx on gso on tso on
}

# IPv6 keeps a route of its own for a server that packets are not addressed to.
test_v6_a_device_goes_away_though_routes_over_it_were_kept() {
    loaded_is lvs
    services dr
    same "s1 $CLIENT" "$(get)"
    background director removal ip link del s1
    wait_within 9 gone "$(pid_of removal)"
    in_ns director sh -c '! ip link show s1' >/dev/null 2>&1
}

run_facts v4 v6
