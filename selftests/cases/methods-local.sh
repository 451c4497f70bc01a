#!/bin/bash
# The director itself as a client and as a server, by each forwarding method; addresses that nobody has, reached by a
# firewall mark; and clients among the servers. The kernel's own ip_vs is asked the same, but for FULLNAT.
# suite: local
# seconds: 600
. "${0%/*}/../lib/all.sh"
. "$LIB/direct.sh"
. "$LIB/methods.sh"

# s1 is for NAT and FULLNAT, and has a neighbour that is a client. s2 is for direct routing and tunnels: it has the VIP.
#
#     client 10.1.0.2 ------ director 10.3.0.1 ------ 10.3.0.2 s2
#                            10.2.0.1
#                                |
#          near 10.2.0.9 ----- switch ----- 10.2.0.2 s1
setup() {
    topology
    neighbour
    direct_server s2
    decapsulate s2
    servers_default_route
    # s2 answers from the VIP, also the director, which has it too.
    reverse_path_off director all default client s1 s2 lo
    in_ns director sysctl -qw net.ipv4.conf.all.accept_local=1
    by_mark
    nginx_on s1; nginx_on s2; nginx_on director; nginx_on director 8080 director-8080
    head -c 300000 /dev/urandom >"$TMP/data"
    cp "$TMP/data" "$TMP/s1/www/down"; cp "$TMP/data" "$TMP/s2/www/down"
    sha256sum <"$TMP/data" >"$TMP/sum"
    echo_udp s1 5000
    both echoes
}

neighbour() {
    ns_add near switch
    ip -n director link del s1
    printf '%s\n' 'link add n2 type bridge mcast_snooping 0' 'link set n2 up' | batch switch
    plug director s1 10.2.0.1/24 n2
    plug s1 eth0 10.2.0.2/24 n2
    plug near eth0 10.2.0.9/24 n2
    printf '%s\n' 'route add default via 10.2.0.1' 'route add default via fd00:2::1' | batch near
    # The director would tell s1 that it need not be asked.
    in_ns s1 sysctl -qw net.ipv4.conf.all.accept_redirects=0 net.ipv4.conf.eth0.accept_redirects=0 net.ipv6.conf.eth0.accept_redirects=0
    printf '%s\n' 'route add 10.9.0.0/24 via 10.2.0.1' 'route add fd00:9::/64 via fd00:2::1' | batch s1
}

# by_mark: what is for 10.8.0.100, which nobody has, and for s2 itself is brought up to the director's own hooks.
by_mark() {
    in_ns director nft -f - <<'NFT'
add table inet marks
add chain inet marks before { type filter hook prerouting priority mangle; }
add rule inet marks before ip daddr 10.8.0.100 meta mark set 1
add rule inet marks before ip6 daddr fd00:8::100 meta mark set 1
add rule inet marks before iifname client ip daddr 10.3.0.2 meta mark set 2
add rule inet marks before iifname client ip6 daddr fd00:3::2 meta l4proto { tcp, udp } meta mark set 2
NFT
    local six
    for six in -4 -6; do
        ip -n director $six rule add fwmark 1 lookup 100
        ip -n director $six rule add fwmark 2 lookup 100
        ip -n director $six route add local default dev lo table 100
    done
    printf '%s\n' 'addr add 10.8.0.100/32 dev lo' 'addr add fd00:8::100/128 dev lo nodad' | batch s2
}

# Datagrams are answered from the address that they were sent to.
echoes() {
    nobody
    echo_at s2 udp "$VIP" 5000; echo_at s2 udp "$NOBODY" 5000; echo_at s2 udp "$S2" 5000
    echo_at director udp "$GATE_S1" 5000; echo_at director udp "$VIP" 5000
}

# nobody: the family's address that nobody has, and the neighbour.
nobody() {
    case $IP in
    v4) NOBODY=10.8.0.100 nobody=$NOBODY SIX='' NEAR=10.2.0.9 loop=127.0.0.2 ;;
    v6) NOBODY=fd00:8::100 nobody="[$NOBODY]" SIX=-6 NEAR=fd00:2::9 loop='[::1]' ;;
    esac
}

gate_s1() { if [ "$IP" = v4 ]; then echo "$GATE_S1"; else echo "[$GATE_S1]"; fi; }
s2_at() { if [ "$IP" = v4 ]; then echo "$S2"; else echo "[$S2]"; fi; }

# own SOURCE [CURL OPTIONS...]: what a program of the director gets from the VIP.
own() { local from=$1; shift; in_ns director curl -sS --max-time 30 --interface "$from" "$@"; }

# counters TCP|UDP|FWM COLUMN: of the service, as it is listed with its statistics.
counters() { stock -Ln --stats --exact | awk -v p="$1" -v c="$2" '$1 == p {print $(c + ($3 == "IPv6"))}'; }
# counted PROTOCOL CONNECTIONS [PACKETS]. Stock's statistics are seconds old, and it is not what is tried here.
counted() {
    [ "$DIRECTOR" = lvs ] || return 0
    wait_for is = "$2" counters "$1" 3
    [ -z "${3:-}" ] || wait_for is = "$3" counters "$1" 4
}

# asked NS BYTES: asks until an answer comes; what is too long on the way makes its sender learn.
asked() {
    local i port; port=$(fresh_ports 1)
    for i in 1 2 3 4; do ASK_SECONDS=3 ask_udp "$1" "$VIP" 5000 "@$2" "$port" && return; done
}

# client METHOD: a program of the director asks.
client() {
    local name=s1 server=$s1 source=$VIP seen=$VIP
    case $1 in
    fullnat) seen=$LIP1 ;;
    # s2 would take what comes from the VIP for its own.
    dr | ipip | gue-csum) name=s2 server=$(s2_at) source=$GATE_S2 seen=$source ;;
    esac
    served "$1" "$server"
    same "$name $seen" "$(own "$source" "http://$vip/")" "$1: a page"
    same "$(cat "$TMP/sum")" "$(own "$source" "http://$vip/down" | sha256sum)" "$1: sha256 of a download"
    : >"$TMP/$name/www/up"
    own "$source" -o /dev/null -T "$TMP/data" "http://$vip/up"
    same "$(cat "$TMP/sum")" "$(sha256sum <"$TMP/$name/www/up")" "$1: sha256 of an upload"
    counted TCP 3
    has "$(ASK_FROM=$source ask_anew director "$VIP" 5000 hello)" "^$name $seen [0-9]+ hello$" "$1: a datagram"
    counted UDP 1 1
    # IPv6 learns no MTU of its own addresses: ours lets the director cut its own datagrams, stock's gets no further.
    [ "$DIRECTOR$IP" = stockv6 ] || has "$(ASK_FROM=$source asked director 4000)" "^$name $seen [0-9]+ x{4000}$" "$1: a datagram in fragments"
}

# server METHOD: a program of the director answers the client. Only what translates changes the port.
server() {
    local seen=$CLIENT port=80 name=director
    case $1 in
    nat) port=8080 name=director-8080 ;;
    fullnat) port=8080 name=director-8080 seen=$LIP1 ;;
    local) seen=$CLIENT ;;
    esac
    if [ "$1" = local ]; then served_here; else served "$1" "$(gate_s1)" $port; fi
    same "$name $seen" "$(get)" "$1: a page"
    : >"$TMP/$name/www/up"
    in_ns client curl -sS --max-time 60 -o /dev/null -T "$TMP/data" "http://$vip/up"
    same "$(cat "$TMP/sum")" "$(sha256sum <"$TMP/$name/www/up")" "$1: sha256 of an upload"
    counted TCP 2
    # It is no hop away.
    has "$(ASK_TTL=1 ask_anew client "$VIP" 5000 hello)" "^director $seen [0-9]+ hello$" "$1: a datagram with a TTL of 1"
    counted UDP 1 1
    has "$(asked client 4000)" "^director $seen [0-9]+ x{4000}$" "$1: a datagram in fragments"
}

# served_here: by the method that says so, which no command line has.
served_here() {
    printf '%s\n' "-A -t $vip:80 -s rr" "-A -u $vip:5000 -s rr" | rules
    python3 - "$LIB" "$VIP" "$GATE_S1" <<'PY'
import sys
sys.path.insert(0, sys.argv[1])
from genl import Genl, addr, attr, be16, u16
vip, server = sys.argv[2:]
ipvs = Genl("IPVS")
for proto, port in ((6, 80), (17, 5000)):
    service = [attr(1, u16(10 if ":" in vip else 2)), attr(2, u16(proto)), attr(3, addr(vip)), attr(4, be16(port))]
    ipvs.ask(5, attr(1, service) + attr(2, [attr(1, addr(server)), attr(2, be16(port)), attr(3, 1), attr(4, 1), attr(5, 0), attr(6, 0)]))
PY
    has "$(stock -Ln)" 'Local +1 '
}

# itself METHOD: a program of the director asks another. Everything is counted once.
itself() {
    local seen=$VIP port=80 name=director
    case $1 in
    nat) port=8080 name=director-8080 ;;
    fullnat) port=8080 name=director-8080 seen=$LIP1 ;;
    esac
    served "$1" "$(gate_s1)" $port
    same "$name $seen" "$(own "$VIP" "http://$vip/")" "$1: a page"
    counted TCP 1
    has "$(ASK_TTL=1 ask_anew director "$VIP" 5000 hello)" "^director $seen [0-9]+ hello$" "$1: a datagram"
    counted UDP 1 1
}

# last_hop METHOD: a reply that has one hop left has arrived.
last_hop() {
    local seen=$VIP
    [ "$1" != fullnat ] || seen=$LIP1
    served "$1" "$s1"
    in_ns s1 sysctl -qw net.ipv4.ip_default_ttl=1 net.ipv6.conf.eth0.hop_limit=1
    local out; out=$(ask_anew director "$VIP" 5000 hello || true)
    in_ns s1 sysctl -qw net.ipv4.ip_default_ttl=64 net.ipv6.conf.eth0.hop_limit=64
    has "$out" "^s1 $seen [0-9]+ hello$" "$1"
}

# loopback METHOD: nobody from outside gets at what listens there.
loopback() {
    served "$1" "$loop" 8080
    local seen=$VIP
    [ "$1" != fullnat ] || seen=$LIP1
    same "director-8080 $seen" "$(own "$VIP" "http://$vip/")" "$1: from inside"
    refused 'timed out' in_ns client curl -sS --max-time 2 "http://$vip/"
}

# marked MARK METHOD [SERVER]: a service of the mark, with or without a server.
marked() {
    {
        printf '%s\n' "-A -f $1 $SIX -s rr $(own_options "$2")"
        [ "$2" != fullnat ] || printf '%s\n' "-P -f $1 $SIX -z $LIP1"
        [ -z "${3:-}" ] || printf '%s\n' "-a -f $1 $SIX -r $3:0 $(how "$2")"
    } | rules
}

# by_its_mark METHOD: an address that nobody has.
by_its_mark() {
    local name=s1 server=$s1 seen=$CLIENT
    case $1 in
    fullnat) seen=$LIP1 ;;
    dr | ipip) name=s2 server=$(s2_at) ;;
    esac
    marked 1 "$1" "$server"
    same "$name $seen" "$(in_ns client curl -sS --max-time 20 "http://$nobody/")" "$1: a page"
    same "$(cat "$TMP/sum")" "$(in_ns client curl -sS --max-time 60 "http://$nobody/down" | sha256sum)" "$1: sha256 of a download"
    has "$(ask_anew client "$NOBODY" 5000 hello)" "^$name $seen [0-9]+ hello$" "$1: a datagram"
    counted FWM 3
    # The director tells by its own address how long packets may be; stock's cannot, from an address that nobody has.
    : >"$TMP/$name/www/up"
    if [ "$DIRECTOR $1" != 'stock ipip' ]; then
        in_ns client curl -sS --max-time 60 -o /dev/null -T "$TMP/data" "http://$nobody/up"
        same "$(cat "$TMP/sum")" "$(sha256sum <"$TMP/$name/www/up")" "$1: sha256 of an upload"
    fi
    [ "$name" = s2 ] || same ECONNREFUSED "$(ask_anew client "$NOBODY" 5001 hello || true)" "$1: where nobody listens"
}

# of_no_server: packets go where they were sent, if that is wanted.
of_no_server() {
    marked 2 none
    vs_set cache_bypass 0
    nobody_answers
    vs_set cache_bypass 1
    same "s2 $CLIENT" "$(in_ns client curl -sS --max-time 20 "http://$(s2_at)/")" "past the director"
    has "$(ask_anew client "$S2" 5000 hello)" "^s2 $CLIENT [0-9]+ hello$" "a datagram past the director"
    vs_set cache_bypass 0
    nobody_answers
}

# nobody_answers: the client is told so. Stock's with IPv4 cannot, from an address that is not the director's.
nobody_answers() {
    if [ "$DIRECTOR$IP" = stockv4 ]; then
        refused 'timed out' in_ns client curl -sS --max-time 2 "http://$(s2_at)/"
    else
        refused 'refused|connect to server' in_ns client curl -sS --max-time 20 "http://$(s2_at)/"
    fi
}

# among_servers METHOD: a client in the subnet of its server. NAT's replies must not take the short way.
among_servers() {
    local seen=$NEAR
    [ "$1" != fullnat ] || seen=$LIP1
    served "$1" "$s1"
    [ "$1" != nat ] || ip -n s1 route add "$NEAR/$BITS" via "$GATE_S1"
    same "s1 $seen" "$(in_ns near curl -sS --max-time 20 "http://$vip/")" "$1: a page"
    has "$(ask_anew near "$VIP" 5000 hello)" "^s1 $seen [0-9]+ hello$" "$1: a datagram"
    [ "$1" != nat ] || ip -n s1 route del "$NEAR/$BITS" via "$GATE_S1"
}

# a_server_asks METHOD: with NAT only another one can answer it.
a_server_asks() {
    local name=s1 server=$s1 seen=$LIP1
    [ "$1" = fullnat ] || name=s2 server=$(s2_at) seen=$S1
    served "$1" "$server"
    same "$name $seen" "$(in_ns s1 curl -sS --max-time 20 "http://$vip/")" "$1: a page"
    has "$(ask_anew s1 "$VIP" 5000 hello)" "^$name $seen [0-9]+ hello$" "$1: a datagram"
}

# of_each DIRECTOR FUNCTION METHOD...
of_each() {
    local what=$2 method; director_is "$1"; shift 2
    nobody
    for method; do "$what" "$method"; done
}

test_stock_has_clients_on_the_director() { of_each stock client nat dr; }
test_stock_has_servers_on_the_director() { of_each stock server nat dr local; of_each stock itself nat dr; }
test_stock_keeps_hops_and_loopback() { of_each stock last_hop nat; of_each stock loopback nat; }
test_stock_serves_marks() { of_each stock by_its_mark nat dr; of_each stock of_no_server ''; }
test_stock_serves_neighbours() { of_each stock among_servers nat; of_each stock a_server_asks nat; }

test_clients_on_the_director() { of_each lvs client nat fullnat dr ipip gue-csum; }
test_servers_on_the_director() { of_each lvs server nat fullnat dr ipip local; }
test_both_on_the_director() { of_each lvs itself nat fullnat dr ipip; }
test_a_reply_with_one_hop_left_has_arrived() { of_each lvs last_hop nat fullnat; }
test_what_listens_on_loopback_is_not_for_others() { of_each lvs loopback nat fullnat; }
test_an_address_that_nobody_has() { of_each lvs by_its_mark nat fullnat dr ipip; }
test_past_the_director() { of_each lvs of_no_server ''; }
test_a_client_among_the_servers() { of_each lvs among_servers nat fullnat; }
test_a_server_as_a_client() { of_each lvs a_server_asks nat fullnat; }

# Marks that a program's own packets get.
test_a_mark_of_the_directors_own() {
    of_each lvs marked_own ''
}
marked_own() {
    in_ns director nft -f - <<NFT
add table inet own
add chain inet own out { type filter hook output priority mangle; }
add rule inet own out $L3 daddr $VIP tcp dport 80 meta mark set 3
NFT
    marked 3 fullnat "$s1"
    same "s1 $LIP1" "$(own "$VIP" "http://$vip/")"
    counted FWM 1
    in_ns director nft delete table inet own
}

run_facts v4 v6
