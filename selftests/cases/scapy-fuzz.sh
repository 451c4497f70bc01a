#!/bin/bash
# A few thousand packets of scapy's fuzz() at the VIP, at a local address and from a server: the kernel has nothing to
# report, the services go on, and nothing is left over.
# suite: control
. "${0%/*}/../lib/all.sh"

setup() {
    topology
    lvs_in
    nginx_on s1
    service -t 80 $S1:80
    service -u 5000 $S1:5000
    get >/dev/null
}

# fuzz NS DESTINATION: seeded, so that a failure can be repeated.
fuzz() {
    in_ns "$1" python3 - "$2" <<'PY'
import random, sys
import logging; logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.layers.inet import IP, TCP, UDP, ICMP
from scapy.packet import Raw, fuzz
from scapy.config import conf
import socket
random.seed(20)
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
sent = 0
for i in range(700):
    layer = (TCP(dport=80), UDP(dport=5000), ICMP(type=3), TCP(sport=80), TCP(dport=80, flags="S"))[i % 5]
    p = bytearray(bytes(IP(dst=sys.argv[1]) / fuzz(layer) / Raw(random.randbytes(random.randrange(60)))))
    if i % 3 == 0:
        for _ in range(3):
            p[random.randrange(20, len(p))] = random.randrange(256)
    if i % 7 == 0:
        p = p[:random.randrange(20, len(p))]
    try:
        s.sendto(bytes(p), (sys.argv[1], 0)); sent += 1
    except OSError:
        pass
print(sent)
PY
}

test_at_the_vip() { at_least 500 "$(fuzz client $VIP)" "packets sent"; }

test_at_a_local_address() { at_least 500 "$(fuzz s1 $LIP1)" "packets sent"; }

test_the_service_goes_on() { has "$(get)" "^s1 "; }

test_connections_can_still_be_listed() { adm -Lnc >/dev/null; in_ns director cat /proc/net/lvs_conn >/dev/null; }

run_facts
