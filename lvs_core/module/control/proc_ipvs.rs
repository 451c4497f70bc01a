// SPDX-License-Identifier: GPL-2.0

//! `/proc/net/ip_vs`, `ip_vs_conn`, `ip_vs_stats` and `ip_vs_stats_percpu`, byte for byte as stock
//! has them: ipvsadm, node_exporter and many scripts parse them.

use super::{
    addr::{Bracketed, Hex},
    ipvs_genl::table_size,
    stats::Figures, //
};
use crate::{
    conns::{now, Connection, Flows},
    family,
    ns::Ns,
    service::Service,
    stats::Totals,
    templates::Template,
    version::Backend,
};
use core::net::{Ipv4Addr, Ipv6Addr};
use kernel::{
    prelude::*,
    seq_file::{seq_print, SeqFile}, //
};
use lvs_engine::{
    conn::Method,
    service::ServiceKey, //
};
use lvs_kapi::{
    cursor::{Cursor, Progress},
    proc::{Rows, Single},
    rcu::ReadLock,
    time, //
};
use lvs_wire::{
    addr::{AnyAddr, AnyEndpoint, Family},
    netlink::ipvs::svc_flags,
};

/// The services and their destinations.
pub(super) struct Services;

impl Rows for Services {
    type State = Ns;
    const NAME: &'static CStr = c"ip_vs";

    fn header(ns: &Ns, out: &SeqFile) {
        let size = table_size(ns);
        seq_print!(out, "IP Virtual Server version 1.2.1 (size={size})\n");
        seq_print!(out, "Prot LocalAddress:Port Scheduler Flags\n");
        seq_print!(
            out,
            "  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n"
        );
    }

    /// Some services at a time; the cursor is the number of the next one.
    fn rows(ns: &Ns, cursor: &mut Cursor, out: &SeqFile) -> Progress {
        let Cursor([next, ..]) = cursor;
        let (mut left, mut progress) = (16u32, Progress::Done);
        ns.services.for_each(*next, |each| {
            if left == 0 {
                progress = Progress::More;
                return false;
            }
            left = left.wrapping_sub(1);
            *next = each.serial.wrapping_add(1);
            service(each, out);
            let rcu = ReadLock::new();
            for backend in each.version(&rcu).behind(0) {
                row(backend, each.method(backend, &rcu), out);
            }
            true
        });
        progress
    }
}

fn service(each: &Service, out: &SeqFile) {
    let (key, config) = (each.key, each.config());
    let scheduler = config.scheduler.name();
    // Three formats that differ in a blank or two, and scripts count on it.
    let is_v6 = matches!(key, ServiceKey::Address { addr, .. } if addr.is_ipv6());
    let ops = if config.flags & svc_flags::ONE_PACKET != 0 && !is_v6 {
        "ops "
    } else {
        ""
    };
    match key {
        ServiceKey::Fwmark { mark, .. } => {
            seq_print!(out, "FWM  {mark:08X} {scheduler} {ops}");
        }
        ServiceKey::Address {
            protocol,
            addr,
            port,
        } => {
            let addr = Bracketed(addr);
            match protocol_name(protocol) {
                Some(name) => seq_print!(out, "{name}"),
                None => seq_print!(out, "IP_{protocol}"),
            }
            seq_print!(out, "  {addr}:{port:04X} {scheduler} {ops}");
            if !is_v6 {
                seq_print!(out, " ");
            }
        }
    }
    if config.flags & svc_flags::PERSISTENT != 0 {
        // In ticks, as stock has it, not seconds.
        let (timeout, netmask) = (time::ticks(config.timeout), config.netmask);
        seq_print!(out, "persistent {timeout} {netmask:08X}");
    }
    seq_print!(out, "\n");
}

fn protocol_name(protocol: u16) -> Option<&'static str> {
    Some(match protocol {
        0 => "IP",
        1 => "ICMP",
        6 => "TCP",
        17 => "UDP",
        58 => "ICMPv6",
        132 => "SCTP",
        _ => return None,
    })
}

/// The name of a forwarding method.
pub(super) fn method_name(method: Method) -> &'static str {
    match method {
        Method::Nat => "Masq",
        Method::Local => "Local",
        Method::Tunnel => "Tunnel",
        Method::Droute => "Route",
        Method::Bypass => "Bypass",
        Method::Fullnat => "FullNat",
    }
}

fn row(backend: &Backend, method: Method, out: &SeqFile) {
    let each = &backend.dest;
    let (active, inactive) = each.conns();
    let (addr, port) = (Bracketed(each.real.addr), each.real.port);
    let (method, weight) = (method_name(method), backend.config.weight);
    seq_print!(out, "  -> {addr}:{port:04X}      {method:<7} {weight:<6} ");
    seq_print!(out, "{active:<10} {inactive:<10}\n");
}

/// The connections, without their local legs.
pub(super) struct Conns;

impl Rows for Conns {
    type State = Ns;
    const NAME: &'static CStr = c"ip_vs_conn";

    fn header(_: &Ns, out: &SeqFile) {
        seq_print!(
            out,
            "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n"
        );
    }

    fn rows(ns: &Ns, cursor: &mut Cursor, out: &SeqFile) -> Progress {
        if let Progress::More = chains(ns, cursor, &Lines(ns, out)) {
            return Progress::More;
        }
        templates(ns, cursor, out)
    }
}

/// Shows the next chain of templates that has some; the cursor is behind all
/// connections.
fn templates(ns: &Ns, cursor: &mut Cursor, out: &SeqFile) -> Progress {
    let Some(conns) = ns.conns() else {
        return Progress::Done;
    };
    let Cursor([_, chain, ..]) = cursor;
    walk(chain, |rcu, at, shown| {
        conns.templates.for_each_in(rcu, at, |each| {
            *shown = true;
            template(each, out);
        })
    })
}

fn template(each: &Template, out: &SeqFile) {
    let (protocol, virt) = match each.scope {
        ServiceKey::Address {
            protocol,
            addr,
            port,
        } => (protocol, AnyEndpoint::new(addr, port)),
        // A mark stands in the first word of an address.
        ServiceKey::Fwmark { family, mark } => {
            let addr = match family {
                Family::V4 => AnyAddr::V4(Ipv4Addr::from_bits(mark)),
                Family::V6 => AnyAddr::V6(Ipv6Addr::from_bits(u128::from(mark) << 96)),
            };
            (0, AnyEndpoint::new(addr, 0))
        }
    };
    let protocol = protocol_name(protocol).unwrap_or("IP");
    seq_print!(out, "{protocol:<3}");
    let client = AnyEndpoint::new(each.client, 0);
    let real = AnyEndpoint::new(each.dest.real.addr, each.port);
    for end in [client, virt, real] {
        let (addr, port) = (Hex(end.addr), end.port);
        seq_print!(out, " {addr} {port:04X}");
    }
    let (state, expires) = (each.state_name(), each.expires_in(now()));
    seq_print!(out, " {state:<11} {expires:>7}\n");
}

fn conn<C: family::Family, S: family::Family>(ns: &Ns, each: &Connection<C, S>, out: &SeqFile) {
    let (c, snapshot) = (&each.conn, each.snapshot());
    let expires = each.expires_in(now(), ns.settings.timeouts(&ReadLock::new()));
    let protocol = c.protocol.name();
    seq_print!(out, "{protocol:<3}");
    for end in [c.client.any(), c.virt.any(), each.real()] {
        let (addr, port) = (Hex(end.addr), end.port);
        seq_print!(out, " {addr} {port:04X}");
    }
    let state = c.state_name(snapshot);
    seq_print!(out, " {state:<11} {expires:>7}\n");
}

struct Lines<'a>(&'a Ns, &'a SeqFile);

impl Show for Lines<'_> {
    fn show<C: family::Family, S: family::Family>(&self, each: &Connection<C, S>) {
        conn(self.0, each, self.1);
    }
}

/// What shows a connection of any family.
pub(super) trait Show {
    fn show<C: family::Family, S: family::Family>(&self, each: &Connection<C, S>);
}

/// Shows the next chain of the tables that has connections; the cursor is a
/// family's table and the number of a chain of it. Empty chains are passed over,
/// a bounded number in a call.
pub(super) fn chains(ns: &Ns, cursor: &mut Cursor, show: &impl Show) -> Progress {
    let Some(conns) = ns.conns() else {
        return Progress::Done;
    };
    let Cursor([table, chain, ..]) = cursor;
    loop {
        let progress = match *table {
            0 => pair_chains(conns.v4.as_ref(), chain, show),
            1 => pair_chains(conns.v6.as_ref(), chain, show),
            2 => pair_chains(conns.v64.as_ref(), chain, show),
            _ => return Progress::Done,
        };
        if let Progress::More = progress {
            return Progress::More;
        }
        (*table, *chain) = (table.wrapping_add(1), 0);
    }
}

fn pair_chains<C: family::Family, S: family::Family>(
    flows: Option<&Flows<C, S>>,
    chain: &mut u64,
    show: &impl Show,
) -> Progress {
    let Some(flows) = flows else {
        return Progress::Done;
    };
    walk(chain, |rcu, at, shown| {
        flows.for_each_in(rcu, at, |each| {
            *shown = true;
            show.show(each);
        })
    })
}

/// Calls `each` with the chains from `chain` on until one has shown something,
/// or it says that there are no more.
fn walk(chain: &mut u64, mut each: impl FnMut(&ReadLock, usize, &mut bool) -> bool) -> Progress {
    for _ in 0..256 {
        let mut shown = false;
        let rcu = ReadLock::new();
        let at = usize::try_from(*chain).unwrap_or(usize::MAX);
        if !each(&rcu, at, &mut shown) {
            return Progress::Done;
        }
        *chain = chain.wrapping_add(1);
        if shown {
            break;
        }
    }
    Progress::More
}

/// The counters of the namespace.
pub(super) struct Stats;

impl Single for Stats {
    type State = Ns;
    const NAME: &'static CStr = c"ip_vs_stats";

    fn show(ns: &Ns, out: &SeqFile) {
        let Figures { totals, rates } = Figures::of(&ns.totals);
        seq_print!(
            out,
            "   Total Incoming Outgoing         Incoming         Outgoing\n"
        );
        seq_print!(
            out,
            "   Conns  Packets  Packets            Bytes            Bytes\n"
        );
        figures(&totals, out);
        seq_print!(
            out,
            "\n Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s\n"
        );
        figures(&rates, out);
    }
}

fn figures(of: &Totals, out: &SeqFile) {
    let Totals {
        conns,
        in_packets,
        out_packets,
        in_bytes,
        out_bytes,
    } = of;
    seq_print!(out, "{conns:8X} {in_packets:8X} {out_packets:8X} ");
    seq_print!(out, "{in_bytes:16X} {out_bytes:16X}\n");
}

/// The counters of each CPU, never set to zero, and of the namespace.
pub(super) struct CpuStats;

impl Single for CpuStats {
    type State = Ns;
    const NAME: &'static CStr = c"ip_vs_stats_percpu";

    fn show(ns: &Ns, out: &SeqFile) {
        let Figures { totals, rates } = Figures::of(&ns.totals);
        seq_print!(
            out,
            "       Total Incoming Outgoing         Incoming         Outgoing\n"
        );
        seq_print!(
            out,
            "CPU    Conns  Packets  Packets            Bytes            Bytes\n"
        );
        ns.totals.for_each_cpu(|cpu, of| {
            seq_print!(out, "{cpu:3X} ");
            figures(&of, out);
        });
        seq_print!(out, "  ~ ");
        figures(&totals, out);
        seq_print!(
            out,
            "\n     Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s\n"
        );
        seq_print!(out, "    ");
        figures(&rates, out);
    }
}
