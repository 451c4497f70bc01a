# shellcheck shell=bash
# Seeing packets: tcpdump for what is in them, nft counters for how many they are.
# Sourced, never run.

# capture NAME NS DEV FILTER: tcpdump into $TMP/NAME.pcap until captured is called. Returns when it really listens.
# UDP to port 9 is let in besides the filter: it is the mark by which captured knows that it has seen everything.
capture() {
    # Not in_ns: a function in the background is a shell, and that would be killed instead of tcpdump.
    nsenter --net="/run/netns/$2" tcpdump -i "$3" -n -U --immediate-mode -s 0 -w "$TMP/$1.pcap" "($4) or udp port 9" >/dev/null 2>"$TMP/$1.err" 3>&- &
    printf '%s %s %s\n' $! "$2" "$3" >"$TMP/$1.capture"
    wait_for says 'listening on' "$TMP/$1.err"
}

# captured NAME [TCPDUMP OPTIONS...]: ends the capture and prints it, without the mark.
captured() {
    local name=$1 pid ns dev; shift
    if [ -f "$TMP/$name.capture" ]; then
        read -r pid ns dev <"$TMP/$name.capture"
        rm "$TMP/$name.capture"
        wait_for mark_seen "$name" "$ns" "$dev"
        kill -TERM "$pid"; wait_for gone "$pid"
    fi
    tcpdump -r "$TMP/$name.pcap" -n "$@" 'not udp port 9' 2>/dev/null
}

mark_seen() {
    local mark=192.0.2.9
    # A neighbour that is set by hand and a packet that leaves by the device: seen by the capture in order.
    ip -n "$2" neigh replace $mark lladdr 02:00:00:00:00:09 dev "$3" nud permanent
    ip -n "$2" route replace $mark/32 dev "$3"
    in_ns "$2" bash -c "echo mark >/dev/udp/$mark/9"
    ip -n "$2" route del $mark/32 dev "$3"
    [ -n "$(tcpdump -r "$TMP/$1.pcap" -n 'udp port 9' 2>/dev/null)" ]
}

# count_packets NAME NS DEV ingress|egress NFT-MATCH: an exact counter (a GSO packet is one).
count_packets() {
    in_ns "$2" nft -f - <<NFT
add table netdev $1
add chain netdev $1 c { type filter hook $4 device "$3" priority 0; }
add rule netdev $1 c $5 counter
NFT
}

# packets NAME NS / octets NAME NS
packets() { in_ns "$2" nft list table netdev "$1" | sed -n 's/.*counter packets \([0-9]*\) bytes.*/\1/p'; }
octets() { in_ns "$2" nft list table netdev "$1" | sed -n 's/.*counter packets [0-9]* bytes \([0-9]*\).*/\1/p'; }

# kept_whole WHAT BYTES ENTERED LEFT: bulk data left the director in at most 1.1 of the packets that it entered in, and these
# were big ones: 8 kB on average. How much a sender puts into one depends on how soon it is answered, and on what was lost: where
# they came smaller they may leave smaller, but never as small as on a wire.
kept_whole() {
    local average=$(($2 / $4)) came=$(($2 / $3)) least=8000
    [ $((came * 10 / 11)) -ge $least ] || least=$((came * 10 / 11))
    [ $least -ge 2000 ] || least=2000
    note "$1: $3 packets in, $4 out, $average bytes each"
    at_most $(($3 * 11 / 10)) "$4" "packets out for $3 in"
    at_least $least $average "bytes per packet"
}

# captured_hex NAME FILTER: a line of hexadecimal digits for each packet that matches, headers included, without spaces.
captured_hex() {
    tcpdump -r "$TMP/$1.pcap" -nx "$2" 2>/dev/null |
        awk '/^\t0x/ {sub(/^\t0x[0-9a-f]*: */, ""); gsub(/ /, ""); printf "%s", $0; next} NR > 1 {print ""} END {print ""}'
}
