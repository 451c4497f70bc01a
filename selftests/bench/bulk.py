#!/usr/bin/env python3
"""One bulk transfer between plain blocking sockets, for `vm.py bulk`: iperf3 spins while it waits, and would be measured itself.

    bulk.py serve PORT             takes connections, one after the other
    bulk.py up|down ADDR PORT N    sends or fetches N bytes; ends when the other side has them all
"""
import socket
import sys

CHUNK = bytes(256 * 1024)


def receive(sock, n):
    buffer = bytearray(len(CHUNK))
    while n > 0:
        got = sock.recv_into(buffer, min(n, len(buffer)))
        if got == 0:
            raise SystemExit(f"the connection ended {n} bytes early")
        n -= got


def send(sock, n):
    while n > 0:
        n -= sock.send(CHUNK[:n] if n < len(CHUNK) else CHUNK)


def serve(port):
    with socket.create_server(("", port)) as listener:
        while True:
            sock, _ = listener.accept()
            with sock:
                way, n = sock.recv(32).decode().split()
                sock.sendall(b"!")
                (receive if way == "up" else send)(sock, int(n))
                # Told when all is there; waits for the other side when it was sent.
                sock.sendall(b".") if way == "up" else sock.recv(1)


def transfer(way, addr, port, n):
    with socket.create_connection((addr, port)) as sock:
        sock.sendall(f"{way} {n}".encode())
        receive(sock, 1)
        (send if way == "up" else receive)(sock, n)
        receive(sock, 1) if way == "up" else sock.sendall(b".")


if sys.argv[1] == "serve":
    serve(int(sys.argv[2]))
else:
    transfer(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
