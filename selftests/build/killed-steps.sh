#!/bin/bash
# A step that is killed half-way is never taken for done. Each step is started for real in an empty cache, killed without a
# word (SIGKILL, it and all it started) as soon as real work stands in its directory, and must leave nothing behind that
# looks finished. That the next run then cleans up and completes is shown on the same step runner with a short payload.
# shellcheck source=selftests/build/lib.bash
. "$(dirname "$0")/lib.bash"

# The real steps, with what earlier ones they need taken from the real cache.
real_cache=$LVS_CACHE
read -r release kdir image _ <<<"$("$LVS_BUILD/kernel")"
debs=$(ls -d "$real_cache"/debs/*"$release"*)
root=$("$LVS_BUILD/root")

fresh_cache() {
    remove_tree "$scratch/cache"
    mkdir -p "$scratch/cache/lvs"
}

# killed NAME WHAT EARLIER COMMAND...: runs COMMAND in a fresh cache that has only the step EARLIER done.
killed() {
    local name=$1 what=$2 earlier=$3 rc=0; shift 3
    fresh_cache
    for dir in $earlier; do
        mkdir -p "$scratch/cache/lvs/$(basename "$(dirname "$dir")")"
        # A link is enough: a finished step is only read.
        ln -s "$dir" "$scratch/cache/lvs/$(basename "$(dirname "$dir")")/"
    done
    [ ! -d "$real_cache/resolved" ] || cp -r "$real_cache/resolved" "$scratch/cache/lvs/"
    # The braces: bash itself would report the kill.
    {
        XDG_CACHE_HOME=$scratch/cache LVS_ROOT=$root LVS_BIND=$real_cache LVS_TEST_KILL=$what "$@" >"$scratch/out" 2>&1 || rc=$?
    } 2>/dev/null
    expect "$name: was killed" test "$rc" != 0
    expect "$name: had begun" test -n "$(ls -A "$scratch/cache/lvs/tmp/$name"-* 2>/dev/null)"
    expect "$name: is not taken for done" test -z "$(ls -A "$scratch/cache/lvs/$name" 2>/dev/null)"
}

killed root "build root (Debian trixie)" "" "$LVS_BUILD/root"
killed debs "kernel packages ($release, 200 MB)" "$root" "$LVS_BUILD/kernel"
killed image "kernel image and modules ($release)" "$root $debs" "$LVS_BUILD/kernel"
killed kernel "kernel tree with Rust metadata ($release)" "$root $debs $image" "$LVS_BUILD/kernel"
series=$(cut -d. -f1,2 <<<"$release")
killed debug "debug kernel ($series)" "$root $debs" "$LVS_BUILD/kernel" debug
# The debug kernel is built after these tests where there is none yet, and building it for this would take ten minutes.
debug=$(ls -d "$real_cache"/debug/* 2>/dev/null | tail -n 1)
if [ -n "$debug" ]; then
    killed image "debug kernel's image and modules ($series)" "$root $debs $debug" "$LVS_BUILD/kernel" debug
else
    say "    the debug kernel's image is not tried: there is no debug kernel yet"
fi
killed vmroot "virtual machine's root file system" "$root" "$LVS_TOP/selftests/vm/image"
killed vmkit "virtual machine's initramfs and modules ($release)" "$root" "$LVS_TOP/selftests/vm/initramfs" "$image" "$release" "$kdir"

# The modules are no step of the cache: make knows what is done. But a compiler that is killed leaves an object behind.
tree=$scratch/modules
mkdir -p "$tree"
(cd "$LVS_TOP" && git ls-files -z Kbuild Makefile lvs_core rust toa tools/build selftests/stress selftests/kapi | xargs -0 tar c) | tar x -C "$tree"
built() { NOBUILD=1 "$tree/tools/build/modules" 2>/dev/null; }
"$tree/tools/build/modules" >/dev/null 2>"$scratch/said" & builder=$!
until [ -e "$(built)/obj/rust/wire/src/lib.o" ] || ! kill -0 "$builder" 2>/dev/null; do sleep 0.1; done
# All that works on that tree.
running() {
    local process words
    for process in /proc/[0-9]*; do
        words=$(tr '\0' ' ' 2>/dev/null <"$process/cmdline") || continue
        if [[ $words == *"$tree"* ]]; then echo "${process#/proc/}"; fi
    done
} 2>/dev/null
# shellcheck disable=SC2046  # words are meant
{ kill -KILL "$builder" $(running); wait "$builder"; } 2>/dev/null || true
while [ -n "$(running)" ]; do
    # shellcheck disable=SC2046  # words are meant
    kill -KILL $(running) 2>/dev/null || true
    sleep 0.1
done
expect "modules: killed half-way are not there" test ! -e "$(built)/lvs.ko"
# As if the compiler had been killed amid an object that was made before.
find "$(built)/obj" -name '*.o' -exec truncate -s 100 {} +
expect "modules: the next run builds them" "$tree/tools/build/modules" >/dev/null
expect "modules: whole" "$LVS_BUILD/panic-audit" "$(built)/lvs.ko" "$(built)/toa.ko"

# The runner itself, in a cache of its own.
fresh_cache
export XDG_CACHE_HOME=$scratch/cache
cat >"$scratch/payload" <<'PAYLOAD'
#!/bin/bash
# Takes a while between its two files.
set -e
[ ! -e "$1/stale" ]
echo "$$" >>"$LVS_COUNT"
echo half >"$1/first"
sleep "${PAUSE:-0}"
[ -z "${BREAK:-}" ]
echo whole >"$1/second"
PAYLOAD
cat >"$scratch/user" <<'USER'
#!/bin/bash
. "$LVS_LIB"
step thing key "a thing" "$(dirname "$0")/payload"
cat "$(step_dir thing key)/second"
USER
chmod +x "$scratch/payload" "$scratch/user"
export LVS_LIB=$LVS_BUILD/lib.sh LVS_COUNT=$scratch/count
thing=$scratch/cache/lvs/thing/key

{ PAUSE=30 LVS_TEST_KILL="a thing" "$scratch/user" >/dev/null 2>&1 || true; } 2>/dev/null
expect "runner: killed half-way leaves no result" test ! -e "$thing"
expect "runner: and a half-made directory" test -e "$scratch/cache/lvs/tmp/thing-key/first"
touch "$scratch/cache/lvs/tmp/thing-key/stale"
expect_equal "runner: the next run starts from nothing and completes" whole "$("$scratch/user" 2>/dev/null)"
expect_equal "runner: a finished step is not run again" "2 whole" "$("$scratch/user" >/dev/null 2>&1; echo "$(wc -l <"$scratch/count") $("$scratch/user")")"

rm -rf "$thing"
if BREAK=1 "$scratch/user" >"$scratch/out" 2>&1; then record "not ok" "runner: a payload that fails fails the step"
else expect "runner: a payload that fails fails the step" grep -q 'FAILED after' "$scratch/out"; fi
expect "runner: and leaves no result" test ! -e "$thing"

: >"$scratch/count"
PAUSE=2 "$scratch/user" >"$scratch/one" 2>/dev/null & first=$!
PAUSE=2 "$scratch/user" >"$scratch/two" 2>/dev/null & second=$!
wait "$first"; wait "$second"
expect_equal "runner: two at once make it once, and both get it" "1 whole whole" "$(wc -l <"$scratch/count") $(cat "$scratch/one") $(cat "$scratch/two")"

# Ctrl-C and a polite kill take the payload along.
rm -rf "$thing"
: >"$scratch/count"
PAUSE=60 "$scratch/user" >/dev/null 2>&1 & runner=$!
for _ in $(seq 600); do [ -s "$scratch/count" ] && break; sleep 0.1; done
payload=$(cat "$scratch/count")
kill -TERM "$runner"; wait "$runner" || true
for _ in $(seq 100); do [ -e "/proc/$payload" ] || break; sleep 0.1; done
expect "runner: a polite kill takes the payload along" test -n "$payload" -a ! -e "/proc/$payload"
expect "runner: and leaves no result" test ! -e "$thing"

finish
