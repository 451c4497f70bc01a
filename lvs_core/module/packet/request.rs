// SPDX-License-Identifier: GPL-2.0

//! A packet without a connection: does a service want it, who serves it, and
//! from which local port.

use super::{forward, head::Head, Context, Job};
use crate::{
    conns::{now, Connection, Conns, Flows, NewConnection},
    dests::Dest,
    family::Family,
    locals::Local,
    ns::Ns,
    service::Service,
    shown::Shown,
    spaces::{Lease, Refusal, Triple},
    templates::{Control, Subject, Templates},
};
use kernel::{prelude::*, sync::Arc};
use lvs_engine::{
    conn::{Conn, Dir, Features, Method, Numbers, Protocol},
    drop_reason::{DropReason, Event},
    isn, persist,
    service::{ServiceConfig, ServiceKey},
};
use lvs_kapi::{
    netfilter::Verdict,
    random, route,
    skb::{Answer, Packet},
    time,
};
use lvs_table::Ref;
use lvs_wire::{
    addr::{AnyEndpoint, Endpoint, Family as AnyFamily},
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
    let chosen = match choose(cx, conns, service, head) {
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
        open(A::to_v4(conns), job, service, chosen)
    } else {
        open(A::flows(conns), job, service, chosen)
    }
}

/// Opens a connection and sends its first packet.
fn open<C: Family, S: Family>(
    flows: Option<&Flows<C, S>>,
    job: Job<'_, C>,
    service: &Service,
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
    if service.config().is_one_packet(head.protocol) {
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
    let chosen = choose(cx, conns, service, head).ok()?;
    // A server has never heard of a local port that is new, and nothing is to be
    // said of one packet alone.
    if chosen.method == Method::Fullnat
        || chosen.is_translated_to_v4()
        || service.config().is_one_packet(head.protocol)
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

/// Who gets a connection.
struct Chosen<'r> {
    dest: &'r Arc<Dest>,
    /// Why: the template.
    control: Option<Arc<Control>>,
    /// On which port it listens; none for bypass.
    port: u16,
    method: Method,
}

impl Chosen<'_> {
    /// Whether packets become IPv4's on their way, if they are not.
    fn is_translated_to_v4(&self) -> bool {
        matches!(self.method, Method::Nat | Method::Fullnat)
            && AnyFamily::of(&self.dest.real.addr) == AnyFamily::V4
    }
}

/// Who gets the connection: the server that the client stays with, or the one
/// whose turn it is, or, of a transparent cache without servers, the address
/// that the client asked.
fn choose<'r, A: Family>(
    cx: Context<'r>,
    conns: &'r Conns,
    service: &'r Service,
    head: &Head<A>,
) -> Result<Chosen<'r>, DropReason> {
    if conns.len() >= cx.ns.settings.conn_max() {
        return Err(DropReason::TooManyConnections);
    }
    let config = service.config();
    let schedule = || service.schedule(cx.rcu, head.source.any(), head.destination.addr.into());
    let asked = head.destination.port;
    let method = |dest| service.method(dest, &cx.ns.services.default_pool, cx.rcu);
    let chosen = if config.is_persistent() {
        let found = persistent(cx, &conns.templates, service, &config, head, schedule)?;
        found.map(|(dest, control, port)| Chosen {
            dest,
            control: Some(control),
            port,
            method: method(dest),
        })
    } else {
        schedule().map(|dest| Chosen {
            dest,
            control: None,
            port: match dest.real.port {
                0 => asked,
                port => port,
            },
            method: method(dest),
        })
    };
    let bypass = || {
        let dest = service.bypass.as_ref()?;
        let elsewhere = route::is_unicast(cx.net, head.destination.addr)
            && !route::is_local(cx.net, head.destination.addr);
        (cx.ns.settings.cache_bypass() && elsewhere).then_some(Chosen {
            dest,
            control: None,
            port: 0,
            method: method(dest),
        })
    };
    chosen.or_else(bypass).ok_or(DropReason::NoDestination)
}

/// The server that the client stays with, or, if it has none yet, the one that
/// it will stay with; the template, and the port.
fn persistent<'r, A: Family>(
    cx: Context<'r>,
    templates: &'r Templates,
    service: &'r Service,
    config: &ServiceConfig,
    head: &Head<A>,
    schedule: impl FnOnce() -> Option<&'r Arc<Dest>>,
) -> Result<Option<(&'r Arc<Dest>, Arc<Control>, u16)>, DropReason> {
    let asked = head.destination.port;
    let own_port = match service.key {
        ServiceKey::Address { port, .. } => port,
        ServiceKey::Fwmark { .. } => 0,
    };
    let template_port = persist::template_port(own_port, asked);
    let subject = Subject {
        client: persist::network(head.source.addr, config.netmask),
        scope: match service.key {
            ServiceKey::Address { protocol, addr, .. } => ServiceKey::Address {
                protocol,
                addr,
                port: template_port,
            },
            mark => mark,
        },
    };
    let found = templates.find(cx.rcu, subject).filter(|template| {
        let status = template.dest.status();
        let quiet = status.weight == 0 && cx.ns.settings.expire_quiescent_template();
        let holds = status.available && !quiet;
        if !holds {
            templates.remove(*template);
        }
        holds
    });
    let template = match found {
        Some(template) => template,
        None => {
            let Some(dest) = schedule() else {
                return Ok(None);
            };
            let port = if template_port != 0 {
                dest.real.port
            } else {
                0
            };
            templates
                .add(cx.rcu, subject, dest, port, config.timeout)
                .ok_or(DropReason::NoMemory)?
        }
    };
    let template = template.get();
    let port = match template.dest.real.port {
        port if port != 0 && asked == own_port => port,
        _ => asked,
    };
    Ok(Some((&template.dest, template.control.clone(), port)))
}

/// The service that a packet is for: by its mark, by its address and port, as
/// FTP's data, or by its address alone.
fn wanted<'a, A: Family>(cx: Context<'a>, head: &Head<A>, mark: u32) -> Option<&'a Arc<Service>> {
    let services = &cx.ns.services;
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
            let (conn, local) = fullnat(cx, flows, service, real, head)?;
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

fn fullnat<C: Family, S: Family>(
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
    let pool = service
        .pool(S::FAMILY, &cx.ns.services.default_pool, cx.rcu)
        .ok_or(DropReason::NoLocalAddress)?;
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
    // All are full: one that is over but for its wait makes room.
    let (local, addr, ranges, triple, port) = oldest.ok_or(DropReason::NoLocalAddress)?;
    if flows.evict(cx.rcu, &triple, &ranges, port, cx.ns.settings.lport_tries()) {
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
