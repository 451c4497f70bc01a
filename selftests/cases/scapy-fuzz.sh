#!/bin/bash
# A few thousand packets of scapy's fuzz() at the VIP, at a local address and from a server: the kernel has nothing to
# report, the services go on, and nothing is left over.
# suite: control
. "${0%/*}/../lib/all.sh"

setup() {
    topology
    lvs_in
    nginx_on s1
    both services
    both get >/dev/null
}

services() {
    service -t 80 "$s1:80"
    service -u 5000 "$s1:5000"
}

# fuzz NS DESTINATION...: seeded, so that a failure can be repeated.
fuzz() {
    local ns=$1; shift
    in_ns "$ns" python3 - "$@" <<'PY'
import random, sys
import logging; logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.layers.inet import IP, TCP, UDP, ICMP
from scapy.layers.inet6 import *
from scapy.packet import Raw, fuzz
from scapy.config import conf
import socket
random.seed(20)
def v4(i):
    layer = (TCP(dport=80), UDP(dport=5000), ICMP(type=3), TCP(sport=80), TCP(dport=80, flags="S"))[i % 5]
    return IP(dst=to) / fuzz(layer)
def v6(i):
    layer = (TCP(dport=80), UDP(dport=5000), ICMPv6DestUnreach(), TCP(sport=80), TCP(dport=80, flags="S"))[i % 5]
    chain = (None, IPv6ExtHdrHopByHop(), IPv6ExtHdrDestOpt(), IPv6ExtHdrFragment(), IPv6ExtHdrRouting())[i // 5 % 5]
    return IPv6(dst=to) / fuzz(chain / layer if chain else layer)
sent = 0
for to in sys.argv[1:]:
    six = ":" in to
    s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    head = 40 if six else 20
    for i in range(350 if six else 700):
        p = bytearray(bytes((v6 if six else v4)(i) / Raw(random.randbytes(random.randrange(60)))))
        if i % 3 == 0:
            for _ in range(3):
                p[random.randrange(head, len(p))] = random.randrange(256)
        if i % 7 == 0:
            p = p[:random.randrange(head, len(p))]
        try:
            s.sendto(bytes(p), (to, 0)); sent += 1
        except OSError:
            pass
print(sent)
PY
}

test_at_the_vip() { at_least 750 "$(fuzz client 10.1.0.100 fd00:1::100)" "packets sent"; }

test_at_a_local_address() { at_least 750 "$(fuzz s1 10.9.0.1 fd00:9::1)" "packets sent"; }

test_the_service_goes_on() { both get_from_s1; }
get_from_s1() { has "$(get)" "^s1 "; }

test_connections_can_still_be_listed() { adm -Lnc >/dev/null; in_ns director cat /proc/net/lvs_conn >/dev/null; }

run_facts
