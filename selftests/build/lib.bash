# shellcheck shell=bash
# What the tests of the build system share. Sourced.
# shellcheck source=tools/build/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../tools/build/lib.sh"
suite=build-system/$(basename "$0" .sh)
failures=0
scratch=$(mktemp -d "${TMPDIR:-/tmp}/lvs-test.XXXXXX")
trap 'remove_tree "$scratch"' EXIT

# record VERDICT NAME: one case, on the screen and in the results of `make check`.
record() {
    say "  $1 - $2"
    [ -z "${LVS_RESULTS:-}" ] || echo "$1 - $suite: $2" >>"$LVS_RESULTS"
    [ "$1" = ok ] || failures=$((failures + 1))
}

# expect NAME COMMAND...: a case that passes when COMMAND succeeds.
expect() { local name=$1; shift; if "$@"; then record ok "$name"; else record "not ok" "$name"; fi; }

# expect_equal NAME WANTED FOUND
expect_equal() {
    if [ "$2" = "$3" ]; then record ok "$1"; else record "not ok" "$1"; say "    wanted: $2"; say "    found:  $3"; fi
}

# has TEXT PATTERN: TEXT contains what the extended regular expression matches.
has() { grep -qE -- "$2" <<<"$1" || { say "    no '$2' in: $1"; return 1; }; }

finish() { [ "$failures" = 0 ]; }
