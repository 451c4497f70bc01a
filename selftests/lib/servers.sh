# shellcheck shell=bash
# Real servers and clients. Each of them is started, then waited for until it listens.
# Sourced, never run.

# nginx_on NS [LISTEN [NAME]]: answers every request with `NAME <client address>`, serves /big.bin from its directory, and
# writes `<address>:<port> <request>` in $TMP/NAME/access.log. LISTEN defaults to 80, NAME to NS.
nginx_on() {
    local ns=$1 listen=${2:-80} name=${3:-$1} dir=$TMP/${3:-$1}
    mkdir -p "$dir/www"
    cat >"$dir/nginx.conf" <<CONF
worker_processes 1; daemon on; pid $dir/nginx.pid; error_log $dir/error.log;
events { worker_connections 1024; }
http {
    log_format peer '\$remote_addr:\$remote_port \$request_uri';
    access_log $dir/access.log peer;
    client_body_temp_path $dir/body; proxy_temp_path $dir/p; fastcgi_temp_path $dir/f; uwsgi_temp_path $dir/u; scgi_temp_path $dir/s;
    client_max_body_size 100m; sendfile on; keepalive_requests 100000; keepalive_timeout 1h;
    client_header_timeout 1h;
    server {
        listen $listen; listen [::]:${listen##*:} ipv6only=on; root $dir/www; dav_methods PUT;
        location = / { default_type text/plain; return 200 "$name \$remote_addr\n"; }
        location / { try_files \$uri =404; dav_methods PUT; }
    }
}
CONF
    chmod -R a+rwX "$TMP"
    # A daemon keeps what it inherits: a pipe that somebody reads to its end would never end.
    in_ns "$ns" nginx -c "$dir/nginx.conf" -g 'user root;' >"$dir/start.log" 2>&1 3>&-
    wait_for listens "$ns" tcp "${listen##*:}"
}

# nginx_kill NAME: it dies with all its connections. nginx_on brings it back.
nginx_kill() {
    local pid; pid=$(cat "$TMP/$1/nginx.pid")
    kill -STOP "$pid"
    pkill -KILL -P "$pid"
    kill -KILL "$pid"; wait_for gone "$pid"
    rm -f "$TMP/$1/nginx.pid"
}

# nginx_log NAME: what it logged so far. A line is written when its answer has left.
nginx_log() { cat "$TMP/$1/access.log" 2>/dev/null; }

# logged NAME PATTERN: how many lines that match; of both servers for `s?`.
logged() { cat "$TMP"/$1/access.log 2>/dev/null | grep -cE -- "$2" || true; }

# get [CURL OPTIONS...]: one request to the VIP's port 80 from the client.
get() { in_ns client curl -sS --max-time 20 "$@" "http://$vip/"; }

# background NS NAME COMMAND...: runs it in the namespace with its output in $TMP/NAME.log; its pid is in $TMP/NAME.pid.
background() {
    local name=$2 INTO; into "$1"; shift 2
    # Not in_ns: a function in the background is a shell, and the pid would be that one's.
    setsid "${INTO[@]}" "$@" >"$TMP/$name.log" 2>&1 </dev/null 3>&- &
    printf '%s' $! >"$TMP/$name.pid"
}
pid_of() { cat "$TMP/$1.pid"; }

# without NAME COMMAND...: does it while what runs in the background by that name stands still.
without() {
    local pid rc=0; pid=$(pid_of "$1"); shift
    kill -STOP "$pid"
    ("$@") || rc=$?
    kill -CONT "$pid"
    return $rc
}

# end_of NAME: ends it, and returns when it is gone.
end_of() { kill -KILL "$(pid_of "$1")"; wait_for gone "$(pid_of "$1")"; }

# ask_udp NS ADDRESS PORT TEXT [SOURCE PORT]: sends a datagram until one comes back, and prints that.
ask_udp() { in_ns "$1" python3 -IS "$LIB/ask.py" "$2" "$3" "$4" "${5:-0}"; }

# echo_udp NS PORT: sends every datagram back with the server's name and the peer it saw in front.
echo_udp() {
    background "$1" "udp-$1-$2" python3 -IS "$LIB/echo.py" udp "$2" "$1"
    wait_for listens "$1" udp "$2"
}

# echo_tcp NS PORT [LISTEN ADDRESS]: a line of `NS <peer address> <peer port> <own address> <own port>` upon accept,
# then echo.
echo_tcp() {
    background "$1" "tcp-$1-$2" python3 -IS "$LIB/echo.py" tcp "$2" "$1" ${3:+"$3"}
    wait_for listens "$1" tcp "$2"
}

# hello PORT [SOURCE PORT]: what a server of lib/echo.py behind the VIP says about who calls. The port has to be one that the
# kernel chooses for nobody, or it may be in TIME_WAIT.
hello() { in_ns client python3 -ISc "
import socket
s = socket.create_connection(('$VIP', $1), 20, ('$CLIENT', ${2:-0}))
print(s.makefile().readline(), end='')"; }

# traffic: from now on the client asks the VIP again and again, in both families (lib/traffic.py). The facts below are about
# requests that began at a time (now_ms) or later.
traffic() { background client traffic python3 -IS "$LIB/traffic.py" 10.1.0.100 fd00:1::100; }

# traffic_since MS VERDICT: those that ended so (`ok`, `failed`; `kept`, `lost` by the connection that is kept), oldest first.
traffic_since() { awk -v ms="$1" -v v="$2" '$1 >= ms && $4 == v' "$TMP/traffic.log"; }

# traffic_seen MS COUNT WHO [VERDICT]: in either family COUNT of them were answered by WHO.
traffic_seen() {
    traffic_since "$1" "${4:-ok}" | awk -v n="$2" -v who="$3" '$5 == who {seen[$3]++}
        END {for (a in seen) if (seen[a] >= n) good++; exit good != 2}'
}

# traffic_never MS VERDICT: none of them ended so.
traffic_never() {
    local bad; bad=$(traffic_since "$1" "$2")
    [ -z "$bad" ] || fail "$2 since $1:
$(head -n 10 <<<"$bad")"
}
