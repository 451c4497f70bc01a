#!/bin/bash
# A whole set of services, servers and local addresses in place of another (-R --replace): at once, or not at all.
# suite: control
. "${0%/*}/../lib/all.sh"

setup() {
    topology
    lvs_in
    # What an earlier fact has closed is soon forgotten.
    vs_set fullnat_timeout_timewait 1
    for server in s1 s2; do echo_tcp $server 7000; echo_udp $server 5000; done
}

put() { adm -R --replace; }

first() { put <<RULES
-A -t $vip:7000 -s rr
-P -t $vip:7000 -z $LIP1
-a -t $vip:7000 -r $s1:7000 --fullnat
-A -u $vip:5000 -s wrr -p 60
-P -z $LIP3 --dedicated
-a -u $vip:5000 -r $s1:5000 -m -w 3 -x 90 -y 70
-a -u $vip:5000 -r $s2:5000 --fullnat
RULES
}

# opened NAME: a connection that says what it hears and, once $TMP/go is written to, says a word and hears it again.
opened() {
    rm -f "$TMP/go"; mkfifo "$TMP/go"
    background client "$1" python3 -ISc "
import socket
f = socket.create_connection(('$VIP', 7000), 20).makefile('rw')
print(f.readline(), end='', flush=True)
open('$TMP/go').read()
f.write('still there\n'); f.flush()
print(f.readline(), end='', flush=True)"
    wait_for says ' 7000' "$TMP/$1.log"
}

goes_on() { echo >"$TMP/go"; wait_for says 'still there' "$TMP/$1.log"; }

test_what_is_saved_is_what_was_put() {
    first
    adm -Sn >"$TMP/saved"
    has "$(cat "$TMP/saved")" "^-P -t $(rx "$vip"):7000 -z $LIP1"; has "$(cat "$TMP/saved")" "^-P -z $LIP3 --dedicated"
    has "$(cat "$TMP/saved")" "^-a -u $(rx "$vip"):5000 -r $(rx "$s1"):5000 .* -w 3 -x 90 -y 70"
    has "$(cat "$TMP/saved")" "^-a -u $(rx "$vip"):5000 -r $(rx "$s2"):5000 --fullnat"
    has "$(cat "$TMP/saved")" "^-A -u $(rx "$vip"):5000 -s wrr -p 60"
    same 7 "$(wc -l <"$TMP/saved")" lines
    put <"$TMP/saved"
    adm -Sn >"$TMP/again"
    same_file "$TMP/saved" "$TMP/again"
}

# As if it were edited: counters, connections, its place in listings.
test_what_both_sets_have_goes_on() {
    put <<<"-A -t $vip:7999 -s rr"
    first
    opened kept
    put <<RULES
-P -t $vip:7000 -z $LIP2
-P -t $vip:7000 -z $LIP1
-A -t $vip:7000 -s mh -b mh-port --masq-only
-a -t $vip:7000 -r $s2:7000 --fullnat -w 7
-a -t $vip:7000 -r $s1:7000 --fullnat -w 2 -x 9
RULES
    same '1 1 1' "$(adm -Ln --stats --exact -t "$vip:7000" | awk '$1 == "TCP" || /:7000/ && $3 > 0 {print $3}' | xargs) $(in_server)" \
        "connections of the service, of the server and now"
    has "$(adm -Ln -t "$vip:7000")" "^TCP  $(rx "$vip"):7000 mh .*mh-port"
    has "$(adm -Sn)" "^-a -t $(rx "$vip"):7000 -r $(rx "$s1"):7000 --fullnat -w 2 -x 9"
    has "$(adm -Sn)" "^-A -t $(rx "$vip"):7000 .*--masq-only"
    same "$LIP1 1 $LIP2 0" "$(adm -G -t "$vip:7000" --json | jq -r '.local_addresses[] | "\(.address) \(.connections)"' | sort | xargs)"
    goes_on kept
}
# in_server: connections of s1 now.
in_server() { adm -Ln -t "$vip:7000" | awk -v s="$s1:7000" '$2 == s {print $5 + $6}'; }

test_what_only_the_old_set_had_ends_as_if_it_were_removed() {
    first
    opened old
    put <<RULES
-A -t $vip:7000 -s rr
-P -t $vip:7000 -z $LIP2
-a -t $vip:7000 -r $s2:7000 --fullnat
RULES
    has_not "$(adm -Ln)" "$(rx "$s1")"; has_not "$(adm -Ln)" UDP
    has "$(hello 7000)" "^s2 $LIP2 "
    # No member any more; it has a connection.
    same "$LIP2" "$(adm -Sn | sed -n 's/^-P .*-z //p')"
    wait_for is = "true 1" local_state "$LIP1"
    # Put back, the server has its connection, and the address.
    first
    same 1 "$(in_server)"
    same "false 1" "$(local_state "$LIP1")"
    goes_on old
}
# local_state ADDRESS: whether it is draining, and its connections.
local_state() { adm -G -t "$vip:7000" --json | jq -r --arg a "$1" '.local_addresses[] | select(.address == $a) | "\(.draining) \(.connections)"'; }

# What a set has, line by line, its last line one that is refused, and the words.
test_a_line_that_is_refused_changes_nothing() {
    first
    adm -Sn >"$TMP/saved"; adm -Ln --stats --exact >"$TMP/counts"
    local line words count=0 group=224.0.0.5
    [ "$IP" = v4 ] || group='[ff02::5]'
    while IFS='|' read -r line words; do
        printf '%s\n' "# a set" "-A -t $vip:7000 -s wlc" "-P -t $vip:7000 -z $LIP2" "-a -t $vip:7000 -r $s2:7000 --fullnat" "$line" \
            "-A -t $vip:7009 -s rr" >"$TMP/set"
        refused "^line 5: .$(rx "$line").: .*$words.* Nothing was changed\.$" put <"$TMP/set"
        adm -Sn >"$TMP/again"; same_file "$TMP/saved" "$TMP/again"
        adm -Ln --stats --exact >"$TMP/again"; same_file "$TMP/counts" "$TMP/again"
        count=$((count + 1))
    done <<RULES
-A -t $vip:7000 -s rr|It is there already
-A -t $vip:7001 -s nosuch|No scheduler|no scheduler
-A -t $vip:7001 -s rr -b flag-1|no such flag
-a -t $vip:7000 -r $s2:7000 --fullnat|It is there already
-a -t $vip:7001 -r $s2:7000 --fullnat|Service not defined
-a -t $vip:7000 -r $s1:7000 --fullnat -x 1 -y 2|lower threshold
-a -t $vip:7000 -r $group:7000 -m|unicast
-P -t $vip:7000 -z $LIP2|It is there already
-P -z $VIP|cannot be a local address
-A -t $lip2:7001 -s rr|cannot be a local address
-D -t $vip:7000|as -S writes them
-C|as -S writes them
-L|as -S writes them
RULES
    same 13 "$count" "lines tried"
    lacks "$(adm -G)" "$LIP2"
}

test_without_rules_it_is_refused() {
    first
    refused 'no rules.*would remove everything' put </dev/null
    refused 'no rules' put <<<'# nothing'
    same 7 "$(adm -Sn | wc -l)" rules
}

test_nobody_meets_half_of_a_set() {
    local i before; before=$(drops no_destination)/$(drops no_local_address)
    half 1 "$LIP1"
    background client busy python3 -ISc "
import socket, time
names, end = [], time.monotonic() + 60
while time.monotonic() < end:
    s = socket.create_connection(('$VIP', 7000), 20)
    names.append(s.makefile().readline().split()[0])
    s.close()
    print(len(names), *sorted(set(names)), flush=True)"
    wait_for says s1 "$TMP/busy.log"
    for i in {1..12}; do
        half 0 "$LIP2"
        half 1 "$LIP1"
    done
    wait_for says 's1 s2' "$TMP/busy.log"
    # It would have ended with a connection that was refused.
    [ -e "/proc/$(pid_of busy)" ] || fail "a client failed: $(tail -n 3 "$TMP/busy.log")"
    reached "$(tail -n 1 "$TMP/busy.log" | cut -d' ' -f1) connections while the set was replaced 24 times"
    end_of busy
    same "$before" "$(drops no_destination)/$(drops no_local_address)"
}
# half WEIGHT LIP: the one server by this address, or the other. A weight at a time, nobody would have a server.
half() { put <<RULES
-A -t $vip:7000 -s wrr
-P -t $vip:7000 -z $2
-a -t $vip:7000 -r $s1:7000 --fullnat -w $1
-a -t $vip:7000 -r $s2:7000 --fullnat -w $((1 - $1))
RULES
}

# Who has been served by the new set is served by it from then on, whichever service is asked.
test_all_services_change_at_the_same_moment() {
    local round new=s2
    many s1 | put
    for round in {1..4}; do
        rm -f "$TMP/told"
        background client asks python3 -ISc "
import socket
def ask(port, own):
    s = socket.socket(socket.AF_INET6 if ':' in '$VIP' else socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(15)
    # Never one that an earlier connection had, whose server may be gone.
    s.bind(('$CLIENT', own))
    s.connect(('$VIP', port))
    s.send(b'x')
    return s.recv(99).split()[0].decode()
print('asking', flush=True)
news = asked = 0
while news < 40:
    # The first service and the last, and those between.
    port = 6000 + (0, 399, asked % 400)[asked % 3]
    asked += 1
    if ask(port, $((20000 + round * 4000)) + asked) == '$new': news += 1
    elif news: print('the old set again, at', port, flush=True); break
else: print('never again, of', asked, flush=True)"
        wait_for says asking "$TMP/asks.log"
        many $new | put
        wait_for gone "$(pid_of asks)"
        has "$(cat "$TMP/asks.log")" 'never again'
        if [ $new = s1 ]; then new=s2; else new=s1; fi
    done
}
# many SERVER: 400 services.
many() {
    local port server=$s1
    [ "$1" = s1 ] || server=$s2
    echo "-P -z $LIP1"
    for ((port = 6000; port < 6400; port++)); do
        printf '%s\n' "-A -u $vip:$port -s rr" "-a -u $vip:$port -r $server:5000 --fullnat"
    done
}

# Far more than a socket takes unasked.
test_once_a_set_may_be_large() {
    local i start end
    for ((i = 0; i < 4000; i++)); do
        printf '%s\n' "-A -t 198.51.$((i / 250)).$((i % 250)):80 -s wrr" "-a -t 198.51.$((i / 250)).$((i % 250)):80 -r $S1:$((i + 1)) -g" \
            "-a -t 198.51.$((i / 250)).$((i % 250)):80 -r $S2:$((i + 1)) -m"
    done >"$TMP/large"
    now_ms start; put <"$TMP/large"; now_ms end
    same 12000 "$(adm -Sn | wc -l)" rules
    reached "4,000 services with 8,000 servers put in $((end - start)) ms"
    now_ms start; put <"$TMP/large"; now_ms end
    same 12000 "$(adm -Sn | wc -l)" rules
    reached "the same again in $((end - start)) ms"
    first
    same 7 "$(adm -Sn | wc -l)" rules
}

test_once_of_a_message_without_rules_nothing_is_left_and_the_module_goes() {
    first
    python3 -ISc "
import sys; sys.path.insert(0, '$LIB')
import genl
with genl.Genl('LVS') as lvs: lvs.ask(11)"
    same 0 "$(adm -Sn | wc -l)" rules
    rmmod lvs
    lvs_in
    vs_set fullnat_timeout_timewait 1
}

test_once_without_privilege_it_is_refused() {
    first
    adm -Sn >"$TMP/saved"
    # A short set and one that needs room.
    local lines
    for lines in 1 4000; do
        refused 'must be root' in_ns director setpriv --reuid=65534 --clear-groups ipvsadm-rs -R --replace < <(yes -- "-A -t $vip:80 -s rr" | head -n $lines)
    done
    adm -Sn >"$TMP/again"
    same_file "$TMP/saved" "$TMP/again"
    # Nor may root of a user namespace, who owns a network namespace: nobody else may make services there either.
    refused 'must be root' unshare -Urn ipvsadm-rs -R --replace <"$TMP/saved"
}

# As an edit: what has been away since it was added does not keep the rest from being set.
test_once_a_tunnel_whose_route_is_away_stays() {
    local set="-A -t $VIP:7000 -s rr
-a -t $VIP:7000 -r 192.0.2.1:7000 -i"
    refused 'no route' put <<<"$set"
    ip -n director route add 192.0.2.0/24 via "$S1"
    put <<<"$set"
    ip -n director route del 192.0.2.0/24
    put <<<"$set -w 5"
    has "$(adm -Sn)" "-r 192.0.2.1:7000 -i -w 5"
    refused 'no route' put <<<"$set
-a -t $VIP:7000 -r 192.0.2.2:7000 -i"
}

# A client that stays with its server does not stay with one that the set has not.
test_persistence_follows_the_set() {
    local of
    for of in s1 s2 s1; do
        put <<RULES
-P -z $LIP1
-A -t $vip:7000 -s rr -p 300
-a -t $vip:7000 -r ${!of}:7000 --fullnat
RULES
        has "$(hello 7000)" "^$of "; has "$(hello 7000)" "^$of "
    done
}

run_facts v4 v6
