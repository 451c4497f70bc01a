"""many.py ADDRESS PORT COUNT FROM: datagrams of all sizes from four ports, the first of which is FROM, and their echoes (lib/echo.py udp).

Prints `NAME PEER COUNT SHA SHA`: who has answered, whom that saw, how many answers came, and the SHA-256 over what was
sent and over what came back, whatever the order. Few are on their way at a time, so that no queue is too short for them.
"""
import hashlib
import os
import socket
import sys

PORTS, WINDOW, LONGEST = 4, 8, 1180


def digest(payloads):
    return hashlib.sha256(b"".join(sorted(payloads))).hexdigest()


def main(address, port, count, first_port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sockets = [socket.socket(family, socket.SOCK_DGRAM) for _ in range(PORTS)]
    for n, s in enumerate(sockets):
        s.settimeout(20)
        s.bind(("", first_port + n))
        s.connect((address, port))
    sent, came, who = [], [], set()
    for first in range(0, count, WINDOW):
        window = [n.to_bytes(4, "big") + os.urandom(n * 37 % LONGEST) for n in range(first, min(first + WINDOW, count))]
        for n, payload in enumerate(window):
            sockets[n % PORTS].send(payload)
        for n in range(len(window)):
            name, peer, _, echo = sockets[n % PORTS].recv(65535).split(b" ", 3)
            who.add((name.decode(), peer.decode()))
            came.append(echo)
        sent += window
    for name, peer in sorted(who):
        print(name, peer, len(came), digest(sent), digest(came))


main(sys.argv[1], *map(int, sys.argv[2:]))
