#!/bin/bash
# Runs inside the VM: the cases named in the file `suite`, one after another, as KTAP subtests.
# A case that hangs is ended after CASE_SECONDS (on the debug kernel four times that) and counts as failed.
cd /share || exit 1
. ./environment
. lib/modules.sh
mapfile -t cases <suite
echo "KTAP version 1"
echo "1..${#cases[@]}"
n=0 failed=0 patience=1
! debug_kernel || patience=4
for name in "${cases[@]}"; do
    n=$((n + 1)) start=${EPOCHREALTIME/[.,]/}
    case_file=$(compgen -G "cases/$name.*" | head -n 1)
    limit=$(sed -n 's/^# seconds: *//p' "$case_file")
    limit=$((${limit:-${CASE_SECONDS:-480}} * patience))
    case $case_file in
    *.py) runner=(python3 "$case_file") ;;
    *) runner=(bash "$case_file") ;;
    esac
    timeout -k 5 "$limit" "${runner[@]}"
    rc=$?
    ms=$(((${EPOCHREALTIME/[.,]/} - start) / 1000))
    case $rc in
    0) echo "ok $n $name # $ms ms" ;;
    4) echo "ok $n $name # SKIP" ;;
    124 | 137) echo "not ok $n $name # ended after $limit s"; failed=1 ;;
    *) echo "not ok $n $name # $ms ms"; failed=1 ;;
    esac
    [ "$rc" = 0 ] || lib/clean.sh >/dev/null 2>&1
done
exit $failed
