// SPDX-License-Identifier: GPL-2.0

//! From which local address and port a new FULLNAT connection leaves, and with
//! which sequence number.

use super::{Context, Head};
use crate::{
    conns::{now, Flows},
    family::Family,
    locals::Local,
    ns::Ns,
    service::Service,
    shown::Shown,
    spaces::{Lease, Refusal, Triple},
};
use kernel::{prelude::*, sync::Arc};
use lvs_engine::{
    conn::{Conn, Features, Numbers, Protocol},
    drop_reason::{DropReason, Event},
    isn,
};
use lvs_kapi::{random, route, time};
use lvs_wire::{
    addr::{AnyEndpoint, Endpoint},
    shown::{Shown as Addr, ShownEnd as End},
};

/// A FULLNAT connection, and where its port is from.
pub(super) fn fullnat<C: Family, S: Family>(
    cx: Context<'_>,
    flows: &Flows<C, S>,
    service: &Service,
    real: Endpoint<S>,
    head: &Head<C>,
) -> Result<(Conn<C, S>, Arc<Local>), DropReason> {
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
        fast_open: settings.fast_open(),
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
fn lease<'r, C: Family, S: Family>(
    cx: Context<'r>,
    flows: &Flows<C, S>,
    service: &'r Service,
    real: Endpoint<S>,
    protocol: Protocol,
) -> Result<(&'r Arc<Local>, S, Lease), DropReason> {
    let pool = service.pool(S::FAMILY, cx.rcu);
    let pool = pool.ok_or(DropReason::NoLocalAddress)?;
    let host_ranges = cx.ns.settings.ports();
    let mut oldest = None;
    for local in pool.in_turn(S::FAMILY, cx.rcu) {
        let Some(addr) = S::from_any(local.addr) else {
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
    // All are full: one that is over, as far as can be told, makes room.
    let (local, addr, ranges, triple, port) = oldest.ok_or(DropReason::NoLocalAddress)?;
    if flows.evict(cx.rcu, &triple, &ranges, port, cx.ns.settings.lport_tries()) {
        let usable = usable(cx, protocol, addr, real);
        if let Ok(lease) = flows.spaces.lease(triple, &ranges, random::u32(), usable) {
            cx.ns.happened(match protocol {
                Protocol::Tcp => Event::PortTakenFromTimeWait,
                Protocol::Udp => Event::PortTakenFromUdp,
            });
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
