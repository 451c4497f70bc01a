#!/bin/bash
# lvs and the kernel's own ip_vs have the same names everywhere: whoever comes second is refused, in words.
# suite: control
. "${0%/*}/../lib/all.sh"

setup() { topology; }

test_lvs_is_refused_while_ip_vs_is_loaded() {
    stock_in
    refused . modprobe lvs
    not loaded lvs
    has "$(dmesg | tail -n 5)" 'lvs:.*ip_vs'
    rmmod ip_vs
}

test_and_ip_vs_while_lvs_is() {
    lvs_in
    # What was said before does not count.
    echo "one-of-two: ip_vs is next" >/dev/kmsg
    refused . modprobe -i ip_vs
    not loaded ip_vs
    has "$(dmesg | sed '1,/one-of-two: ip_vs is next/d')" 'lvs:.*ip_vs'
    rmmod lvs
}

test_each_works_after_the_other() {
    stock_in; stock -A -t $VIP:80; stock -C
    for m in $(lsmod | awk '/^ip_vs_/ {print $1}'); do rmmod "$m"; done
    rmmod ip_vs
    lvs_in; stock -A -t $VIP:80 -s rr; stock -C; rmmod lvs
}

run_facts
