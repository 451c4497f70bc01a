# shellcheck shell=bash
# keepalived of the distribution, as it is, and what it should have told the kernel. Configurations are the examples of
# the documentation.
# Sourced, never run.

# selftests/run puts Documentation/examples there.
EXAMPLES=${LIB%/*}/examples

# modprobe_d in|out: the example file, where modprobe reads it.
modprobe_d() {
    case $1 in
    in) mkdir -p /etc/modprobe.d; cp "$EXAMPLES/modprobe.d/lvs.conf" /etc/modprobe.d/lvs.conf ;;
    out) rm -f /etc/modprobe.d/lvs.conf ;;
    esac
}

# keepalived_start NS FILE [OPTIONS...]: in NS with a copy of FILE, $TMP/NS.conf, that may be changed and reloaded.
keepalived_start() {
    local ns=$1 file=$2; shift 2
    cp "$file" "$TMP/$ns.conf"
    in_ns "$ns" keepalived --config-test --use-file="$TMP/$ns.conf" "$@"
    background "$ns" "keepalived-$ns" keepalived -n -l -D -f "$TMP/$ns.conf" --pid="$TMP/$ns.ka" --checkers_pid="$TMP/$ns.ka-c" \
        --vrrp_pid="$TMP/$ns.ka-v" "$@"
    wait_for test -s "$TMP/$ns.ka"
}

keepalived_reload() { kill -HUP "$(cat "$TMP/$1.ka")"; }

keepalived_stop() {
    local pid; pid=$(cat "$TMP/$1.ka")
    kill -TERM "$pid"; wait_for gone "$pid"
}

# keepalived_kill NS: all its processes at once, without a last word.
keepalived_kill() {
    local pid; pid=$(cat "$TMP/$1.ka")
    # The parent first: it would start its children anew.
    kill -STOP "$pid"
    pkill -KILL -P "$pid"
    kill -KILL "$pid"; wait_for gone "$pid"
    rm -f "$TMP/$1.ka"*
}

# rules: what stock ipvsadm saves, sorted.
rules() { in_ns "${1:-director}" ipvsadm -Sn | sed 's/ *$//' | sort; }

# rules_are FILE [NS]: they are the lines of FILE, in any order.
rules_are() { diff -u <(sort "$1") <(rules "${2:-director}"); }
