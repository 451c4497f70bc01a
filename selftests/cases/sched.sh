#!/bin/bash
# Schedulers by real connections: the rule of each, and the kernel's own ip_vs choosing the same servers.
# suite: services
. "${0%/*}/../lib/all.sh"
. "$LIB/direct.sh"

CLIENTS=30

# Each service of a fact has a port of its own, so that no connection of another one counts.
setup() {
    topology
    direct_servers
    local n
    for ((n = 10; n < 10 + CLIENTS; n++)); do
        printf 'addr add 10.1.0.%s/24 dev eth0\naddr add fd00:1::%s/64 dev eth0 nodad preferred_lft 0\n' $n $n
    done | batch client
    cat >"$TMP/answer.py" <<'PY'
import selectors, socket, sys
poll, name = selectors.DefaultSelector(), sys.argv[1].encode()
for port in range(8000, 8060):
    poll.register(socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True), 1, True)
while True:
    for key, _ in poll.select():
        if key.data:
            peer = key.fileobj.accept()[0]
            peer.sendall(name)
            poll.register(peer, 1, False)
            continue
        try:
            over = not key.fileobj.recv(100)
        except OSError:
            over = True
        if over:
            poll.unregister(key.fileobj)
            key.fileobj.close()
PY
    cat >"$TMP/choose.py" <<'PY'
import socket, sys
vip = sys.argv[1]
family, net = (socket.AF_INET6, "fd00:1::") if ":" in vip else (socket.AF_INET, "10.1.0.")
def connect(port, source=("", 0)):
    s = socket.socket(family)
    s.settimeout(15)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # It leaves with a RST, and no port waits.
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    s.bind(source)
    s.connect((vip, port))
    return s, s.recv(10).decode()
for line in sys.stdin:
    what, port, *numbers = line.split()
    port, count, rounds = int(port), int(numbers[0]), int((numbers + [1])[1])
    chosen = []
    if what == "hold":
        held = [connect(port) for _ in range(count)]
        chosen = [name for _, name in held]
    else:
        held = []
        for r in range(rounds):
            for i in range(count):
                s, name = connect(port, (f"{net}{10 + i}", 20000 + r * 100 + i))
                chosen.append(name)
                s.close()
    for s, _ in held:
        s.close()
    print(*chosen, flush=True)
PY
    local ns
    for ns in s1 s2; do
        background $ns "answer-$ns" python3 -IS "$TMP/answer.py" $ns
        wait_for listens $ns tcp 8059
    done
    lvs_in
}

# choose: for each line of stdin who answered. `hold PORT COUNT` is that many connections at a time, `map PORT CLIENTS
# [ROUNDS]` one after another from each of so many addresses.
choose() { in_ns client python3 -IS "$TMP/choose.py" "$VIP"; }

# shares: `s1 COUNT s2 COUNT` of a line.
shares() { tr ' ' '\n' | sort | uniq -c | awk '{printf "%s%s %s", (NR > 1 ? " " : ""), $2, $1}'; }

# of PORT SCHEDULER WEIGHT1 WEIGHT2 [OPTIONS...]: a service as lines for `configured`.
of() {
    local port=$1 sched=$2 w1=$3 w2=$4; shift 4
    printf '%s\n' "-A -t $vip:$port -s $sched $*" "-a -t $vip:$port -r $s1:$port -g -w $w1" "-a -t $vip:$port -r $s2:$port -g -w $w2"
}
configured() { in_ns director ipvsadm -R; }

# weights PORT WEIGHT1 WEIGHT2: from now on.
weights() { stock -e -t "$vip:$1" -r "$s1:$1" -g -w "$2"; stock -e -t "$vip:$1" -r "$s2:$1" -g -w "$3"; }

test_rr_and_wrr_take_turns_by_weight() {
    { of 8000 rr 1 1; of 8001 wrr 3 1; } | configured
    local out; out=$(printf '%s\n' 'map 8000 6' 'map 8001 8' | choose)
    has "$(sed -n 1p <<<"$out")" '^(s1 s2 s1 s2 s1 s2|s2 s1 s2 s1 s2 s1)$' "rr"
    same 's1 6 s2 2' "$(sed -n 2p <<<"$out" | shares)" "wrr"
}

# Directors that start at the same time do not all begin with the same server. Of 25 all: once in sixteen million runs.
test_the_first_server_is_any() {
    local sched port
    for sched in rr wrr; do
        for port in {8030..8054}; do of $port $sched 1 1; done | configured
        has "$(for port in {8030..8054}; do echo "map $port 1"; done | choose | xargs | shares)" '^s1 [0-9]+ s2 [0-9]+$' $sched
        for port in {8030..8054}; do echo "-D -t $vip:$port"; done | configured
    done
}

test_least_connections() {
    local port=8002 s
    for s in lc wlc sed nq; do of $port $s 1 1; port=$((port + 1)); done | configured
    local line n=0
    printf 'hold %s 4\n' 8002 8003 8004 8005 | choose >"$TMP/chosen"
    while read -r line; do n=$((n + 1)); same 's1 2 s2 2' "$(shares <<<"$line")" "line $n"; done <"$TMP/chosen"
    same 4 $n "schedulers"
}

test_weights_of_wlc_and_sed() {
    { of 8006 wlc 3 1; of 8007 sed 3 1; } | configured
    local out; out=$(printf 'hold %s 8\n' 8006 8007 | choose)
    same 's1 6 s2 2' "$(sed -n 1p <<<"$out" | shares)" wlc
    same 's1 6 s2 2' "$(sed -n 2p <<<"$out" | shares)" sed
}

test_nq_fills_an_idle_server_first() {
    { of 8008 nq 100 1; of 8009 sed 100 1; } | configured
    local out; out=$(printf 'hold %s 2\n' 8008 8009 | choose)
    same 's1 1 s2 1' "$(sed -n 1p <<<"$out" | shares)" nq
    same 's1 2' "$(sed -n 2p <<<"$out" | shares)" sed
}

test_fo_takes_the_heaviest() {
    of 8010 fo 5 9 | configured
    same 's2 s2 s2' "$(choose <<<'map 8010 3')"
    stock -e -t "$vip:8010" -r "$s2:8010" -g -w 0
    same 's1 s1 s1' "$(choose <<<'map 8010 3')" "with the heaviest at 0"
}

# The last that a server gets is the one that makes it have more than its weight.
test_ovf_overflows_beyond_the_weight() {
    of 8011 ovf 2 1 | configured
    same 's1 s1 s1 s2 s2' "$(choose <<<'hold 8011 5')"
}

# All 30 at one of two: once in five hundred million runs.
test_twos_uses_both() {
    of 8012 twos 1 1 | configured
    has "$(choose <<<"map 8012 $CLIENTS" | shares)" '^s1 [0-9]+ s2 [0-9]+$'
}

test_dh_goes_by_the_destination() {
    of 8013 dh 1 1 | configured
    has "$(choose <<<'map 8013 10' | shares)" '^s[12] 10$'
}

test_sh_and_mh_keep_a_client_and_spread_clients_by_weight() {
    local s port=8014 out heavier
    { of 8014 sh 3 1; of 8015 mh 3 1; } | configured
    for s in sh mh; do
        # The second time from other ports.
        out=$(choose <<<"map $port $CLIENTS 2")
        same "$(cut -d' ' -f"1-$CLIENTS" <<<"$out")" "$(cut -d' ' -f"$((CLIENTS + 1))-" <<<"$out")" "$s: the second time"
        heavier=$(shares <<<"$out" | awk '{print $2}')
        at_least 36 "$heavier" "$s: connections of the heavier server of 60"
        at_most 56 "$heavier" "$s: connections of the heavier server of 60"
        port=$((port + 1))
    done
}

test_with_the_port_a_client_is_spread() {
    { of 8016 sh 1 1 -b sh-port; of 8017 mh 1 1 -b mh-port; } | configured
    local out; out=$(printf 'map %s 1 20\n' 8016 8017 | choose)
    has "$(sed -n 1p <<<"$out" | shares)" '^s1 [0-9]+ s2 [0-9]+$' sh
    has "$(sed -n 2p <<<"$out" | shares)" '^s1 [0-9]+ s2 [0-9]+$' mh
}

test_fallback_finds_another_server() {
    { of 8018 sh 1 1 -b sh-fallback; of 8019 mh 1 1 -b mh-fallback; } | configured
    weights 8018 0 1; weights 8019 0 1
    local out; out=$(printf 'map %s 10\n' 8018 8019 | choose)
    same 's2 10' "$(sed -n 1p <<<"$out" | shares)" sh
    same 's2 10' "$(sed -n 2p <<<"$out" | shares)" mh
}

# Of every scheduler that does not roll dice, on ports that no fact above has used. Of equals stock takes the first and we
# begin with any, so of those that know equals it is how many each got, else the choices one by one.
choices() {
    local s port=8030
    for s in rr wrr lc wlc sed nq fo ovf dh sh mh; do of $port $s 3 1; port=$((port + 1)); done >"$TMP/rules"
    { of 8041 sh 1 1 -b sh-port; of 8042 mh 1 1 -b mh-port; of 8043 sh 1 2 -b sh-fallback; of 8044 mh 1 2 -b mh-fallback; } >>"$TMP/rules"
    configured <"$TMP/rules"
    weights 8043 1 0; weights 8044 1 0
    {
        printf 'hold %s 8\n' 8030 8031 8032 8033 8034 8035
        # ovf has room for four and two.
        printf 'hold %s 6\n' 8036 8037
        printf 'map %s 3\n' 8038 8043 8044
        printf "map %s $CLIENTS\n" 8039 8040 8041 8042
    } | choose >"$TMP/chosen"
    local line
    head -n 6 "$TMP/chosen" | while read -r line; do shares <<<"$line"; echo; done
    tail -n +7 "$TMP/chosen"
}
test_once_the_same_choices_as_stock() {
    both choices >"$TMP/ours"
    modules_out; stock_in
    modprobe -ia ip_vs_{rr,wrr,lc,wlc,sed,nq,fo,ovf,dh,sh,mh}
    both choices >"$TMP/stock"
    modules_out; lvs_in
    same "$((2 * (6 * 4 + 2 * 6 + 3 * 3 + 4 * CLIENTS)))" "$(wc -w <"$TMP/ours")" "words"
    same_file "$TMP/stock" "$TMP/ours"
}

run_facts v4 v6
