// SPDX-License-Identifier: GPL-2.0

//! What `-h` and `-v` print.

use std::fmt::Write;

use lvs_wire::netlink::ipvs::IPVS_VERSION;

use crate::model::info::Info;

/// The line of `-v`.
pub(crate) fn version() -> String {
    let info = Info {
        version: IPVS_VERSION,
        size: 0,
    };
    format!(
        "ipvsadm-rs v{} (compiled with clap and IPVS v{})\n",
        env!("CARGO_PKG_VERSION"),
        info.version_text()
    )
}

/// The text of `-h`.
pub(crate) fn usage(program: &str) -> String {
    let mut text = format!("{}Usage:\n", version());
    for line in SYNTAX {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {program} {line}");
    }
    text.push('\n');
    text.push_str(TEXT);
    text
}

const SYNTAX: &[&str] = &[
    "-A|E virtual-service [-s scheduler] [-p [timeout]] [-M netmask] [--pe persistence_engine] [-b sched-flags] [--masq-only]",
    "-D virtual-service",
    "-C",
    "-R [--replace]",
    "-S [-n]",
    "-a|e virtual-service -r server-address [options]",
    "-d virtual-service -r server-address",
    "-L|l [virtual-service] [options]",
    "-Z [virtual-service]",
    "-P [virtual-service] -z local-address [--dedicated]",
    "-Q [virtual-service] -z local-address",
    "-G [virtual-service] [-n] [--json]",
    "who local-address:port [--json]",
    "toa [--kinds kind,...] [--trust prefix,...|any] [--json]",
    "--set tcp tcpfin udp",
    "--start-daemon {master|backup} [daemon-options]",
    "--stop-daemon {master|backup}",
    "-h",
];

const TEXT: &str = "\
Commands:
Either long or short options are allowed.
  --add-service     -A        add virtual service with options
  --edit-service    -E        edit virtual service with options
  --delete-service  -D        delete virtual service
  --clear           -C        clear the whole table
  --restore         -R        restore rules from stdin
  --save            -S        save rules to stdout
  --add-server      -a        add real server with options
  --edit-server     -e        edit real server with options
  --delete-server   -d        delete real server
  --list            -L|-l     list the table
  --zero            -Z        zero counters in a service or all services
  --add-laddr       -P        add a local address to a service, or to the default pool
  --del-laddr       -Q        delete a local address; its connections finish
  --get-laddr       -G        list local addresses
  who                         client, service and server behind an address:port in a server's log
  toa                         statistics and settings of toa.ko on this machine
  --set tcp tcpfin udp        set connection timeout values
  --start-daemon              start connection sync daemon
  --stop-daemon               stop connection sync daemon
  --help            -h        display this help message
  --version         -v        display the version

virtual-service:
  --tcp-service|-t  service-address   service-address is host[:port]
  --udp-service|-u  service-address   service-address is host[:port]
  --sctp-service    service-address   service-address is host[:port]
  --fwmark-service|-f fwmark          fwmark is an integer greater than zero

Options:
  --ipv6         -6                   fwmark entry uses IPv6
  --scheduler    -s scheduler         one of rr|wrr|lc|wlc|lblc|lblcr|dh|sh|sed|nq|fo|ovf|mh|twos,
                                      the default scheduler is wlc.
  --pe            engine              alternate persistence engine may be sip,
                                      not set by default.
  --persistent   -p [timeout]         persistent service
  --netmask      -M netmask           persistent granularity mask
  --masq-only                         NAT servers stay NAT although there are local addresses
  --no-masq-only                      NAT servers are FULLNAT where there are local addresses (default)
  --synproxy     -j enable|disable    not implemented yet: only disable is taken
  --real-server  -r server-address    server-address is host (and port)
  --gatewaying   -g                   gatewaying (direct routing) (default)
  --ipip         -i                   ipip encapsulation (tunneling)
  --masquerading -m                   masquerading (NAT)
  --fullnat                           both addresses are translated (needs lvs)
  --local-address -z address          an address of this machine, for FULLNAT connections to leave from
  --dedicated                         this machine does not use the local address itself: all ports are free
  --tun-type      type                one of ipip|gue|gre,
                                      the default tunnel type is ipip.
  --tun-port      port                tunnel destination port
  --tun-nocsum                        tunnel encapsulation without checksum
  --tun-csum                          tunnel encapsulation with checksum
  --tun-remcsum                       tunnel encapsulation with remote checksum
  --weight       -w weight            capacity of real server
  --u-threshold  -x uthreshold        upper threshold of connections
  --l-threshold  -y lthreshold        lower threshold of connections
  --replace                           the rules take the place of all there are, at once or not at all
  --connection   -c                   output of current IPVS connections
  --conn-legs                         output of current connections with both legs
  --drops                             output of drop counters, with hints
  --timeout                           output of timeout (tcp tcpfin udp)
  --daemon                            output of daemon information
  --stats                             output of statistics information
  --rate                              output of rate information
  --exact        -X                   expand numbers (display exact values)
  --thresholds                        output of thresholds information
  --persistent-conn                   output of persistent connection info
  --tun-info                          output of tunnel information
  --nosort                            disable sorting output of service/server entries
  --sort                              does nothing, for backwards compatibility
  --ops          -o                   one-packet scheduling
  --numeric      -n                   numeric output of addresses and ports
  --json                              output for programs
  --sched-flags  -b flags             scheduler flags (comma-separated)
Daemon Options:
  --syncid sid                        syncid for connection sync (default=255)
  --sync-maxlen length                Max sync message length (default=1472)
  --mcast-interface interface         multicast interface for connection sync
  --mcast-group address               IPv4/IPv6 group (default=224.0.0.81)
  --mcast-port port                   UDP port (default=8848)
  --mcast-ttl ttl                     Multicast TTL (default=1)
";
