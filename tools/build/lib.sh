# shellcheck shell=bash
# What every build script shares: where the cache is, how a step is run, how it speaks.
# Sourced, never run.

set -euo pipefail

LVS_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
# shellcheck disable=SC2034  # for those who source this
LVS_BUILD=$LVS_TOP/tools/build
LVS_CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/lvs
mkdir -p "$LVS_CACHE"/{tmp,locks,logs}
LVS_CACHE=$(cd "$LVS_CACHE" && pwd -P)

# Everything said goes to stderr: stdout belongs to answers (a path, a script's own output).
say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

# What the archive must not do is keep us waiting: after so long without a byte it is asked once more, and then it has failed.
LVS_STALL_SECONDS=${LVS_STALL_SECONDS:-30}
# shellcheck disable=SC2034  # for those who source this
apt_patience=("Acquire::http::Timeout \"$LVS_STALL_SECONDS\"" "Acquire::https::Timeout \"$LVS_STALL_SECONDS\"" 'Acquire::Retries "1"')

# elapsed START: seconds since START as m:ss.
elapsed() { local s=$((SECONDS - $1)); printf '%d:%02d' $((s / 60)) $((s % 60)); }

# key WORD...: a short name for "made from exactly this".
key() { printf '%s\0' "$@" | sha256sum | cut -c1-12; }

# recipe FILE...: what the files say, comments left out: for keys, so that a better comment rebuilds nothing.
recipe() { sed '/^[[:space:]]*\(#\|\/\/\|$\)/d' "$@"; }

# target_dir: where cargo puts what it builds of this checkout.
target_dir() { printf '%s\n' "${CARGO_TARGET_DIR:-$LVS_CACHE/target/$(key "$LVS_TOP")}"; }

# program NAME CARGO...: builds the program NAME with cargo and these arguments into build/ and prints its path.
program() {
    local name=$1 start=$SECONDS lock log built; shift
    mkdir -p "$LVS_TOP/build"
    exec {lock}>"$LVS_TOP/build/.$name.lock"
    flock "$lock"
    cd "$LVS_TOP"
    "$LVS_BUILD/crates" || exit 1
    log=$LVS_TOP/build/$name.log
    step_watch "$name" "$log" "" "$start" "$LVS_BUILD/enter" cargo "$@" || { cat "$log" >&2; die "$name does not build"; }
    built=$(target_dir)/release/$name
    if ! cmp -s "$built" "build/$name"; then
        cp "$built" "build/$name.new" && mv "build/$name.new" "build/$name"
        say "  $name: built in $(elapsed "$start")"
    fi
    echo "$LVS_TOP/build/$name"
}

# step_dir NAME KEY: where the finished result of a step stands.
step_dir() { printf '%s/%s/%s\n' "$LVS_CACHE" "$1" "$2"; }

# step NAME KEY WHAT COMMAND...
# COMMAND is a program, not a function: a function called from a condition runs with errexit off, and a step that goes on
# after an error would be taken for done.
# Makes $LVS_CACHE/NAME/KEY by running `COMMAND... DIR` with DIR a directory beside it that is renamed into
# place only when the command succeeded. So a result that exists is whole, whatever was killed when, and two
# processes that want the same result make it once: the second waits for the first one's lock.
step() {
    local name=$1 key=$2 what=$3; shift 3
    [ "$(type -t "$1")" = file ] || die "step $name: $1 is no program"
    local done_dir; done_dir=$(step_dir "$name" "$key")
    [ ! -d "$done_dir" ] || return 0
    local lock=$LVS_CACHE/locks/$name-$key fd
    exec {fd}>"$lock"
    if ! flock -n "$fd"; then
        say "  $what: another run is making it, waiting"
        flock "$fd"
    fi
    # Made while we waited?
    if [ -d "$done_dir" ]; then exec {fd}>&-; return 0; fi
    # We hold the lock, so whatever lies there is what a killed run left behind.
    local tmp=$LVS_CACHE/tmp/$name-$key log=$LVS_CACHE/logs/$name-$key.log start=$SECONDS
    remove_tree "$tmp"; mkdir -p "$tmp" "$(dirname "$done_dir")"
    say "  $what ..."
    if ! step_watch "$what" "$log" "$tmp" "$start" "$@" "$tmp"; then
        say "  $what: FAILED after $(elapsed "$start"); the end of $log:"
        tail -n 25 "$log" >&2
        exec {fd}>&-
        return 1
    fi
    mv -T "$tmp" "$done_dir"
    exec {fd}>&-
    say "  $what: done in $(elapsed "$start")"
}

# step_watch WHAT LOG TMP START COMMAND...: runs COMMAND, which works in TMP if that is not empty, with its output in LOG, says every 20 s that it is
# alive, and takes it along when this shell is killed politely. The command gets a process group of its own so
# that nothing of it survives.
step_watch() {
    local what=$1 log=$2 tmp=$3 start=$4; shift 4
    # set -m gives the background job its own group.
    set -m
    "$@" </dev/null >"$log" 2>&1 &
    local pid=$! next=20 rc=0
    set +m
    # shellcheck disable=SC2064  # the pid of now is meant
    trap "kill -TERM -- -$pid 2>/dev/null; wait $pid; exit 143" TERM HUP
    # shellcheck disable=SC2064
    trap "kill -TERM -- -$pid 2>/dev/null; wait $pid; exit 130" INT
    while kill -0 "$pid" 2>/dev/null; do
        # The tests' hook: die without a word, as from the OOM killer, once real work stands in the directory.
        if [ "${LVS_TEST_KILL:-}" = "$what" ] && [ -n "$tmp" ] && [ -n "$(ls -A "$tmp")" ]; then
            kill -KILL -- "-$pid"; kill -KILL "$BASHPID"
        fi
        sleep 0.2
        if ((SECONDS - start >= next)); then
            say "  $what ... $(elapsed "$start") $(tail -n 1 "$log" | tr -d '\r' | cut -c1-90)"
            next=$((next + 20))
        fi
    done
    wait "$pid" || rc=$?
    trap - TERM HUP INT
    return "$rc"
}

# remove_tree DIR: removes what a step left, also what belongs to the sub-ids of a user namespace.
remove_tree() {
    [ -e "$1" ] || return 0
    rm -rf --one-file-system "$1" 2>/dev/null || as_root rm -rf --one-file-system "$1"
}

# as_root COMMAND...: root, or what looks like it from inside a user namespace with the caller's sub-ids.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    else unshare --user --map-auto --map-root-user -- "$@"; fi
}

# into_network PID: the words that run a command in the network namespace of that process, a line each.
into_network() {
    printf '%s\n' nsenter --target "$1" --net
    [ "$(id -u)" = 0 ] || printf '%s\n' --user --preserve-credentials
}
