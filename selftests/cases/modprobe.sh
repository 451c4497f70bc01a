#!/bin/bash
# Documentation/examples/modprobe.d/lvs.conf: who asks for ip_vs or a scheduler of it gets lvs, and there are ways back.
# suite: keepalived
. "${0%/*}/../lib/all.sh"

SCHEDULERS='rr wrr lc wlc sed nq fo ovf twos sh dh mh'

setup() { topology; modprobe_d in; }
teardown() { modprobe_d out; }

test_ip_vs_is_lvs() {
    modprobe ip_vs
    loaded lvs; not loaded ip_vs
    modprobe ip_vs
    rmmod lvs
}

test_so_is_every_scheduler_before_and_after() {
    local s before after
    before=$(dmesg | grep -c 'Unknown symbol' || true)
    for s in $SCHEDULERS; do modprobe "ip_vs_$s" || fail "modprobe ip_vs_$s"; done
    loaded lvs
    rmmod lvs
    modprobe ip_vs_mh
    loaded lvs
    has_not "$(lsmod)" '^ip_vs'
    after=$(dmesg | grep -c 'Unknown symbol' || true)
    same "$before" "$after" 'modules that the kernel could not link'
}

test_what_lvs_has_not_is_refused_in_words() {
    refused 'no scheduler lblc$' modprobe ip_vs_lblc
    refused 'no scheduler lblcr' modprobe ip_vs_lblcr
    refused 'no helper for FTP' modprobe ip_vs_ftp
    refused 'no persistence engine sip' modprobe ip_vs_pe_sip
    rmmod lvs
}

test_the_kernel_loads_it_for_the_netlink_family() {
    stock -A -t "$vip:80" -s mh
    loaded lvs; not loaded ip_vs
    stock -C; rmmod lvs
}

test_stock_can_be_loaded_until_boot() {
    modprobe -i ip_vs
    loaded ip_vs; not loaded lvs
    # Its schedulers come by themselves, and by hand.
    stock -A -t "$vip:80" -s sed
    loaded ip_vs_sed
    modprobe ip_vs_wrr; loaded ip_vs_wrr
    stock -C
}

test_lvs_beside_it_is_refused_with_a_reason() {
    refused . modprobe lvs
    has "$(dmesg | tail -n 5)" 'lvs:.*ip_vs'
    modules_out
}

test_without_the_file_ip_vs_is_stock_again() {
    modprobe_d out
    modprobe ip_vs_rr
    loaded ip_vs; not loaded lvs
}

run_facts
