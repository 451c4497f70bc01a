#!/bin/bash
# FULLNAT between IPv6 clients and IPv4 servers, with programs: pages, bulk, datagrams, what servers learn of the client,
# what is listed, saved and counted, and how it ends.
# suite: traffic
# seconds: 600
. "${0%/*}/../lib/all.sh"

MB=10
V=fd00:1::100
C=fd00:1::2

setup() {
    topology
    lvs_in; toa_in
    # Closed connections stay listed for as long as a fact may take.
    vs_set fullnat_timeout_timewait 120
    nginx_on s1; nginx_on s2
    echo_tcp s1 7000; echo_tcp s1 7001 ::
    echo_udp s1 5000
    service64 -t 80 $S1:80 $S2:80
    service64 -t 7000 $S1:7000
    service64 -t 7001 $S1:7001
    service64 -t 9000 $S1:9000
    service64 -u 5000 $S1:5000
    head -c $((MB * 1048576)) /dev/urandom >"$TMP/data"
    sha256sum <"$TMP/data" >"$TMP/sum"
}

# service64 -t|-u PORT SERVER:PORT...: a FULLNAT service on the IPv6 VIP with IPv4 servers and the first local address.
service64() {
    local proto=$1 port=$2 server; shift 2
    adm -A "$proto" "[$V]:$port" -s rr
    adm -P "$proto" "[$V]:$port" -z $LIP1
    for server; do adm -a "$proto" "[$V]:$port" -r "$server" --fullnat; done
}

page() { in_ns client curl -gsS --max-time 20 "$@" "http://[$V]/"; }

# hello PORT [SOURCE PORT]: what a server of lib/echo.py says about who calls.
hello() { in_ns client python3 -ISc "
import socket
s = socket.create_connection(('$V', $1), 20, ('$C', ${2:-0}))
print(s.makefile().readline(), end='')"; }

test_pages_come_from_both_servers_in_turn() {
    # nginx listens on IPv4 apart from IPv6: it sees who the connection is from, and no IPv6 address fits there.
    same "s1 $LIP1
s2 $LIP1" "$(for _ in 1 2; do page; done | sort)"
}

test_both_legs_have_the_addresses_they_should() {
    capture front director client 'tcp port 80'
    capture back1 director s1 'tcp port 80'
    capture back2 director s2 'tcp port 80'
    page >/dev/null
    local front back
    front=$(captured front) back=$(captured back1; captured back2)
    has "$front" "IP6 $C\.[0-9]+ > $V\.80: Flags \[S\]"
    has "$front" "IP6 $V\.80 > $C\.[0-9]+: Flags \[S\.\]"
    has "$back" "IP $LIP1\.[0-9]+ > ($S1|$S2)\.80: Flags \[S\]"
    has "$back" "IP ($S1|$S2)\.80 > $LIP1\.[0-9]+: Flags \[S\.\]"
    has_not "$back" IP6 "the servers' side"
    has_not "$front" 'IP ' "the client's side"
}

test_the_option_is_on_the_wire() {
    capture toa director s1 'tcp port 80'
    page >/dev/null; page >/dev/null
    captured toa >/dev/null
    local option='fe14[0-9a-f]{4}fd000001000000000000000000000002' packets
    packets=$(captured_hex toa "src host $LIP1")
    has "$(head -n 1 <<<"$packets")" "$option" SYN
    has "$(sed -n 2p <<<"$packets")" "$option" "the handshake's ACK"
    has_not "$(tail -n 1 <<<"$packets")" "$option" "the last segment"
}

test_a_socket_of_both_families_sees_the_client() {
    has "$(hello 7001 15001)" "^s1 $C 15001 ::ffff:$S1 7001$"
}

test_an_ipv4_socket_sees_the_local_address() {
    has "$(hello 7000 15002)" "^s1 $LIP1 [0-9]+ $S1 7000$"
}

test_an_ipv4_socket_is_told_the_client_when_it_asks() {
    background s1 asker python3 -ISc "
import socket, struct
l = socket.create_server(('0.0.0.0', 7002)); c, peer = l.accept()
c.recv(1)
raw = c.getsockopt(socket.IPPROTO_IP, 4096, 20)
print(peer[0], socket.inet_ntop(socket.AF_INET6, raw[:16]), struct.unpack('!H', raw[16:18])[0], flush=True)
c.sendall(b'x')"
    wait_for listens s1 tcp 7002
    service64 -t 7002 $S1:7002
    in_ns client python3 -ISc "
import socket
s = socket.create_connection(('$V', 7002), 20, ('$C', 15003)); s.sendall(b'x'); s.recv(1)"
    adm -D -t "[$V]:7002"
    same "$LIP1 $C 15003" "$(cat "$TMP/asker.log")"
    at_least 1 "$(toa_count answered_nat64)"
}

test_without_the_module_it_is_the_local_address_everywhere() {
    rmmod toa
    has "$(hello 7001 15004)" "^s1 ::ffff:$LIP1 [0-9]+ ::ffff:$S1 7001$"
    toa_in
    has "$(hello 7001 15005)" "^s1 $C 15005 "
}

# transfer up|down: one connection; the receiver's sum must be the sender's.
transfer() {
    if [ "$1" = up ]; then
        background s1 receiver sh -c "socat -u tcp4-listen:9000,reuseaddr - | sha256sum"
        wait_for listens s1 tcp 9000
        in_ns client timeout 60 socat -u "$TMP/data" "tcp:[$V]:9000"
        wait_for gone "$(pid_of receiver)"
        same "$(cat "$TMP/sum")" "$(cat "$TMP/receiver.log")" "sha256 of $MB MB to the server"
    else
        background s1 sender socat -u "$TMP/data" tcp4-listen:9000,reuseaddr
        wait_for listens s1 tcp 9000
        same "$(cat "$TMP/sum")" "$(in_ns client timeout 60 socat -u "tcp:[$V]:9000" - | sha256sum)" "sha256 of $MB MB to the client"
    fi
}

# counted up|down: the same, and big packets stay whole: as many leave the director as enter it, 8 kB on average.
counted() {
    local in_dev=client out_ns=s1 entered left ns
    if [ "$1" = down ]; then in_dev=s1 out_ns=client; fi
    for ns in director s1 client; do in_ns $ns nft flush ruleset; done
    count_packets entered director $in_dev ingress 'meta length > 200 tcp sport 1-65535'
    count_packets left $out_ns eth0 ingress 'meta length > 200 tcp sport 1-65535'
    transfer "$1"
    entered=$(packets entered director) left=$(packets left $out_ns)
    kept_whole "$1" $((MB * 1048576)) "$entered" "$left"
}

offload() {
    in_ns client ethtool -K eth0 "$@"; in_ns s1 ethtool -K eth0 "$@"
    in_ns director ethtool -K client "$@"; in_ns director ethtool -K s1 "$@"
}

test_bulk_both_ways_in_big_packets() { counted up; counted down; }

test_bulk_with_gro() {
    offload gro on
    counted up; counted down
}

# dropped: how many packets were dropped, for whatever reason.
dropped() { adm -L --drops --json | jq '[.drops[].count] | add // 0'; }

# listed up|down DEVICE: what comes by the director's device is of several segments, and none of it is dropped.
listed() {
    local before; before=$(dropped)
    in_ns director nft flush ruleset
    count_packets entered director "$2" ingress 'meta length > 200 tcp sport 1-65535'
    transfer "$1"
    note "$1: $((MB * 1048576 / $(packets entered director))) bytes in each packet"
    at_least 2000 $((MB * 1048576 / $(packets entered director))) "bytes in a packet of segments of 1440"
    same "$before" "$(dropped)" "packets dropped"
}

# The senders send segments of one MTU each, so that it is the director who makes lists of them.
test_bulk_with_lists_of_packets() {
    local ns
    for ns in client s1; do in_ns "$ns" ethtool -K eth0 gso off tso off; done
    offload gro on rx-gro-list on
    listed up client; listed down s1
    offload rx-gro-list off
    for ns in client s1; do in_ns "$ns" ethtool -K eth0 gso on tso on; done
}

test_bulk_without_any_offload() {
    offload gro off gso off tso off tx off rx off
    transfer up; transfer down
}

test_bulk_with_segments_but_without_checksum_offload() {
    offload gro off gso on tso off tx off rx off
    transfer up; transfer down
    offload gro on gso on tso on tx on rx on
}

test_datagrams_and_their_answers_are_whole_at_any_size() {
    local n out
    has "$(ask_udp client $V 5000 hello)" "^s1 $LIP1 [0-9]+ hello$"
    for n in 1400 1432 1440 1452 1453 1472 20000; do
        # A datagram that the longer header makes too long is lost, and its sender learns.
        out=$(ASK_SECONDS=3 ask_udp client $V 5000 "@$n" 15020) || out=$(ask_udp client $V 5000 "@$n" 15020)
        has "$out" "^s1 $LIP1 [0-9]+ x+$"
        at_least "$n" ${#out} "bytes that came back"
    done
}

test_a_port_where_nobody_listens_is_reported() {
    service64 -u 5001 $S1:5001
    same ECONNREFUSED "$(ask_udp client $V 5001 hello || true)"
    adm -D -u "[$V]:5001"
}

test_a_server_that_refuses_is_heard() {
    service64 -t 7999 $S1:7999
    refused 'refused' in_ns client python3 -ISc "import socket; socket.create_connection(('$V', 7999), 20)"
    adm -D -t "[$V]:7999"
}

test_the_connection_is_listed_with_both_legs() {
    hello 7000 15010 >/dev/null
    has "$(in_ns director cat /proc/net/lvs_conn)" "^TCP +\[$C\]:15010 +\[$V\]:7000 +$(rx $LIP1):[0-9]+ +$(rx $S1):7000 .*FullNat"
    # 15010 = 3AA2, 7000 = 1B58.
    has "$(in_ns director cat /proc/net/ip_vs_conn)" "^TCP fd00:0001:0000:0000:0000:0000:0000:0002 3AA2 fd00:0001:0000:0000:0000:0000:0000:0100 1B58 0A020002 1B58 "
    has "$(adm -Lnc)" "^TCP .*\[$C\]:15010 +\[$V\]:7000 +$(rx $S1):7000"
    has "$(adm -L --conn-legs -n)" "\[$C\]:15010 +\[$V\]:7000 +$(rx $LIP1):[0-9]+ +$(rx $S1):7000"
    has "$(stock -Lnc)" "TCP .*\[$C\]:15010 +\[$V\]:7000 +$(rx $S1):7000"
}

test_who_tells_the_client_of_a_line_in_a_servers_log() {
    local server peer log before; before=$(logged 's?' .)
    read -r server _ <<<"$(page)"
    wait_for is -eq $((before + 1)) logged 's?' .
    log=$(nginx_log "$server" | tail -n 1) peer=${log%% *}
    has "$peer" "^$LIP1:[0-9]+$"
    local out; out=$(adm who "$peer")
    has "$out" "\[$C\]:[0-9]+"; has "$out" "\[$V\]:80"; has "$out" "($S1|$S2):80"
}

test_it_is_listed_by_stock_and_by_ours() {
    has "$(adm -Ln -t "[$V]:80")" "-> $(rx $S1):80 +FullNat +1 "
    has "$(stock -Ln -t "[$V]:80")" "^TCP +\[$V\]:80 rr"
    has "$(stock -Ln -t "[$V]:80")" "-> $(rx $S1):80 +Masq +1 "
    same "$(adm -Ln --stats --exact -t "[$V]:80")" "$(stock -Ln --stats --exact -t "[$V]:80")"
    adm -Ln --json | jq -e --arg v $V --arg s $S1 '[.services[] | select(.address == $v) | .. | strings | select(. == $s)] | length > 0' >/dev/null
}

# Bytes are counted as they came, each side in its own family.
stats_of() { adm -Ln --stats --exact -t "[$V]:$1" | awk '$1 == "TCP" {print $3, $4, $5, $6, $7}'; }
agree() { local ours wire; ours=$(stats_of 7000) wire=$(seen); echo "counted $ours, seen $wire"; [ "$ours" = "$wire" ]; }
seen() { echo "1 $(packets front director) $(packets back director) $(octets front director) $(octets back director)"; }

test_counters_count_what_each_side_sent() {
    in_ns director nft flush ruleset
    count_packets front director client ingress "ip6 daddr $V tcp dport 7000"
    count_packets back director s1 ingress "ip saddr $S1 tcp sport 7000"
    adm -Z
    hello 7000 >/dev/null
    wait_for is -ge 5 packets front director
    wait_for is -ge 3 packets back director
    wait_for agree
    has "$(adm -G -t "[$V]:7000" -n)" "$(rx $LIP1)"
}

test_saving_and_restoring_brings_everything_back() {
    adm -Sn >"$TMP/saved"
    has "$(cat "$TMP/saved")" "^-P -t \[$V\]:80 -z $LIP1$"
    has "$(cat "$TMP/saved")" "^-a -t \[$V\]:80 -r $S1:80 --fullnat -w 1$"
    adm -C
    local port; for port in 80 7000 7001 9000; do adm -Q -t "[$V]:$port" -z $LIP1; done; adm -Q -u "[$V]:5000" -z $LIP1
    adm -R <"$TMP/saved"
    # Pools whose services are gone are in no order.
    adm -Sn | sort >"$TMP/again"
    sort "$TMP/saved" >"$TMP/sorted"
    same_file "$TMP/sorted" "$TMP/again"
    has "$(page)" "^s[12] $LIP1"
}

# Its word for FULLNAT is masquerading, which has no servers of the other family.
test_what_stock_saves_is_refused_in_words() {
    stock -Sn >"$TMP/stock"
    has "$(cat "$TMP/stock")" "-a -t \[$V\]:80 -r $S1:80 -m -w 1"
    adm -C
    refused '^Different address family is allowed only for tunneling servers$' stock -R <"$TMP/stock"
    adm -C
    refused 'line 2: .*Different address family is allowed only for tunneling servers: .*--fullnat\.' adm -R <"$TMP/stock"
    same '' "$(adm -Sn | grep -v '^-P')" "what is there though it was refused"
    adm -R <"$TMP/saved"
    has "$(page)" "^s[12] $LIP1"
}

test_the_default_pools_ipv4_address_serves_it() {
    adm -A -t "[$V]:7003" -s rr
    adm -a -t "[$V]:7003" -r $S1:7000 --fullnat
    local before; before=$(drops no_local_address)
    adm -P -z fd00:9::3
    refused 'timed out' in_ns client python3 -ISc "import socket; socket.create_connection(('$V', 7003), 3)"
    at_least $((before + 1)) "$(drops no_local_address)" "an IPv6 address serves no IPv4 server"
    adm -P -z $LIP3
    has "$(hello 7003)" "^s1 $LIP3 [0-9]+ $S1 7000$"
    adm -D -t "[$V]:7003"
    adm -Q -z $LIP3; adm -Q -z fd00:9::3
}

test_servers_of_both_families_serve_one_service() {
    adm -A -t "[$V]:7004" -s rr
    adm -P -t "[$V]:7004" -z $LIP2; adm -P -t "[$V]:7004" -z fd00:9::2
    adm -a -t "[$V]:7004" -r $S1:7000 --fullnat
    adm -a -t "[$V]:7004" -r "[fd00:2::2]:7000" --fullnat
    # An IPv6 socket of its own answers in IPv6, and toa.ko tells it the client.
    same "s1 $LIP2 s1 $C" "$(for _ in 1 2; do hello 7004 | cut -d' ' -f1,2; done | sort | xargs)"
    adm -D -t "[$V]:7004"
}

test_a_service_of_ipv4_has_no_servers_of_ipv6() {
    adm -A -t $VIP:7005 -s rr
    refused "The destination's address family differs from its service's: only tunnels, and FULLNAT from IPv6 to IPv4, allow that\." \
        adm -a -t $VIP:7005 -r "[fd00:2::2]:7000" --fullnat
    refused "A service of IPv4 has no use for a local address of IPv6: its servers are of IPv4\." adm -P -t $VIP:7005 -z fd00:9::2
    same '' "$(adm -Ln -t $VIP:7005 | grep -e '->.*fd00' || true)"
    adm -D -t $VIP:7005
    refused "Different address family is allowed only for tunneling servers: .*--fullnat\." adm -a -t "[$V]:80" -r 10.3.0.9:80 -g
    same '' "$(adm -Ln -t "[$V]:80" | grep -e '->.*10.3.0.9' || true)"
}

test_fifty_connections_at_once() {
    in_ns client curl -sS --max-time 60 --no-keepalive -Z --parallel-max 50 -H 'Connection: close' -o /dev/null "http://[$V]/?p[1-50]"
    wait_for is -eq 50 logged 's?' '/\?p'
    same "" "$(for s in s1 s2; do grep "/?p" "$TMP/$s/access.log" | cut -d' ' -f1 | sort | uniq -d; done)"
}

test_real_sockets_are_reset_at_both_ends_when_it_expires() {
    stock --set 1 0 0
    in_ns client python3 -ISc "
import socket
s = socket.create_connection(('$V', 7000), 20)
s.recv(100)
try:
    s.recv(100)
    print('the end without a reset')
except ConnectionResetError:
    print('reset')" >"$TMP/client.log"
    says reset "$TMP/client.log"
    wait_for eval '! in_ns s1 ss -Htn state established sport = :7000 | grep .'
    stock --set 900 120 300
}

# resets: a segment to a local address that belongs to no connection is answered by the host.
resets() { in_ns s1 python3 -ISc "
import socket
try:
    socket.create_connection(('$LIP1', 4321), 5)
except ConnectionRefusedError:
    print('reset')"; }

test_the_hooks_of_ipv4_go_with_the_last_server_of_ipv4() {
    adm -Sn >"$TMP/saved"
    adm -C
    same reset "$(resets)"
    adm -R <"$TMP/saved"
    has "$(page)" '^s'
    same reset "$(resets)"
    adm -C
    same reset "$(resets)"
    # What is told to an IPv4 socket of the host's own is no longer ours to look at.
    in_ns s1 ping -c 1 -W 10 $LIP1 >/dev/null
    adm -R <"$TMP/saved"
    has "$(page)" '^s'
}

test_deleting_its_server_under_a_transfer_ends_in_no_report() {
    adm -A -t "[$V]:81" -s rr; adm -P -t "[$V]:81" -z $LIP2; adm -a -t "[$V]:81" -r $S1:80 --fullnat
    load 81
    adm -d -t "[$V]:81" -r $S1:80
    adm -D -t "[$V]:81"
    kill "$(pid_of load)"
    has "$(page)" '^s'
}

# load PORT: transfers that are never done, and a counter that shows that they run.
load() {
    [ -e "$TMP/s1/www/endless" ] || { head -c 100000000 /dev/zero >"$TMP/s1/www/endless"; cp "$TMP/s1/www/endless" "$TMP/s2/www/endless"; }
    background client load sh -c "while :; do curl -gs --max-time 60 -o /dev/null 'http://[$V]:$1/endless'; done"
    in_ns client nft flush ruleset
    count_packets running client eth0 ingress "meta protocol ip6 tcp sport $1"
    wait_for is -ge 30 packets running client
}

test_unload_under_transfers() {
    load 80
    stock -C
    rmmod lvs
    pkill -P "$(pid_of load)" curl || true
    kill "$(pid_of load)"
    same reset "$(resets)"
    lvs_in
    service64 -t 80 $S1:80
    has "$(page)" "^s1 $LIP1"
    stock -C; rmmod lvs
}

run_facts
