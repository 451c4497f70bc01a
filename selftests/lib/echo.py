"""Servers that tell what they see of their peer, then echo.

    echo.py udp PORT NAME            answers `NAME <peer address> <peer port> <datagram>`
    echo.py tcp PORT NAME [ADDRESS]  says `NAME <peer> <port> <own> <port>` and echoes until the end
"""
import socket
import sys
import threading


def udp(port, name):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("0.0.0.0", port))
    while True:
        data, peer = s.recvfrom(65535)
        s.sendto(f"{name} {peer[0]} {peer[1]} ".encode() + data, peer)


def serve(c, name):
    peer, own = c.getpeername(), c.getsockname()
    c.sendall(f"{name} {peer[0]} {peer[1]} {own[0]} {own[1]}\n".encode())
    while data := c.recv(65536):
        c.sendall(data)
    c.close()


def tcp(port, name, address="0.0.0.0"):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    s = socket.create_server((address, port), family=family, backlog=512, dualstack_ipv6=family == socket.AF_INET6)
    while True:
        c, _ = s.accept()
        threading.Thread(target=serve, args=(c, name), daemon=True).start()


if __name__ == "__main__":
    {"udp": udp, "tcp": tcp}[sys.argv[1]](int(sys.argv[2]), *sys.argv[3:])
