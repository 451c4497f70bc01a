"""Servers that tell what they see of their peer, then echo.

    echo.py udp PORT NAME            answers `NAME <peer address> <peer port> <datagram>`
    echo.py tcp PORT NAME [ADDRESS]  says `NAME <peer> <port> <own> <port>` and echoes until the end

Each family is answered by a socket of its own. With ADDRESS nothing else is listened on: `::` is an IPv6 socket that
takes IPv4, too.
"""
import socket
import sys
import threading


def udp(s, name):
    while True:
        data, peer = s.recvfrom(65535)
        s.sendto(f"{name} {peer[0]} {peer[1]} ".encode() + data, peer)


def serve(c, name):
    peer, own = c.getpeername(), c.getsockname()
    c.sendall(f"{name} {peer[0]} {peer[1]} {own[0]} {own[1]}\n".encode())
    while data := c.recv(65536):
        c.sendall(data)
    c.close()


def tcp(s, name):
    while True:
        c, _ = s.accept()
        threading.Thread(target=serve, args=(c, name), daemon=True).start()


def main(kind, port, name, *only):
    for address in only or ("::", "0.0.0.0"):
        s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET,
                          socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
        if ":" in address:
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not only)
        if kind == "tcp":
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((address, int(port)))
        if kind == "tcp":
            s.listen(512)
        threading.Thread(target={"udp": udp, "tcp": tcp}[kind], args=(s, name)).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
