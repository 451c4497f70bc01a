#!/usr/bin/env python3
"""What toa.ko costs, beside the other ways it could have attached itself (toa-attach/attach.c).

To be run in the counting VM (ICOUNT=1), where a nanosecond is an instruction. Prints a table: instructions for an
accepted connection, a getpeername, a clone and a byte on an established connection; bytes of memory for a thread; and
milliseconds to load and to unload. Then an accepted connection that carries the option, which lvs.ko on the same machine
puts in: with and without toa.ko.
"""
import _thread
import os
import socket
import subprocess
import sys
import threading
import time

ATTACH = sys.argv[1] if len(sys.argv) > 1 else "attach.ko"
WAYS = [("nothing", None), ("exit fprobes", 1), ("kretprobes", 2), ("entry fprobes", 3), ("ftrace_ops, as toa.ko", 4),
        ("ftrace_ops, made and queued", 5), ("toa.ko", "toa")]
CONNECTIONS, NAMES, FORKS, BYTES, THREADS = 400, 3000, 300, 6000, 150


def per(count, work):
    """Instructions for one of `count`; the least of three times, as the timer's own work only adds."""
    spent = []
    for _ in range(3):
        start = time.monotonic_ns()
        work(count)
        spent.append((time.monotonic_ns() - start) / count)
    return min(spent)


listener = socket.create_server(("0.0.0.0", 9000), backlog=64)


def connect(count, to=("127.0.0.1", 9000)):
    for _ in range(count):
        c = socket.socket()
        c.connect(to)
        fd, _ = listener._accept()
        os.close(fd)
        c.close()


pair = socket.create_connection(("127.0.0.1", 9000)), listener.accept()[0]


def name(count):
    ask = pair[1].getpeername
    for _ in range(count):
        ask()


def byte(count):
    for _ in range(count):
        pair[0].send(b"x")
        pair[1].recv(1)


def fork(count):
    """A thread, which the kernel makes as it makes a process, without the copying of memory that drowns the rest."""
    for _ in range(count):
        done = _thread.allocate_lock()
        done.acquire()
        _thread.start_new_thread(done.release, ())
        done.acquire()


def slab_bytes():
    total = 0
    for line in open("/proc/slabinfo"):
        w = line.split()
        if not line.startswith(("slabinfo", "#")):
            total += int(w[1]) * int(w[3])
    return total


def thread(count):
    """Bytes of slab for a thread."""
    stop = threading.Event()
    before = slab_bytes()
    threads = [threading.Thread(target=stop.wait) for _ in range(count)]
    for t in threads:
        t.start()
    used = slab_bytes() - before
    stop.set()
    for t in threads:
        t.join()
    return used / count


def command(*words):
    start = time.monotonic_ns()
    subprocess.run(words, check=True)
    return (time.monotonic_ns() - start) / 1e6


def main():
    threading.stack_size(65536)
    thread(THREADS)
    command("true")
    print(f"{'':30}{'accept':>9}{'name':>7}{'clone':>9}{'byte':>8}{'thread':>8}{'load':>7}{'unload':>7}")
    # The first row is thrown away: the guest's clock is still being set right.
    for label, how in [("", None), *WAYS]:
        load = unload = 0
        if how == "toa":
            load = command("modprobe", "toa")
        elif how:
            load = command("insmod", ATTACH, f"how={how}")
        row = per(CONNECTIONS, connect), per(NAMES, name), per(FORKS, fork), per(BYTES, byte), thread(THREADS)
        if how == "toa":
            unload = command("rmmod", "toa")
        elif how:
            unload = command("rmmod", "attach")
        if label:
            print(f"{label:30}{row[0]:9.0f}{row[1]:7.0f}{row[2]:9.0f}{row[3]:8.0f}{row[4]:8.0f}{load:7.1f}{unload:7.1f}",
                  flush=True)


def with_option():
    """Through FULLNAT, from this machine to itself."""
    vip, local, server = "10.99.0.100", "10.99.0.9", "10.99.0.2"
    for address in vip, local, server:
        command("ip", "addr", "add", f"{address}/32", "dev", "lo")
    command("modprobe", "lvs")
    for rule in (f"-A -t {vip}:80 -s rr", f"-P -t {vip}:80 -z {local}", f"-a -t {vip}:80 -r {server}:9000 --fullnat"):
        command("ipvsadm-rs", *rule.split())
    for label, toa in ("", False), ("no toa.ko, with the option", False), ("toa.ko, with the option", True):
        if toa:
            command("modprobe", "toa")
        spent = per(CONNECTIONS, lambda count: connect(count, (vip, 80)))
        client = socket.create_connection((vip, 80))
        told = listener.accept()[1]
        assert (told == client.getsockname()) == toa, told
        if label:
            print(f"{label:30}{spent:9.0f}", flush=True)
    command("rmmod", "toa")
    command("ipvsadm-rs", "-C")


main()
with_option()
