// SPDX-License-Identifier: GPL-2.0

//! A packet without a connection: does a service want it, who serves it, and
//! from which local port.

use super::{forward, head::Head, Context};
use crate::{
    conns::{now, Conns, End, NewConnection, V4},
    dests::Dest,
    locals::Local,
    ns::Ns,
    service::Service,
    shown::Shown,
    spaces::{Lease, Refusal, Triple},
};
use kernel::{prelude::*, sync::Arc};
use lvs_engine::{
    conn::{Conn, Dir, Features, Method, Numbers, Protocol},
    drop_reason::{DropReason, Event},
    isn,
};
use lvs_kapi::{
    netfilter::Verdict,
    random, route,
    skb::{Answer, Packet, Traits},
    time,
};
use lvs_wire::{ip::TtlStep, shown::Shown as Addr};

/// A packet that is to pass the host's filters first.
///
/// Connection tracking knows no connection of ours: requests are sent on before
/// it confirms them. It takes a segment in the middle for a new connection, but
/// a FIN or RST for an invalid one, which filters drop. So it is kept from
/// looking at those.
#[inline]
pub(super) fn arriving(cx: Context<'_>, mut packet: Packet, head: &Head) -> Verdict {
    if (head.flags().fin() || head.flags().rst()) && is_known(cx, head) {
        packet.untrack();
    }
    Verdict::Accept(packet)
}

#[cold]
fn is_known(cx: Context<'_>, head: &Head) -> bool {
    cx.ns.conns().is_some_and(|conns| {
        let found = conns.find(cx.rcu, head.protocol, head.source, head.destination);
        matches!(found, Some((_, Dir::In)))
    })
}

/// Handles a packet to this host that no connection was found for.
#[cold]
pub(super) fn packet(
    cx: Context<'_>,
    conns: &Conns,
    mut packet: Packet,
    traits: Traits,
    head: &Head,
) -> Verdict {
    let Some(service) = cx.ns.services.at(cx.rcu, head.protocol, head.destination) else {
        return Verdict::Accept(packet);
    };
    // Not an opening: this host's own stack answers with RST.
    if head.protocol == Protocol::Tcp && !opens(head) {
        return Verdict::Accept(packet);
    }
    let Some(dest) = service.schedule(cx.rcu) else {
        packet.answer(Answer::PortUnreachable);
        return cx.drop(packet, DropReason::NoDestination);
    };
    let new = match plan(cx, conns, service, dest, head) {
        Ok(new) => new,
        Err(reason) => return cx.drop(packet, reason),
    };
    let timeouts = cx.ns.settings.timeouts(cx.rcu);
    let entry = match conns.insert(cx.rcu, new, timeouts) {
        Ok(entry) => {
            cx.ns.totals.connection();
            entry.dest.stats.connection();
            entry.dest.service_stats.connection();
            if let Some(local) = &entry.local {
                local.stats.connection();
            }
            entry
        }
        // Another CPU had the same packet, a retransmission.
        Err(Some(other)) => other,
        Err(None) => return cx.drop(packet, DropReason::NoMemory),
    };
    let now = now();
    let snapshot = conns.step(entry, &head.segment(Dir::In), now, timeouts);
    forward::transmit(
        cx,
        packet,
        traits,
        head,
        &entry,
        snapshot,
        Dir::In,
        TtlStep::Decrement,
        now,
    )
}

/// Whether a TCP segment begins a connection.
fn opens(head: &Head) -> bool {
    let flags = head.flags();
    flags.syn() && !flags.rst()
}

/// What the new connection is to be.
fn plan(
    cx: Context<'_>,
    conns: &Conns,
    service: &Service,
    dest: &Arc<Dest>,
    head: &Head,
) -> Result<NewConnection, DropReason> {
    let (conn, local) = match service.method(dest, &cx.ns.services.default_pool, cx.rcu) {
        Method::Nat => {
            let (client, virt) = (head.source, head.destination);
            let conn = Conn::nat(head.protocol, client, virt, dest.real, head.seq());
            (conn, None)
        }
        Method::Fullnat => {
            let (conn, local) = fullnat(cx, conns, service, dest, head)?;
            (conn, Some(local))
        }
    };
    Ok(NewConnection {
        first: conn.start(now()),
        conn,
        dest: dest.clone(),
        local,
    })
}

fn fullnat(
    cx: Context<'_>,
    conns: &Conns,
    service: &Service,
    dest: &Arc<Dest>,
    head: &Head,
) -> Result<(Conn<V4, V4>, Arc<Local>), DropReason> {
    let (local, lease) = lease(cx, conns, service, dest, head.protocol)?;
    let settings = &cx.ns.settings;
    let source = End::new(local.addr, lease.port);
    let hash = number_line(settings.isn_key(), local.addr, dest.real);
    let generated = isn::generate(time::real_ns(), hash);
    let numbers = Numbers {
        client_isn: head.seq(),
        isn: isn::choose(generated, lease.sequence),
    };
    let features = Features {
        toa: settings.toa(),
        lower_mss: settings.lower_mss(),
        strip_timestamps: settings.timestamps().strip(lease.last_used, now()),
    };
    let (client, virt) = (head.source, head.destination);
    let conn = Conn::fullnat(
        head.protocol,
        client,
        virt,
        source,
        dest.real,
        numbers,
        features,
    );
    Ok((conn, local.clone()))
}

/// Where the sequence numbers between a local address and a server lie. One
/// line for all ports: what a port's last connection has used is below what the
/// next one gets if it is below the highest of all.
fn number_line(key: random::Key, local: V4, real: End) -> u32 {
    let addrs = u64::from(local.to_bits()) << 32 | u64::from(real.addr.to_bits());
    // CAST: The low half.
    key.hash2([addrs, u64::from(real.port)]) as u32
}

/// A port of one of the service's local addresses.
fn lease<'r>(
    cx: Context<'r>,
    conns: &Conns,
    service: &'r Service,
    dest: &Dest,
    protocol: Protocol,
) -> Result<(&'r Arc<Local>, Lease), DropReason> {
    let pool = service
        .pool(&cx.ns.services.default_pool, cx.rcu)
        .ok_or(DropReason::NoLocalAddress)?;
    let host_ranges = cx.ns.settings.ports();
    let mut oldest = None;
    for local in pool.in_turn(cx.rcu) {
        let ranges = local.ports(host_ranges);
        let triple = Triple {
            protocol,
            local: local.addr,
            real: dest.real,
        };
        match conns
            .spaces
            .lease(triple, &ranges, random::u32(), usable(cx, &triple))
        {
            Ok(lease) => return Ok((local, lease)),
            Err(Refusal::NoMemory) => return Err(DropReason::NoMemory),
            Err(Refusal::Exhausted(port)) => {
                oldest.get_or_insert((local, ranges, triple, port));
            }
        }
    }
    // All are full: one that is over but for its wait makes room.
    let (local, ranges, triple, port) = oldest.ok_or(DropReason::NoLocalAddress)?;
    if conns.evict(cx.rcu, &triple, &ranges, port) {
        if let Ok(lease) = conns
            .spaces
            .lease(triple, &ranges, random::u32(), usable(cx, &triple))
        {
            cx.ns.happened(Event::PortTakenFromTimeWait);
            return Ok((local, lease));
        }
    }
    ran_dry(cx.ns, service, local, dest, ranges.count());
    Err(DropReason::PortsExhausted)
}

/// Whether a port is not one of this host's own connections to the server,
/// such as health checks from the same address.
fn usable<'a>(cx: Context<'a>, triple: &'a Triple) -> impl Fn(u16) -> bool + 'a {
    move |port| {
        triple.protocol != Protocol::Tcp
            || !route::has_tcp4_socket(
                cx.net,
                (triple.local, port),
                (triple.real.addr, triple.real.port),
            )
    }
}

#[cold]
fn ran_dry(ns: &Ns, service: &Service, local: &Local, dest: &Dest, ports: u32) {
    local.ran_dry();
    if ns.may_log(now()) {
        pr_warn!(
            "{}: all {} ports of local address {} towards {}:{} are in use, {} by its connections; add local addresses (ipvsadm-rs -P)\n",
            Shown(service.key()),
            ports,
            Shown(Addr(local.addr.into())),
            Shown(Addr(dest.real.addr.into())),
            dest.real.port,
            local.conns(),
        );
    }
}
