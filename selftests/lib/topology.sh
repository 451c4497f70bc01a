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

CLIENT=10.1.0.2 VIP=10.1.0.100 S1=10.2.0.2 S2=10.3.0.2
LIP1=10.9.0.1 LIP2=10.9.0.2 LIP3=10.9.0.3 LIP4=10.9.0.4
# Addresses nobody has: for the ends of conversations that are made by hand (lib/wire.py).
RAW_CLIENT=10.1.0.7 RAW_S1=10.2.0.7 RAW_S2=10.3.0.7

# in_ns NS COMMAND...: not `ip netns exec`, which mounts a /sys for each command.
in_ns() { local ns=$1; shift; nsenter --net="/run/netns/$ns" "$@"; }

# batch NS: `ip` commands from stdin, in one process: under emulation each process costs tens of milliseconds.
batch() { ip -n "$1" -batch -; }

# ns_add NAME...
ns_add() { printf 'netns add %s\n' "$@" | ip -batch -; }

# link NS1 DEV1 ADDR1 NS2 DEV2 ADDR2: two namespaces joined by a veth pair. Addresses have their prefix length.
link() {
    batch "$1" <<IP
link set lo up
link add $2 type veth peer name $5 netns $4
addr add $3 dev $2
link set $2 up
IP
    batch "$4" <<IP
link set lo up
addr add $6 dev $5
link set $5 up
IP
}

forwarding() { in_ns "$1" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'; }

# topology: as drawn above.
topology() {
    topology_down
    ns_add client director s1 s2
    link client eth0 $CLIENT/24 director client 10.1.0.1/24
    link s1 eth0 $S1/24 director s1 10.2.0.1/24
    link s2 eth0 $S2/24 director s2 10.3.0.1/24
    director_addresses
    ip -n client route add default via 10.1.0.1
    ip -n s1 route add 10.9.0.0/24 via 10.2.0.1
    ip -n s2 route add 10.9.0.0/24 via 10.3.0.1
    forwarding director
}

director_addresses() {
    printf 'addr add %s/32 dev lo\n' $VIP $LIP1 $LIP2 $LIP3 $LIP4 | batch director
}

# topology_routed: the same with a router on either side, so that a smaller MTU can be beyond the first hop.
#
#     client 10.1.0.2 - edge - 10.4.0.1 director 10.5.0.1 - back - 10.2.0.2 s1
topology_routed() {
    topology_down
    ns_add client edge director back s1
    link client eth0 $CLIENT/24 edge client 10.1.0.1/24
    link edge director 10.4.0.2/24 director client 10.4.0.1/24
    link director s1 10.5.0.1/24 back director 10.5.0.2/24
    link back s1 10.2.0.1/24 s1 eth0 $S1/24
    director_addresses
    forwarding edge; forwarding director; forwarding back
    ip -n client route add default via 10.1.0.1
    # The VIP's address is of the client's subnet, and the VIP is not there.
    ip -n client route add $VIP/32 via 10.1.0.1
    ip -n edge route add $VIP/32 via 10.4.0.1
    ip -n director route add 10.1.0.0/24 via 10.4.0.2
    ip -n director route add 10.2.0.0/24 via 10.5.0.2
    ip -n back route add 10.9.0.0/24 via 10.5.0.1
    ip -n s1 route add 10.9.0.0/24 via 10.2.0.1
    # Routers speak from addresses that the ends can reach no route to, which is as it is in the world.
    ip -n s1 route add 10.5.0.0/24 via 10.2.0.1
}

# servers_default_route: what IPVS's NAT needs and FULLNAT does not.
servers_default_route() {
    ip -n s1 route replace default via 10.2.0.1
    ip -n s2 route replace default via 10.3.0.1
}

# raw_ends: lets the director reach the addresses nobody has, so that conversations can be made by hand.
raw_ends() {
    raw_end client eth0 $RAW_CLIENT client
    raw_end s1 eth0 $RAW_S1 s1
    raw_end s2 eth0 $RAW_S2 s2
}

# raw_end NS DEV ADDRESS DIRECTOR_DEV
raw_end() {
    local mac; mac=$(ip -n "$1" -br link show dev "$2" | awk '{print $3}')
    ip -n director neigh replace "$3" lladdr "$mac" dev "$4" nud permanent
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
