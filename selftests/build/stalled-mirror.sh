#!/bin/bash
# A mirror that takes the request and then says nothing ends in one clear line, soon.
# shellcheck source=selftests/build/lib.bash
. "$(dirname "$0")/lib.bash"

real_cache=$LVS_CACHE
root=$("$LVS_BUILD/root")

# It takes every connection, reads, and answers nothing.
"$LVS_BUILD/enter" python3 - >"$scratch/port" <<'PYTHON' &
import socket, threading
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
held = []
while True:
    connection, _ = listener.accept()
    held.append(connection)
    threading.Thread(target=lambda c=connection: c.recv(65536), daemon=True).start()
PYTHON
server=$!
trap 'kill "$server"; remove_tree "$scratch"' EXIT
until [ -s "$scratch/port" ]; do sleep 0.05; done
LVS_MIRROR=http://127.0.0.1:$(cat "$scratch/port")/debian
export LVS_MIRROR LVS_STALL_SECONDS=3 no_proxy=127.0.0.1 XDG_CACHE_HOME=$scratch/cache

# stalls NAME COMMAND...: it fails within a time that is short beside that of a run, and says why in one line.
stalls() {
    local name=$1 start=$SECONDS rc=0; shift
    timeout 120 "$@" >"$scratch/out" 2>"$scratch/said" || rc=$?
    expect "$name fails" test "$rc" != 0
    expect "$name does so before it is stopped" test "$rc" != 124
    expect_equal "$name says why in one line" 1 "$(grep -c '^error: cannot .*does the mirror answer?$' "$scratch/said")"
    say "    $name: $((SECONDS - start)) s"
}

stalls "the package index" "$LVS_BUILD/archive" index trixie
stalls "a package" "$LVS_BUILD/archive" download trixie linux-base=1 "$scratch"
stalls "a Debian tree" "$LVS_BUILD/debian-tree" trixie bash "$scratch/tree"
# What asks for crates takes it for a proxy.
stalls "crates" env LVS_ROOT="$root" LVS_BIND="$real_cache" CARGO_HTTP_PROXY="${LVS_MIRROR%/debian}" "$LVS_BUILD/crates"

finish
