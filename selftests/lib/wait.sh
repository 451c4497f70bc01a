# shellcheck shell=bash
# Waiting for a condition, never for a time: each of these ends as soon as what it names is true, and fails the
# fact when it does not become true within a span that is generous under emulation.
# Sourced, never run.

WAIT_SECONDS=${WAIT_SECONDS:-30}

# wait_for COMMAND...: until COMMAND succeeds.
wait_for() { wait_within "$WAIT_SECONDS" "$@"; }

# wait_within SECONDS COMMAND...
wait_within() {
    local now end; now_ms now
    end=$((now + $1 * 1000)); shift
    until "$@" >"$TMP/wait" 2>&1; do
        now_ms now
        if [ "$now" -gt "$end" ]; then
            fail "never became true: $*
$(tail -n 5 "$TMP/wait")"
        fi
        sleep 0.03
    done
}

# is OP VALUE COMMAND...: COMMAND's output compares so with VALUE (`wait_for is -ge 3 conns`).
is() {
    local op=$1 value=$2 got; shift 2
    got=$("$@") || return 1
    echo "got: $got"
    test "$got" "$op" "$value"
}

# listens NS tcp|udp PORT: somebody in NS listens there.
listens() { [ -n "$(in_ns "$1" ss -H -ln "--$2" "sport = :$3")" ]; }

# says TEXT FILE: the file has a line with that text.
says() { grep -qF -- "$1" "$2"; }

# gone PID: it has ended (a zombie that nobody waits for has, too).
gone() { [ ! -e "/proc/$1" ] || grep -q '^State:.*Z' "/proc/$1/status"; }
