#!/usr/bin/env python3
# A module whose parts were leaked (rust/kapi/module.rs) does not go. It stays until the machine ends: a suite by itself.
# suite: kapi-parts
# seconds: 300
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from ktap import run, same, sh, wait_for


def test_leaked_parts_keep_the_module():
    sh("ns_add here; modprobe kapi_test leak=2")
    gone = subprocess.Popen(["rmmod", "kapi_test"])
    wait_for(lambda: "its parts were leaked" in sh("dmesg"))
    for n in range(3):
        # Its family is asked, as are all, what it is; its values are freed.
        sh(f"in_ns here ip link add d{n} type dummy; in_ns here python3 -c 'import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)'")
        time.sleep(1)
        same(None, gone.poll(), "end of rmmod")


def teardown():
    sh("ip netns del here")


run(globals())
