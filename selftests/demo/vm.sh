#!/bin/bash
# The demo inside the virtual machine. Says what it does, shows what happens, and checks each fact it shows.
cd /share || exit 1
set -uo pipefail
CASE=demo TMP=/tmp/demo
. lib/all.sh
exec 3>&1
mkdir -p $TMP
without_toa=$(cat without-toa)

step() { printf '\n== %s\n' "$*"; }
show() { sed 's/^/   | /'; }
# fact WHAT COMMAND...: prints ok or not ok; the first that is not ends the demo.
facts=0
fact() {
    local what=$1; shift
    facts=$((facts + 1))
    if ( set -e; "$@" ) >"$TMP/fact" 2>&1; then printf '   ok      %s\n' "$what"
    else
        printf '   not ok  %s\n' "$what"; show <"$TMP/fact"
        printf '\ndemo: FAIL\n'; exit 1
    fi
}
# shown PATTERN FILE: a line matches.
shown() { grep -E -- "$1" "$2" >/dev/null || { echo "no line matches: $1"; cat "$2"; return 1; }; }
not_shown() { ! grep -E -- "$1" "$2"; }

step "A client, a director, and two web servers in two different subnets"
topology
ip -n s1 route add $VIP/32 via 10.2.0.1   # s1 will be a client of the VIP, too
cat <<DRAWING
   |   client $CLIENT ---- director ---- 10.2.0.0/24 ---- s1 $S1
   |                 VIP $VIP   '------- 10.3.0.0/24 ---- s2 $S2
   |                 local address $LIP1
DRAWING
echo "   routes of s2:"; ip -n s2 route | show
ip -n s2 route >$TMP/routes; ip -n s2 addr >$TMP/addrs; ip -n s1 addr >>$TMP/addrs
fact "s2 has no route to the client" not_shown '^(default|10\.1\.)' $TMP/routes
ip -n s1 route >$TMP/routes
fact "nor has s1, whose only way there is to the VIP" not_shown '^(default|10\.1\.0\.0)' $TMP/routes
fact "no server has the VIP" lacks "$(<$TMP/addrs)" "$VIP"

step "lvs.ko in the director$([ -n "$without_toa" ] || echo ', toa.ko on the servers')"
fact "lvs.ko loads into the kernel $(uname -r)" modprobe lvs
if [ -z "$without_toa" ]; then fact "toa.ko loads" modprobe toa; else echo "   toa.ko is left out"; fi
nginx_on s1; nginx_on s2
cat >$TMP/rules <<RULES
-A -t $VIP:80 -s rr
-P -t $VIP:80 -z $LIP1
-a -t $VIP:80 -r $S1:80 --fullnat
-a -t $VIP:80 -r $S2:80 --fullnat
RULES
while read -r rule; do
    echo "   # ipvsadm-rs $rule"
    # shellcheck disable=SC2086  # words are meant
    fact "accepted" adm $rule
done <$TMP/rules

step "Four requests from the client"
capture front director client 'tcp port 80'
capture back director s1 'tcp port 80'
for i in 1 2 3 4; do get; done >$TMP/answers 2>&1
show <$TMP/answers
answers() { same "2 s1 2 s2" "$(cut -d' ' -f1 $TMP/answers | sort | uniq -c | xargs)"; }
fact "both servers answered, in turn" answers

step "What was on the wire (the first connection that s1 served)"
captured front -q >$TMP/front; captured back >$TMP/back
captured back -v >$TMP/back-v
echo "   client's side:"; grep -m 3 "" $TMP/front | show
echo "   server's side:"; grep -m 3 "" $TMP/back | show
fact "client's side: $CLIENT and $VIP talk" shown "$CLIENT\.[0-9]+ > $VIP\.80" $TMP/front
fact "client's side: nothing of the servers" lacks "$(<$TMP/front)" "$S1" "$S2" "$LIP1"
fact "server's side: $LIP1 and $S1 talk" shown "$LIP1\.[0-9]+ > $S1\.80: Flags \[S\]" $TMP/back
fact "server's side: neither client nor VIP" lacks "$(<$TMP/back)" "$CLIENT" "$VIP"

step "The TOA option in the SYN: kind 254, length 8, the client's port and address"
tcpdump -r $TMP/back.pcap -nX 'tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn' 2>/dev/null | grep -m1 -A5 "$LIP1" >$TMP/syn
show <$TMP/syn
option() { captured_hex back "src host $LIP1" | head -n 1 | grep -E 'fe08[0-9a-f]{4}0a010002'; }
fact "fe08 ---- 0a010002 is in it: 10.1.0.2" option

step "What the servers saw"
for s in s1 s2; do echo "   $s access.log:"; nginx_log $s | show; done
nginx_log s1 >$TMP/log; nginx_log s2 >>$TMP/log
for_all() { same 4 "$(grep -cE "^$CLIENT:[0-9]+ /" $TMP/log)" "lines that name $CLIENT"; }
fact "nginx logged the true client, $CLIENT, each time" for_all

step "A server is a client of the VIP"
for i in 1 2; do in_ns s1 curl -sS --max-time 20 "http://$VIP/"; done >$TMP/hairpin 2>&1
show <$TMP/hairpin
fact "s1 was answered by s2" shown "^s2 $S1$" $TMP/hairpin
fact "s1 was answered by itself, through the director" shown "^s1 $S1$" $TMP/hairpin

step "ipvsadm-rs -Ln --stats"
adm -Ln --stats --exact >$TMP/stats; show <$TMP/stats
fact "6 connections, 3 to each" eval "shown 'TCP +$VIP:80 +6 ' $TMP/stats && shown '-> $S1:80 +3 ' $TMP/stats && shown '-> $S2:80 +3 ' $TMP/stats"
adm -Ln >$TMP/list; show <$TMP/list
fact "the method is FullNat" shown "-> $S1:80 +FullNat" $TMP/list

step "/proc/net/lvs_conn: every connection with both legs"
# Two that stay open, so that it does not matter how long anything above took.
for i in 1 2; do background client "open$i" socat -u "tcp:$VIP:80" -; done
fact "two more connections are open" wait_for is -eq 2 conn_state ESTABLISHED
in_ns director cat /proc/net/lvs_conn >$TMP/conns; show <$TMP/conns
fact "client, VIP, local address and server in one line" shown "$CLIENT.*$VIP.*$LIP1.*$S1" $TMP/conns

step "Unloading"
refused_in_use() { refused 'in use' rmmod lvs; }
fact "rmmod lvs is refused while a service exists" refused_in_use
fact "ipvsadm-rs -C" adm -C
fact "rmmod lvs" rmmod lvs
[ -n "$without_toa" ] || fact "rmmod toa" rmmod toa
fact "the kernel has nothing to report" same "0 0" "$(cat /sys/kernel/warn_count /sys/kernel/oops_count | xargs)"

printf '\n%d facts checked on %s\ndemo: PASS\n' $facts "$(uname -r)"
