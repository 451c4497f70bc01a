// SPDX-License-Identifier: GPL-2.0

//! A packet without a connection: does a service want it?

mod choose;
mod lease;

use super::{forward, head::Head, Context, Job};
use crate::{
    conns::{now, Connection, Flows, NewConnection},
    family::Family,
    ns::Ns,
    service::Service,
};
use choose::{choose, Chosen};
use kernel::{prelude::*, sync::Arc};
use lvs_engine::{
    conn::{Conn, Dir, Method, Protocol},
    drop_reason::DropReason,
    persist,
    service::{ServiceConfig, ServiceKey},
};
use lvs_kapi::{
    netfilter::Verdict,
    skb::{Answer, Packet},
};
use lvs_table::Ref;
use lvs_wire::addr::Endpoint;

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
    let (protocol, source, destination) = (head.protocol, head.source, head.destination);
    cx.ns.conns().is_some_and(|conns| {
        let within = A::flows(conns)
            .and_then(|flows| flows.find_client(cx.rcu, protocol, source, destination));
        within.is_some()
            || A::to_v4(conns)
                .and_then(|flows| flows.find_client(cx.rcu, protocol, source, destination))
                .is_some()
    })
}

/// Handles a packet to this host, or of its own, that no connection was found
/// for.
#[cold]
pub(super) fn packet<A: Family>(mut job: Job<'_, A>) -> Verdict {
    let (cx, head) = (job.cx, job.head);
    let Some(service) = wanted(cx, head, job.packet.mark()) else {
        return Verdict::Accept(job.packet);
    };
    // IPv6's routing, unlike IPv4's, lets the unspecified address in.
    if !head.source.addr.is_host() {
        return job.drop(DropReason::BadHeader);
    }
    let settings = &cx.ns.settings;
    // Not an opening: this host's own stack answers with RST.
    if head.protocol == Protocol::Tcp && !opens(head, settings.sloppy_tcp()) {
        return Verdict::Accept(job.packet);
    }
    let Some(conns) = cx.ns.conns() else {
        return Verdict::Accept(job.packet);
    };
    let version = service.version(cx.rcu);
    let config = &version.config;
    let chosen = match choose(cx, conns, service, version, head) {
        Ok(chosen) => chosen,
        Err(reason) => {
            if reason == DropReason::NoDestination {
                if service.key.is_ftp() && head.destination.port != persist::FTP_PORT {
                    return Verdict::Accept(job.packet);
                }
                job.packet.answer::<A>(Answer::PortUnreachable);
            }
            return job.drop(reason);
        }
    };
    if chosen.is_translated_to_v4() {
        open(A::to_v4(conns), job, service, config, chosen)
    } else {
        open(A::flows(conns), job, service, config, chosen)
    }
}

/// Opens a connection and sends its first packet.
fn open<C: Family, S: Family>(
    flows: Option<&Flows<C, S>>,
    job: Job<'_, C>,
    service: &Service,
    config: &ServiceConfig,
    chosen: Chosen<'_>,
) -> Verdict {
    let (cx, head) = (job.cx, job.head);
    let Some(flows) = flows else {
        return job.drop(DropReason::NoRoute);
    };
    let new = match plan(cx, flows, service, chosen, head) {
        Ok(new) => new,
        Err(reason) => return job.drop(reason),
    };
    let now = now();
    if config.is_one_packet(head.protocol) {
        return flows.once(new, |entry, snapshot| {
            count(cx.ns, entry);
            forward::to_server(job, entry, snapshot, now)
        });
    }
    let timeouts = cx.ns.settings.timeouts(cx.rcu);
    let entry = match add(cx, flows, new) {
        Ok(entry) => entry,
        Err(reason) => return job.drop(reason),
    };
    let snapshot = flows.step(entry, &head.segment(Dir::In), now, timeouts);
    forward::to_server(job, &entry, snapshot, now)
}

/// Lets a connection be found.
fn add<'r, C: Family, S: Family>(
    cx: Context<'r>,
    flows: &'r Flows<C, S>,
    new: NewConnection<C, S>,
) -> Result<Ref<'r, Connection<C, S>>, DropReason> {
    match flows.insert(cx.rcu, new, cx.ns.settings.timeouts(cx.rcu)) {
        Ok(entry) => {
            count(cx.ns, &entry);
            Ok(entry)
        }
        // Another CPU had the same packet, a retransmission.
        Err(Some(other)) => Ok(other),
        Err(None) => Err(DropReason::NoMemory),
    }
}

/// The connection of a client whose packets another director has had so far:
/// what comes of it first is an ICMP error, about a packet of the server's.
/// `head` is what the client would send.
pub(super) fn overheard<'r, A: Family>(
    cx: Context<'r>,
    head: &Head<A>,
    mark: u32,
) -> Option<Ref<'r, Connection<A>>> {
    let service = wanted(cx, head, mark).filter(|_| head.source.addr.is_host())?;
    let conns = cx.ns.conns()?;
    let version = service.version(cx.rcu);
    let chosen = choose(cx, conns, service, version, head).ok()?;
    // A server has never heard of a local port that is new, and nothing is to be
    // said of one packet alone.
    if chosen.method == Method::Fullnat
        || chosen.is_translated_to_v4()
        || version.config.is_one_packet(head.protocol)
    {
        return None;
    }
    let flows = A::flows(conns)?;
    let new = plan(cx, flows, service, chosen, head).ok()?;
    add(cx, flows, new).ok()
}

/// Counts a new connection.
fn count<C: Family, S: Family>(ns: &Ns, entry: &Connection<C, S>) {
    ns.totals.connection();
    entry.dest.stats.connection();
    entry.dest.service_stats.connection();
    if let Some(local) = &entry.local {
        local.stats.connection();
    }
}

/// The service that a packet is for: by its mark, by its address and port, as
/// FTP's data, or by its address alone.
fn wanted<'a, A: Family>(cx: Context<'a>, head: &Head<A>, mark: u32) -> Option<&'a Arc<Service>> {
    let services = cx.ns.services.generation(cx.rcu);
    let by_address = |port| ServiceKey::Address {
        protocol: u16::from(head.protocol.number()),
        addr: head.destination.addr.into(),
        port,
    };
    let marked = match mark {
        0 => None,
        mark => services.at(
            cx.rcu,
            ServiceKey::Fwmark {
                family: A::FAMILY,
                mark,
            },
        ),
    };
    let exact = marked.or_else(|| services.at(cx.rcu, by_address(head.destination.port)));
    if exact.is_some() {
        return exact;
    }
    if head.protocol == Protocol::Tcp && persist::is_ftp_data(head.destination.port) {
        if let Some(ftp) = services.at(cx.rcu, by_address(persist::FTP_PORT)) {
            // Without a template nobody knows which server has the session.
            return ftp.config().is_persistent().then_some(ftp);
        }
    }
    services.at(cx.rcu, by_address(0))
}

/// Whether a TCP segment begins a connection; of one that may have come another
/// way so far, any but RST does.
fn opens<A: Family>(head: &Head<A>, sloppy: bool) -> bool {
    let flags = head.flags();
    (flags.syn() || sloppy) && !flags.rst()
}

/// What the new connection is to be.
fn plan<C: Family, S: Family>(
    cx: Context<'_>,
    flows: &Flows<C, S>,
    service: &Service,
    chosen: Chosen<'_>,
    head: &Head<C>,
) -> Result<NewConnection<C, S>, DropReason> {
    let Chosen {
        dest,
        control,
        port,
        method,
    } = chosen;
    // A server of another family than this is behind a tunnel.
    let addr = S::from_any(dest.real.addr).unwrap_or(S::UNSPECIFIED);
    let real = Endpoint::new(addr, port);
    let plain = |method| {
        let (client, virt) = (head.source, head.destination);
        Conn::plain(head.protocol, method, client, virt, real, head.seq())
    };
    let plain = match method {
        Method::Fullnat => None,
        method => plain(method),
    };
    let (conn, local) = match plain {
        Some(conn) => (conn, None),
        None => {
            let (conn, local) = lease::fullnat(cx, flows, service, real, head)?;
            (conn, Some(local))
        }
    };
    Ok(NewConnection {
        first: conn.start(now()),
        conn,
        dest: dest.clone(),
        local,
        control,
    })
}
