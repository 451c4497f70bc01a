# shellcheck shell=bash
# Servers that answer their clients by themselves, as direct routing and tunnels want them: they have the VIP and a
# link of their own to the client. To be called after `topology`.
#
#       s1 10.6.0.2 ----- 10.6.0.1 client        s2 10.7.0.2 ----- 10.7.0.1 client
#
# Sourced, never run.

# direct_servers: s1 and s2 have the VIP, and their way back. Nobody learns from them where the VIP is.
direct_servers() { direct_server s1; direct_server s2; }

# direct_server NS: one of them.
direct_server() {
    local n=${1#s}
    link "$1" ret "10.$((n + 5)).0.2/24" client "$1ret" "10.$((n + 5)).0.1/24"
    in_ns "$1" sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
    reverse_path_off "$1" all default eth0 ret lo
    batch "$1" <<IP
addr add 10.1.0.100/32 dev lo
addr add fd00:1::100/128 dev lo nodad
IP
    reverse_path_off client all default eth0 "$1ret"
    answer_directly "$1"
}

# reverse_path_off NS DEV...: packets may come in where nothing goes out.
reverse_path_off() {
    local ns=$1 dev; shift
    for dev; do printf 'net.ipv4.conf.%s.rp_filter=0\n' "$dev"; done | in_ns "$ns" sysctl -q -p -
}

# answer_directly NS, answer_through NS: to the client by the link of their own, or through the director, which is what
# NAT needs.
answer_directly() {
    local n=${1#s}
    batch "$1" <<IP
route replace 10.1.0.0/24 via 10.$((n + 5)).0.1
route replace fd00:1::/64 via fd00:$((n + 5))::1
IP
}
answer_through() {
    local n=${1#s}
    batch "$1" <<IP
route replace 10.1.0.0/24 via 10.$((n + 1)).0.1
route replace fd00:1::/64 via fd00:$((n + 1))::1
IP
}

# decapsulate NS [DIRECTOR]: takes packets out of every tunnel that the director may wrap them in, of either family in
# either. DIRECTOR is its IPv4 address, if it is not the next hop.
GUE_PORT=6080
decapsulate() {
    local n=${1#s} m here there
    for m in ipip ip_gre fou fou6 sit ip6_tunnel ip6_gre; do modprobe $m; done
    here=10.$((n + 1)).0.2 there=${2:-10.$((n + 1)).0.1}
    local ends4="local $here remote $there" ends6; ends6="local $(in_six $here) remote $(in_six $there)"
    remember ends-$1 "$ends4/$ends6"
    batch "$1" <<IP
link add t44 type ipip $ends4
link add t64 type sit $ends4
link add t6 type ip6tnl mode any $ends6 encaplimit none
link set t44 up
link set t64 up
link set t6 up
fou add port $GUE_PORT gue
fou add -6 port $GUE_PORT gue
IP
    reverse_path_off "$1" t44 t64 t6
    gre_receivers "$1"
}

in_six() { local a; a=$(six "$1/0"); printf '%s' "${a%%/*}"; }

# gre_receivers NS [csum]: receivers of GRE take packets with a checksum or without.
gre_receivers() {
    local ends dev; ends=$(recall ends-$1)
    for dev in g4 g6; do ip -n "$1" link del $dev 2>/dev/null || true; done
    batch "$1" <<IP
link add g4 type gre ${ends%/*} ${2:-}
link add g6 type ip6gre ${ends#*/} encaplimit none ${2:-}
link set g4 up
link set g6 up
IP
    reverse_path_off "$1" g4 g6
}

# echo_at NS udp|tcp ADDRESS PORT: as echo_udp and echo_tcp, at this address only: answers come from it, too.
echo_at() {
    background "$1" "$2-$1-$4-${3//:/_}" python3 -IS "$LIB/echo.py" "$2" "$4" "$1" "$3"
    wait_for listens_at "$1" "$2" "$3" "$4"
}
listens_at() { in_ns "$1" ss -H -ln "--$2" "sport = :$4" | grep -qF "$3"; }
