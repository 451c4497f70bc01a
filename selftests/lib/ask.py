"""ask.py ADDRESS PORT TEXT [SOURCE PORT]: one datagram and its answer. `@N` as TEXT is N bytes of `x`.

Exit status 1 when no answer came within a time that is generous under emulation ($ASK_SECONDS, by default 15), 2 with the error's name when an
ICMP error came instead. $ASK_FROM is the address to ask from, $ASK_TTL the TTL or hop limit.
"""
import errno
import os
import socket
import sys

six = ":" in sys.argv[1]
s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(float(os.environ.get("ASK_SECONDS", 15)))
text = sys.argv[3]
data = b"x" * int(text[1:]) if text.startswith("@") else text.encode()
s.bind((os.environ.get("ASK_FROM", "::" if six else "0.0.0.0"), int((sys.argv + [0])[4])))
if ttl := os.environ.get("ASK_TTL"):
    s.setsockopt(*(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS) if six else (socket.IPPROTO_IP, socket.IP_TTL), int(ttl))
s.connect((sys.argv[1], int(sys.argv[2])))
try:
    s.send(data)
    print(s.recv(65535).decode())
except TimeoutError:
    sys.exit("no answer")
except OSError as e:
    print(errno.errorcode[e.errno])
    sys.exit(2)
