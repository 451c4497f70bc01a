# shellcheck shell=bash
# What a fact may claim. Each prints what it wanted and what it saw.
# Sourced, never run.

# same WANTED GOT [WHAT]
same() { [ "$1" = "$2" ] || fail "${3:-value}: wanted '$1', got '$2'"; }

# at_least MINIMUM GOT [WHAT], at_most MAXIMUM GOT [WHAT]
at_least() { [ "$2" -ge "$1" ] || fail "${3:-value}: wanted at least $1, got $2"; }
at_most() { [ "$2" -le "$1" ] || fail "${3:-value}: wanted at most $1, got $2"; }

# has TEXT PATTERN [WHAT]: an extended regular expression matches a line of the text.
has() { grep -qE -- "$2" <<<"$1" || fail "${3:-text}: no line matches '$2' in:
$1"; }

# rx TEXT: as a regular expression that matches it.
rx() { local t=${1//\[/\\[}; t=${t//\]/\\]}; printf '%s' "${t//./\\.}"; }

# lacks TEXT WORD...: none of the words, which are no patterns: the dots of an address would match
# a time stamp now and then.
lacks() {
    local text=$1 word; shift
    for word; do
        ! grep -qwF -- "$word" <<<"$text" || fail "there is '$word' in:
$text"
    done
}

# has_not TEXT PATTERN [WHAT]
has_not() { ! grep -qE -- "$2" <<<"$1" || fail "${3:-text}: a line matches '$2' in:
$1"; }

# refused PATTERN COMMAND...: COMMAND fails and says a sentence that matches, not a bare errno.
refused() {
    local pattern=$1 out; shift
    if out=$("$@" 2>&1); then fail "was not refused: $*
$out"; fi
    has "$out" "$pattern" "refusal of '$*'"
}

# not COMMAND...: it fails. (errexit does not see a failed `! COMMAND`.)
not() { if "$@"; then fail "is so: $*"; fi; }

# same_file WANTED GOT: byte for byte.
same_file() { diff -u "$1" "$2" || fail "$2 is not $1"; }
