#!/usr/bin/env python3
# What of rust/kapi neither lvs.ko nor toa.ko can show; kapi_test.ko (selftests/kapi) does. The last fact leaves a module that cannot go.
# suite: kapi
# seconds: 300
import errno
import os
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from genl import Genl, Refused, attr, u8
from ktap import run, same, sh, wait_for

TELL, NUMBER, GROUP = 1, 1, 2
HERE, ELSEWHERE = "here", "elsewhere"


def setup():
    sh(f"ns_add {HERE}; ns_add {ELSEWHERE}; modprobe kapi_test")


def teardown():
    sh(f"ip netns del {HERE}; ip netns del {ELSEWHERE}")


def tell(number, group):
    """What the kernel says to a request to tell a group a number: 0, or an error."""
    with Genl("KAPI_TEST", HERE) as family:
        try:
            family.ask(TELL, attr(NUMBER, number) + attr(GROUP, u8(group)))
        except Refused as refused:
            return refused.errno
    return 0


def listener(group, ns):
    family = Genl("KAPI_TEST", ns)
    family.listen(group)
    return family


def test_a_group_is_told():
    with listener("second", HERE) as second, listener("second", HERE) as another:
        same(0, tell(7, 1))
        for each in second, another:
            kind, number, port, command, attrs = each.told()
            same((each.id, 0, 0, TELL), (kind, number, port, command))
            same([(NUMBER, struct.pack("=I", 7))], attrs)


def test_who_listens_elsewhere_is_not():
    with listener("first", HERE) as first, listener("second", ELSEWHERE) as elsewhere, listener("second", HERE) as second:
        same(0, tell(8, 1))
        second.told()
        for each in first, elsewhere:
            same(None, each.told(wait=False), "what is heard")


def test_nobody_listens():
    same(errno.ESRCH, tell(9, 0))


def test_there_is_no_such_group():
    same(errno.EINVAL, tell(9, 2))
    same(errno.EINVAL, tell(9, 255))


def test_what_lets_go_of_others_goes_with_the_module():
    for _ in range(3):
        sh("rmmod kapi_test; modprobe kapi_test")


def said(text):
    return text in sh("dmesg")


def test_what_was_forgotten_keeps_the_module():
    sh("rmmod kapi_test; modprobe kapi_test leak=1")
    gone = subprocess.Popen(["rmmod", "kapi_test"])
    wait_for(lambda: said("was leaked and can still be called"))
    # The kernel still calls it, however long it is asked to go.
    for n in range(3):
        time.sleep(1)
        sh(f"dmesg -C; in_ns {HERE} ip link add d{n} type dummy")
        wait_for(lambda: said("a device is there"))
        same(None, gone.poll(), "end of rmmod")


run(globals())
