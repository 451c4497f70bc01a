"""traffic.py ADDRESS...: requests to port 80 of each address, one after another without end, each by a new connection.

A line for each, `<time it began, ms> <ms it took> <address> ok <first word of the answer>`, or `... failed <why>`. And others
by one connection to s2 that is kept, with `kept` for `ok` and `lost` for `failed`, after which it is opened anew.
"""
import socket
import sys
import threading
import time

PAUSE = 0.05


def connect(address, patience=10):
    return socket.create_connection((address, 80), patience)


def ask(connection, address, keep):
    """The first word of the answer to one request."""
    host = f"[{address}]" if ":" in address else address
    how = "keep-alive" if keep else "close"
    connection.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: {how}\r\n\r\n".encode())
    data = b""
    while b"\r\n\r\n" not in data or not data.endswith(b"\n"):
        more = connection.recv(4096)
        if not more:
            raise EOFError("the connection ended")
        data += more
    head, body = data.split(b"\r\n\r\n", 1)
    if b" 200 " not in head.split(b"\r\n")[0] + b" ":
        raise ValueError(head.decode())
    return body.split()[0].decode()


def say(began, address, verdict, what):
    took = int((time.time() - began) * 1000)
    print(f"{int(began * 1000)} {took} {address} {verdict} {what}", flush=True)


def each(address):
    while True:
        began = time.time()
        try:
            with connect(address) as connection:
                say(began, address, "ok", ask(connection, address, False))
        except Exception as e:
            say(began, address, "failed", repr(e))
        time.sleep(PAUSE)


def kept(address):
    connection = None
    while True:
        time.sleep(PAUSE * 4)
        if not connection:
            connection = connection_to_s2(address)
            continue
        began = time.time()
        try:
            say(began, address, "kept", ask(connection, address, True))
        except Exception as e:
            say(began, address, "lost", repr(e))
            connection.close()
            connection = None


def connection_to_s2(address):
    """None if it is another's turn. It is patient: packets may be dropped for as long as its server is set aside."""
    try:
        connection = connect(address, 60)
        if ask(connection, address, True) == "s2":
            return connection
        connection.close()
    except Exception:
        pass
    return None


for a in sys.argv[1:]:
    threading.Thread(target=each, args=(a,)).start()
    threading.Thread(target=kept, args=(a,)).start()
