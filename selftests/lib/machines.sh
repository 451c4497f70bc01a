# shellcheck shell=bash
# Machines with a kernel each instead of namespaces (`# machines:` in a case; selftests/vm/several): `in_ns director` runs its
# command on the machine director, and `in_ns server/NAME` in the namespace NAME there. The case itself runs on the first machine.
# Sourced after all.sh, never run.
#
#     client 10.1.0.2 ----- bridge ----- 10.2.0.2 server ----- 10.3.0.2 server/behind
#   client/behind 10.4.0.2    |
#                     10.1.0.1, 10.2.0.1 director
#
# Each has one device at the bridge. VIP and local addresses are on the director's lo. As in topology.sh, all of it is there in
# IPv6 too. What is `behind` is reached through its machine as a router, which is where a path can be narrow.

# boot_word NAME: what the kernel's command line says of it.
boot_word() { sed -n "s/.*\\b$1=\\([^ ]*\\).*/\\1/p" /proc/cmdline; }
MACHINE=$(boot_word machine)
IFS=, read -ra MACHINES <<<"$(boot_word machines)"
SSH_KEY=/etc/ssh/ssh_host_ed25519_key

# control_address MACHINE: on the network that only commands take.
control_address() {
    local n
    for ((n = 0; n < ${#MACHINES[@]}; n++)); do [ "${MACHINES[n]}" != "$1" ] || echo "10.255.0.$((n + 1))"; done
}

plug_control() {
    modprobe virtio_net
    wait_for test -e /sys/class/net/eth1
    printf '%s\n' "addr add $(control_address "$MACHINE")/24 dev eth1" 'link set eth1 up' | ip -batch -
}

# machines_in: returns when all others obey.
machines_in() {
    local machine
    plug_control
    {
        for machine in "${MACHINES[@]}"; do printf 'Host %s\nHostName %s\n' "$machine" "$(control_address "$machine")"; done
        # One connection to each machine: making one costs a second under emulation.
        printf '%s\n' 'Host *' "IdentityFile $SSH_KEY" 'ControlPath /run/ssh.%n' 'StrictHostKeyChecking no' 'UserKnownHostsFile /dev/null' \
            'LogLevel ERROR' 'ConnectTimeout 5'
    } >/run/ssh.conf
    for machine in "${MACHINES[@]}"; do
        [ "$machine" = "$MACHINE" ] || wait_within 300 master "$machine"
    done
}
master() { ssh -F /run/ssh.conf -M -N -f "$1" </dev/null >/dev/null 3>&-; }

into() {
    INTO=()
    [ "${1%%/*}" = "$MACHINE" ] || INTO=("$LIB/remote" "${1%%/*}")
    case $1 in */*) INTO+=(nsenter --net="/run/netns/${1#*/}") ;; esac
}

topology() {
    local machine
    for machine in "${MACHINES[@]}"; do in_ns "$machine" mkdir -p "$TMP"; done
    plug client 10.1.0.2/24
    plug director 10.1.0.1/24 10.2.0.1/24
    plug server 10.2.0.2/24
    router client behind 10.4.0.1/24 10.4.0.2/24
    router server behind 10.3.0.1/24 10.3.0.2/24
    director_addresses
    batch client <<'IP'
route add fd00:1::100 via fd00:1::1
IP
    batch director <<'IP'
route add 10.3.0.0/24 via 10.2.0.2
route add 10.4.0.0/24 via 10.1.0.2
route add fd00:3::/64 via fd00:2::2
route add fd00:4::/64 via fd00:1::2
IP
    batch server <<'IP'
route add 10.9.0.0/24 via 10.2.0.1
route add fd00:9::/64 via fd00:2::1
IP
}

# plug MACHINE ADDRESS...: its device at the bridge has them, and what they are called in IPv6.
plug() {
    local machine=$1 address; shift
    { for address; do printf 'addr add %s dev eth0\n' "$address" "$(six "$address")"; done; echo 'link set eth0 up'; } | batch "$machine"
}

# router MACHINE NS ADDRESS1 ADDRESS2: a namespace behind the machine, which is its router.
router() {
    in_ns "$1" ip netns add "$2"
    link "$1" "$2" "$3" "$1/$2" eth0 "$4"
    forwarding "$1"
    batch "$1/$2" <<IP
route add default via ${3%/*}
route add default via $(six "$3" | sed 's,/.*,,')
IP
}

explain() {
    local machine
    in_ns director cat /proc/net/lvs_conn
    adm -L --drops | awk '$1 != 0'
    for machine in "${MACHINES[@]}"; do echo "$machine:"; in_ns "$machine" dmesg | tail -n 5; done
}
