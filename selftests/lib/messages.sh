# shellcheck shell=bash
# The network that lvs_messages sends its messages in. Its model knows it (selftests/messages/src/model/dests.rs): which
# servers can be reached, and which address is broadcast.
# Sourced, never run.

# messages_up: the namespace fuzz, with lvs and toa in it.
messages_up() {
    ns_add fuzz
    batch fuzz <<IP
link set lo up
link add d0 type dummy
addr add 10.2.0.1/24 dev d0
addr add fd00:2::1/64 dev d0 nodad
link set d0 up
IP
    lvs_in
    toa_in
}
