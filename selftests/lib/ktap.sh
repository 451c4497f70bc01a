# shellcheck shell=bash
# A case is one file, a fact is one function of it named test_*. run_facts runs setup, every fact in the order it
# is written in, and teardown, and says so in KTAP. A fact fails when a command in it fails; setup and teardown are
# facts too, so that a module which does not unload or a namespace which cannot be removed is seen.
# `run_facts v4 v6` tries every fact with the addresses of the one family (lib/topology.sh), then with those of the
# other; but test_v4_* and test_v6_* only with theirs, and test_once_* with the first.
# Sourced, never run.

set -uo pipefail

CASE=$(basename "$0" .sh)
TMP=${TMPDIR:-/tmp}/$CASE

# note TEXT...: a diagnostic line. Stdout belongs to KTAP, so everything else has a `#` before it.
note() { printf '%s\n' "$*" | sed 's/^/  # /' >&3; }

# reached TEXT...: a note about how much was tried, which is printed though nothing failed.
reached() { printf '%s\n' "$*" | sed 's/^/  # reached: /' >&3; }

# fail TEXT...: the fact is false, and this is what was seen instead.
fail() { note "$*"; exit 1; }

# skip TEXT...: the fact cannot be tried here (kselftest's exit code 4).
skip() { printf '%s' "$*" >"$TMP/skip"; exit 4; }

# now_ms NAME: sets NAME to the time in milliseconds. No subshell: under emulation a fork costs tens of them.
now_ms() { printf -v "$1" '%s' $((${EPOCHREALTIME/[.,]/} / 1000)); }

# fact_lines: the functions of the case, in the order of the file.
fact_lines() { sed -n 's/^\(test_[a-z0-9_]*\)().*/\1/p' "$0"; }

# run_one NUMBER NAME FUNCTION: one fact in a shell of its own, with errexit really on (it is not where the status
# of a compound command is tested, so it is run plainly and its status read afterwards).
run_one() {
    local number=$1 name=$2 function=$3 start rc ms
    now_ms start
    rm -f "$TMP/skip"
    set +e
    ( set -e; "$function" ) >"$TMP/out" 2>&1
    rc=$?
    set +e
    now_ms ms; ms=$((ms - start))
    case $rc in
    0) printf '  ok %d %s # %d ms\n' "$number" "$name" "$ms" >&3 ;;
    4) printf '  ok %d %s # SKIP %s\n' "$number" "$name" "$(cat "$TMP/skip" 2>/dev/null)" >&3 ;;
    *)
        printf '  not ok %d %s # %d ms\n' "$number" "$name" "$ms" >&3
        tail -n 30 "$TMP/out" | sed 's/^/  #   /' >&3
        explain | tail -n 60 | sed 's/^/  #   /' >&3
        return 1
        ;;
    esac
}

# explain: what someone who reads the failure wants to know. A case may write its own.
explain() {
    ip netns list | grep -q '^director' || return 0
    in_ns director cat /proc/net/ip_vs 2>/dev/null
    in_ns director cat /proc/net/lvs_conn 2>/dev/null || in_ns director cat /proc/net/ip_vs_conn 2>/dev/null
    [ ! -d /sys/module/lvs ] || in_ns director ipvsadm-rs -L --drops 2>/dev/null | awk '$1 != 0'
    dmesg | tail -n 5
}

# setup and teardown of a case that has none.
setup() { :; }
teardown() { :; }

fact_setup() { setup; }
fact_teardown() { teardown; topology_down; modules_out; no_kernel_report; }

# fact_plan [FAMILY...]: lines `FUNCTION NAME FAMILY`.
fact_plan() {
    local fact ip
    if [ $# = 0 ]; then fact_lines | sed 's/^test_\(.*\)/& \1 v4/'; return; fi
    for ip; do
        while read -r fact; do
            case $fact in
            "test_${ip}_"*) printf '%s %s %s\n' "$fact" "${fact#test_"$ip"_}_$ip" "$ip" ;;
            test_v[46]_*) ;;
            test_once_*) [ "$ip" != "$1" ] || printf '%s %s %s\n' "$fact" "${fact#test_once_}" "$ip" ;;
            *) printf '%s %s %s\n' "$fact" "${fact#test_}_$ip" "$ip" ;;
            esac
        done < <(fact_lines)
    done
}

run_facts() {
    exec 3>&1
    rm -rf "$TMP"; mkdir -p "$TMP"
    local plan n=0 failed=0 fact name ip rc
    mapfile -t plan < <(fact_plan "$@")
    printf '  KTAP version 1\n  # Subtest: %s\n  1..%d\n' "$CASE" "$((${#plan[@]} + 2))"
    KERNEL_REPORTS=$(kernel_reports)
    n=1
    # Plainly, and the status read afterwards: in a condition bash would ignore errexit however deep below.
    run_one 1 setup fact_setup; rc=$?
    # setup's variables are wanted by the facts: it writes them with `remember`.
    if [ $rc != 0 ]; then
        failed=1
        for fact in "${plan[@]}"; do
            read -r _ name _ <<<"$fact"
            n=$((n + 1)); printf '  not ok %d %s # setup failed\n' "$n" "$name"
        done
    else
        for fact in "${plan[@]}"; do
            read -r fact name ip <<<"$fact"
            family "$ip"
            n=$((n + 1))
            run_one "$n" "$name" "$fact"; rc=$?
            [ $rc = 0 ] || failed=$((failed + 1))
        done
        family v4
    fi
    run_one $((n + 1)) teardown fact_teardown; rc=$?
    [ $rc = 0 ] || failed=$((failed + 1))
    [ "$failed" = 0 ]
}

# remember NAME VALUE / recall NAME: what one fact leaves to the next, as each has a shell of its own.
remember() { printf '%s' "$2" >"$TMP/var.$1"; }
recall() { cat "$TMP/var.$1"; }

# kernel_reports: how many warnings and oopses the kernel counts since boot.
kernel_reports() {
    local n=0 f
    for f in /sys/kernel/warn_count /sys/kernel/oops_count; do
        [ ! -r "$f" ] || n=$((n + $(cat "$f")))
    done
    dmesg | grep -cE 'BUG:|WARNING:|suspicious RCU|INFO: task .* blocked|unregister_netdevice: waiting' >"$TMP/reports" || true
    printf '%s' $((n + $(cat "$TMP/reports")))
}

no_kernel_report() {
    local n; n=$(kernel_reports)
    [ "$n" = "$KERNEL_REPORTS" ] || { dmesg | tail -n 40; fail "the kernel reported something during this case"; }
}
