# shellcheck shell=bash
# The network of a case: a client, a director, and servers in two different subnets, each a namespace of its own.
#
#       client  10.1.0.2 ----- 10.1.0.1 director 10.2.0.1 ----- 10.2.0.2 s1
#                                        |       10.3.0.1 ----- 10.3.0.2 s2
#                          VIP 10.1.0.100 on lo
#                local addresses 10.9.0.1 .. 10.9.0.4 on lo
#
# The servers have no VIP and no default route: all they reach are their subnet and the local addresses. Devices are
# called by what is at their other end (`client`, `s1`, `s2` in the director; `eth0` elsewhere).
# Sourced, never run.

# All of it is there in IPv6 too, where 10.1.0.2 is called fd00:1::2. The variables are the addresses of one family:
# in capitals as they are, in small letters as they are written before a port.

# family v4|v6: sets the variables. ALL is the address that means any, BITS the length of one, L3 what nft calls it.
# shellcheck disable=SC2034  # for the cases
family() {
    IP=$1
    local net host open='' close=''
    case $IP in
    v4) net=10. host=.0. ALL=0.0.0.0 BITS=32 L3=ip ;;
    v6) net=fd00: host=:: ALL=:: BITS=128 L3=ip6 open='[' close=']' ;;
    esac
    CLIENT=${net}1${host}2 VIP=${net}1${host}100 S1=${net}2${host}2 S2=${net}3${host}2
    LIP1=${net}9${host}1 LIP2=${net}9${host}2 LIP3=${net}9${host}3 LIP4=${net}9${host}4
    # Addresses nobody has: for the ends of conversations that are made by hand (lib/wire.py).
    RAW_CLIENT=${net}1${host}7 RAW_S1=${net}2${host}7 RAW_S2=${net}3${host}7
    # The director's own.
    GATE_C=${net}1${host}1 GATE_S1=${net}2${host}1 GATE_S2=${net}3${host}1
    client=$open$CLIENT$close vip=$open$VIP$close s1=$open$S1$close s2=$open$S2$close
    raw_s1=$open$RAW_S1$close raw_s2=$open$RAW_S2$close
    lip1=$open$LIP1$close lip2=$open$LIP2$close lip3=$open$LIP3$close lip4=$open$LIP4$close
}
family v4

# in_ns NS COMMAND...
in_ns() { local INTO; into "$1"; shift; "${INTO[@]}" "$@"; }

# into NS: INTO is what to write before a command that is to run there. Not `ip netns exec`, which mounts a /sys for each.
into() { INTO=(nsenter --net="/run/netns/$1"); }

# batch NS: `ip` commands from stdin, in one process: under emulation each process costs tens of milliseconds.
batch() { in_ns "$1" ip -batch -; }

# ns_add NAME...
ns_add() { printf 'netns add %s\n' "$@" | ip -batch -; }

# six ADDRESS/LENGTH: what an IPv4 address is called in IPv6, as the arguments of `ip addr add`. (Without waiting for
# somebody who might have it, too.)
six() { local a=${1%/*}; a=${a#10.}; printf 'fd00:%s/64 nodad' "${a/.0./::}"; }

# link NS1 DEV1 ADDR1 NS2 DEV2 ADDR2: two namespaces joined by a veth pair. Addresses are IPv4 ones with their prefix
# length; each end has IPv6's, too.
link() {
    batch "$1" <<IP
link set lo up
link add $2 type veth peer name $5 netns ${4##*/}
addr add $3 dev $2
addr add $(six "$3") dev $2
link set $2 up
IP
    batch "$4" <<IP
link set lo up
addr add $6 dev $5
addr add $(six "$6") dev $5
link set $5 up
IP
}

# mtu_of NS ADDRESS: what NS has learnt of the path there; nothing if it has learnt nothing.
mtu_of() { in_ns "$1" ip route get "$2" | sed -n 's/.* mtu \([0-9]*\).*/\1/p'; }

forwarding() { in_ns "$1" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'; }

# topology: as drawn above.
topology() {
    topology_down
    ns_add client director s1 s2
    link client eth0 10.1.0.2/24 director client 10.1.0.1/24
    link s1 eth0 10.2.0.2/24 director s1 10.2.0.1/24
    link s2 eth0 10.3.0.2/24 director s2 10.3.0.1/24
    director_addresses
    # IPv6 does not answer for lo's addresses on a link: who is to reach the VIP has a route.
    batch client <<'IP'
route add default via 10.1.0.1
route add default via fd00:1::1
route add fd00:1::100 via fd00:1::1
IP
    batch s1 <<'IP'
route add 10.9.0.0/24 via 10.2.0.1
route add fd00:9::/64 via fd00:2::1
IP
    batch s2 <<'IP'
route add 10.9.0.0/24 via 10.3.0.1
route add fd00:9::/64 via fd00:3::1
IP
    forwarding director
}

director_addresses() {
    {
        printf 'addr add 10.%s/32 dev lo\n' 1.0.100 9.0.1 9.0.2 9.0.3 9.0.4
        printf 'addr add fd00:%s/128 dev lo nodad\n' 1::100 9::1 9::2 9::3 9::4
    } | batch director
}

# topology_routed: the same with a router on either side, so that a smaller MTU can be beyond the first hop.
#
#     client 10.1.0.2 - edge - 10.4.0.1 director 10.5.0.1 - back - 10.2.0.2 s1
topology_routed() {
    topology_down
    ns_add client edge director back s1
    link client eth0 10.1.0.2/24 edge client 10.1.0.1/24
    link edge director 10.4.0.2/24 director client 10.4.0.1/24
    link director s1 10.5.0.1/24 back director 10.5.0.2/24
    link back s1 10.2.0.1/24 s1 eth0 10.2.0.2/24
    director_addresses
    forwarding edge; forwarding director; forwarding back
    # The VIP's address is of the client's subnet, and the VIP is not there.
    batch client <<'IP'
route add default via 10.1.0.1
route add 10.1.0.100 via 10.1.0.1
route add default via fd00:1::1
route add fd00:1::100 via fd00:1::1
IP
    batch edge <<'IP'
route add 10.1.0.100 via 10.4.0.1
route add fd00:1::100 via fd00:4::1
IP
    batch director <<'IP'
route add 10.1.0.0/24 via 10.4.0.2
route add 10.2.0.0/24 via 10.5.0.2
route add fd00:1::/64 via fd00:4::2
route add fd00:2::/64 via fd00:5::2
IP
    batch back <<'IP'
route add 10.9.0.0/24 via 10.5.0.1
route add fd00:9::/64 via fd00:5::1
IP
    # Routers speak from addresses that the ends can reach no route to, which is as it is in the world.
    batch s1 <<'IP'
route add 10.9.0.0/24 via 10.2.0.1
route add 10.5.0.0/24 via 10.2.0.1
route add fd00:9::/64 via fd00:2::1
route add fd00:5::/64 via fd00:2::1
IP
}

# servers_default_route: what IPVS's NAT needs and FULLNAT does not.
servers_default_route() {
    printf '%s\n' 'route replace default via 10.2.0.1' 'route replace default via fd00:2::1' | batch s1
    printf '%s\n' 'route replace default via 10.3.0.1' 'route replace default via fd00:3::1' | batch s2
}

# topology_pair: two directors in the same three networks, so that the VIP can move. It is with neither of them yet.
#
#                      /- 10.1.0.1  one  10.2.0.1, 10.3.0.1 -\
#     client 10.1.0.2 -                                       - 10.2.0.2 s1, 10.3.0.2 s2
#                      \- 10.1.0.3  two  10.2.0.3, 10.3.0.3 -/
#
# The local address of `one` is 10.9.0.1, that of `two` 10.9.0.2; servers have a route to each. `one` is the namespace
# director, `two` is director2. The bridges are in a namespace of their own, called switch.
topology_pair() {
    local net ns
    topology_down
    ns_add client director director2 s1 s2 switch
    batch switch <<'IP'
link add n1 type bridge mcast_snooping 0
link add n2 type bridge mcast_snooping 0
link add n3 type bridge mcast_snooping 0
link set n1 up
link set n2 up
link set n3 up
IP
    plug client eth0 10.1.0.2/24 n1
    plug s1 eth0 10.2.0.2/24 n2
    plug s2 eth0 10.3.0.2/24 n3
    for ns in director:1 director2:3; do
        plug "${ns%:*}" client "10.1.0.${ns#*:}/24" n1
        plug "${ns%:*}" s1 "10.2.0.${ns#*:}/24" n2
        plug "${ns%:*}" s2 "10.3.0.${ns#*:}/24" n3
        forwarding "${ns%:*}"
    done
    printf '%s\n' 'addr add 10.9.0.1/32 dev lo' 'addr add fd00:9::1/128 dev lo nodad' | batch director
    printf '%s\n' 'addr add 10.9.0.2/32 dev lo' 'addr add fd00:9::2/128 dev lo nodad' | batch director2
    for net in 2 3; do
        batch "s$((net - 1))" <<IP
route add 10.9.0.1 via 10.$net.0.1
route add 10.9.0.2 via 10.$net.0.3
route add fd00:9::1 via fd00:$net::1
route add fd00:9::2 via fd00:$net::3
IP
    done
}

# plug NS DEV ADDRESS BRIDGE: a cable from NS to a bridge of the switch.
plug() {
    printf '%s\n' 'link set lo up' "link add $2 type veth peer name $1-$4 netns switch" "addr add $3 dev $2" \
        "addr add $(six "$3") dev $2" "link set $2 up" | batch "$1"
    printf '%s\n' "link set $1-$4 master $4" "link set $1-$4 up" | batch switch
}

# servers_have_vip: what direct routing and tunnels need. The servers have the VIP on lo, do not answer for it on the wire,
# unwrap what comes by a tunnel, and have their own way back to the client.
servers_have_vip() {
    local n
    modprobe ipip; modprobe ip6_tunnel
    for n in 1 2; do
        link "s$n" back "10.$((n + 5)).0.2/24" client "from-s$n" "10.$((n + 5)).0.1/24"
        batch "s$n" <<IP
addr add 10.1.0.100/32 dev lo
addr add fd00:1::100/128 dev lo nodad
route add 10.1.0.0/24 via 10.$((n + 5)).0.1
route add fd00:1::/64 via fd00:$((n + 5))::1
link set tunl0 up
link set ip6tnl0 up
IP
        in_ns "s$n" sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2 \
            net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth0.rp_filter=0 net.ipv4.conf.tunl0.rp_filter=0
    done
}

# raw_ends: lets the director reach the addresses nobody has, so that conversations can be made by hand.
raw_ends() {
    raw_end client eth0 10.1.0.7 client fd00:1::7
    raw_end s1 eth0 10.2.0.7 s1 fd00:2::7
    raw_end s2 eth0 10.3.0.7 s2 fd00:3::7
}

# raw_end NS DEV ADDRESS DIRECTOR_DEV [ADDRESS]
raw_end() {
    local mac; mac=$(ip -n "$1" -br link show dev "$2" | awk '{print $3}')
    # shellcheck disable=SC2086  # none, if there is none
    printf "neigh replace %s lladdr $mac dev $4 nud permanent\n" "$3" $5 | batch director
}

# client_addresses COUNT: 10.1.0.10 and up, for more clients than one.
client_addresses() {
    local i
    for ((i = 10; i < 10 + $1; i++)); do ip -n client addr add "10.1.0.$i/24" dev eth0; done
}

# topology_down: whatever runs in the namespaces dies with them.
topology_down() {
    local ns pids
    for ns in $(ip netns list | awk '{print $1}'); do
        pids=$(ip netns pids "$ns")
        # shellcheck disable=SC2086  # one word per process is meant
        [ -z "$pids" ] || kill -KILL $pids 2>/dev/null || true
    done
    for ns in $(ip netns list | awk '{print $1}'); do ip netns del "$ns"; done
}
