// SPDX-License-Identifier: GPL-2.0

//! A packet without a connection: does a service want it, who serves it, and
//! from which local port.

use super::{forward, head::Head, Context, Job};
use crate::{
    conns::{now, Flows, NewConnection},
    dests::Dest,
    family::Family,
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
    service::ServiceKey,
};
use lvs_kapi::{
    netfilter::Verdict,
    random, route,
    skb::{Answer, Packet},
    time,
};
use lvs_wire::{
    addr::{AnyEndpoint, Endpoint},
    shown::{Shown as Addr, ShownEnd as End},
};

/// A packet that is to pass the host's filters first.
///
/// Connection tracking knows no connection of ours: requests are sent on before
/// it confirms them. It takes a segment in the middle for a new connection, but
/// a FIN or RST for an invalid one, which filters drop. So it is kept from
/// looking at those.
#[inline]
pub(super) fn arriving<A: Family>(cx: Context<'_>, mut packet: Packet, head: &Head<A>) -> Verdict {
    if (head.flags().fin() || head.flags().rst()) && is_known(cx, head) {
        packet.untrack();
    }
    Verdict::Accept(packet)
}

#[cold]
fn is_known<A: Family>(cx: Context<'_>, head: &Head<A>) -> bool {
    cx.ns.conns().and_then(A::flows).is_some_and(|flows| {
        let found = flows.find(cx.rcu, head.protocol, head.source, head.destination);
        matches!(found, Some((_, Dir::In)))
    })
}

/// Handles a packet to this host, or of its own, that no connection was found
/// for.
#[cold]
pub(super) fn packet<A: Family>(flows: &Flows<A>, mut job: Job<'_, A>) -> Verdict {
    let (cx, head) = (job.cx, job.head);
    let Some(service) = wanted(&job) else {
        return Verdict::Accept(job.packet);
    };
    // Not an opening: this host's own stack answers with RST.
    if head.protocol == Protocol::Tcp && !opens(head) {
        return Verdict::Accept(job.packet);
    }
    let Some(dest) = service.schedule(cx.rcu, head.source.any(), head.destination.addr.into())
    else {
        job.packet.answer::<A>(Answer::PortUnreachable);
        return job.drop(DropReason::NoDestination);
    };
    let new = match plan(cx, flows, service, dest, head) {
        Ok(new) => new,
        Err(reason) => return job.drop(reason),
    };
    let timeouts = cx.ns.settings.timeouts(cx.rcu);
    let entry = match flows.insert(cx.rcu, new, timeouts) {
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
        Err(None) => return job.drop(DropReason::NoMemory),
    };
    let now = now();
    let snapshot = flows.step(entry, &head.segment(Dir::In), now, timeouts);
    forward::transmit(job, &entry, snapshot, Dir::In, now)
}

/// The service that a packet is for: by its mark, by its address and port, or
/// by its address alone.
fn wanted<'a, A: Family>(job: &Job<'a, A>) -> Option<&'a Arc<Service>> {
    let (cx, head) = (job.cx, job.head);
    let services = &cx.ns.services;
    let by_address = |port| ServiceKey::Address {
        protocol: u16::from(head.protocol.number()),
        addr: head.destination.addr.into(),
        port,
    };
    let marked = match job.packet.mark() {
        0 => None,
        mark => services.at(
            cx.rcu,
            ServiceKey::Fwmark {
                family: A::FAMILY,
                mark,
            },
        ),
    };
    marked
        .or_else(|| services.at(cx.rcu, by_address(head.destination.port)))
        .or_else(|| services.at(cx.rcu, by_address(0)))
}

/// Whether a TCP segment begins a connection.
fn opens<A: Family>(head: &Head<A>) -> bool {
    let flags = head.flags();
    flags.syn() && !flags.rst()
}

/// What the new connection is to be.
fn plan<A: Family>(
    cx: Context<'_>,
    flows: &Flows<A>,
    service: &Service,
    dest: &Arc<Dest>,
    head: &Head<A>,
) -> Result<NewConnection<A>, DropReason> {
    let real = real(dest, head).ok_or(DropReason::NoRoute)?;
    let method = service.method(dest, &cx.ns.services.default_pool, cx.rcu);
    let (conn, local) = match method {
        Method::Fullnat => {
            let (conn, local) = fullnat(cx, flows, service, real, head)?;
            (conn, Some(local))
        }
        Method::Nat => {
            let (client, virt) = (head.source, head.destination);
            let conn = Conn::nat(head.protocol, client, virt, real, head.seq());
            (conn, None)
        }
    };
    Ok(NewConnection {
        first: conn.start(now()),
        conn,
        dest: dest.clone(),
        local,
    })
}

/// Where the server listens: on a port of its own, or on the one that the
/// client asked for.
fn real<A: Family>(dest: &Dest, head: &Head<A>) -> Option<Endpoint<A>> {
    let Endpoint { addr, port } = dest.real;
    let port = match port {
        0 => head.destination.port,
        port => port,
    };
    Some(Endpoint::new(A::from_any(addr)?, port))
}

fn fullnat<A: Family>(
    cx: Context<'_>,
    flows: &Flows<A>,
    service: &Service,
    real: Endpoint<A>,
    head: &Head<A>,
) -> Result<(Conn<A, A>, Arc<Local>), DropReason> {
    let (local, addr, lease) = lease(cx, flows, service, real, head.protocol)?;
    let settings = &cx.ns.settings;
    let source = Endpoint::new(addr, lease.port);
    let hash = number_line(settings.isn_key(), addr, real);
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
    let conn = Conn::fullnat(head.protocol, client, virt, source, real, numbers, features);
    Ok((conn, local.clone()))
}

/// Where the sequence numbers between a local address and a server lie. One
/// line for all ports: what a port's last connection has used is below what the
/// next one gets if it is below the highest of all.
fn number_line<A: Family>(key: random::Key, local: A, real: Endpoint<A>) -> u32 {
    let words = |addr: A| {
        let [a, b, c, d] = addr.to_words();
        let pair = |high: u32, low: u32| u64::from(high) << 32 | u64::from(low);
        (pair(a, b), pair(c, d))
    };
    let ((a, b), (c, d)) = (words(local), words(real.addr));
    let addrs = key.hash4([a, b, c, d]);
    // CAST: The low half.
    key.hash2([addrs, u64::from(real.port)]) as u32
}

/// A port of one of the service's local addresses.
fn lease<'r, A: Family>(
    cx: Context<'r>,
    flows: &Flows<A>,
    service: &'r Service,
    real: Endpoint<A>,
    protocol: Protocol,
) -> Result<(&'r Arc<Local>, A, Lease), DropReason> {
    let pool = service
        .pool(A::FAMILY, &cx.ns.services.default_pool, cx.rcu)
        .ok_or(DropReason::NoLocalAddress)?;
    let host_ranges = cx.ns.settings.ports();
    let mut oldest = None;
    for local in pool.in_turn(A::FAMILY, cx.rcu) {
        let Some(addr) = A::from_any(local.addr) else {
            continue;
        };
        let ranges = local.ports(host_ranges);
        let triple = Triple {
            protocol,
            local: local.addr,
            real: real.any(),
        };
        let usable = usable(cx, protocol, addr, real);
        match flows.spaces.lease(triple, &ranges, random::u32(), usable) {
            Ok(lease) => return Ok((local, addr, lease)),
            Err(Refusal::NoMemory) => return Err(DropReason::NoMemory),
            Err(Refusal::Exhausted(port)) => {
                oldest.get_or_insert((local, addr, ranges, triple, port));
            }
        }
    }
    // All are full: one that is over but for its wait makes room.
    let (local, addr, ranges, triple, port) = oldest.ok_or(DropReason::NoLocalAddress)?;
    if flows.evict(cx.rcu, &triple, &ranges, port) {
        let usable = usable(cx, protocol, addr, real);
        if let Ok(lease) = flows.spaces.lease(triple, &ranges, random::u32(), usable) {
            cx.ns.happened(Event::PortTakenFromTimeWait);
            return Ok((local, addr, lease));
        }
    }
    ran_dry(cx.ns, service, local, real.any(), ranges.count());
    Err(DropReason::PortsExhausted)
}

/// Whether a port is not one of this host's own connections to the server,
/// such as health checks from the same address.
fn usable<'a, A: Family>(
    cx: Context<'a>,
    protocol: Protocol,
    local: A,
    real: Endpoint<A>,
) -> impl Fn(u16) -> bool + 'a {
    move |port| {
        protocol != Protocol::Tcp
            || !route::has_tcp_socket(cx.net, Endpoint::new(local, port), real)
    }
}

#[cold]
fn ran_dry(ns: &Ns, service: &Service, local: &Local, real: AnyEndpoint, ports: u32) {
    local.ran_dry();
    if ns.may_log(now()) {
        pr_warn!(
            "{}: all {} ports of local address {} towards {} are in use, {} by its connections; add local addresses (ipvsadm-rs -P)\n",
            Shown(service.key),
            ports,
            Shown(Addr(local.addr)),
            Shown(End(real)),
            local.conns(),
        );
    }
}
