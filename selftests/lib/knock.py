"""knock.py ADDRESS...: datagrams to the ports 5000 to 5003 and a connection to port 80 of each address, each from a new port, again and again, whatever becomes of it.

The last few connections are kept open; a request is sent by each when the next ones are opened.
"""
import collections
import socket
import sys
import time

PAUSE, OPEN = 0.5, 40


def try_to(act):
    """What comes and goes meanwhile refuses or loses it, which is what this is for."""
    try:
        return act()
    except OSError:
        return None


def main(addresses):
    opened = collections.deque()
    while True:
        for address in addresses:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            for port in range(5000, 5004):
                with socket.socket(family, socket.SOCK_DGRAM) as s:
                    try_to(lambda: s.sendto(b"knock", (address, port)))
            s = socket.socket(family, socket.SOCK_STREAM)
            s.setblocking(False)
            s.connect_ex((address, 80))
            opened.append(s)
        for s in list(opened)[-2 * len(addresses):]:
            try_to(lambda: s.send(b"GET / HTTP/1.0\r\n\r\n"))
        while len(opened) > OPEN:
            opened.popleft().close()
        time.sleep(PAUSE)


main(sys.argv[1:])
