# shellcheck shell=bash
# What is allocated, by slab cache. (On the stock kernel small caches are merged, and have another's name.)
# Sourced, never run.

# slabs PREFIX: lines `NAME OBJECTS` of the caches that are called so, without what a CPU keeps for the next allocation, and
# what KASAN keeps to see who still uses it.
slabs() {
    local cache
    for cache in /sys/kernel/slab/"$1"*; do [ ! -e "$cache" ] || echo 1 >"$cache/shrink"; done
    awk -v prefix="$1" 'index($1, prefix) == 1 {print $1, $2}' /proc/slabinfo
}

# slab_objects PREFIX: how many they are in all of these.
slab_objects() { slabs "$1" | awk '{sum += $2} END {print sum + 0}'; }

# slabs_are PREFIX LINES: that is what `slabs` says.
slabs_are() { local now; now=$(slabs "$1"); echo "$now"; [ "$now" = "$2" ]; }

# no_slabs PREFIX...: a module that is gone has left no cache behind.
no_slabs() { local prefix; for prefix; do same "" "$(slabs "$prefix")" "slab caches"; done; }

# Of the 12,000 that have no cache of their own, up to 900 were seen to come and go with nothing of ours in between.
GENERAL=kmalloc GENERAL_ROOM=2000

# general_as BEFORE: there are no more of them than at the start, but for that.
general_as() {
    wait_within 120 is -lt $(($1 + GENERAL_ROOM)) slab_objects "$GENERAL"
    # What it found is in there; to look once more takes seconds.
    note "objects in general slab caches: $1 before, $(sed -n 's/^got: //p' "$TMP/wait") after"
}
