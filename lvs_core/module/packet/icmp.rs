// SPDX-License-Identifier: GPL-2.0

//! ICMP errors about packets of connections.
//!
//! An error from the server's side is about a packet from the local address; it
//! goes on to the client. One from the client's side is about a packet from
//! the virtual address and goes on to the server. Both are taken before routing:
//! connection tracking, which has not seen the packet that an error is about,
//! would call the error invalid. One about a connection that is not there is a
//! request, if it is anything, and waits for the hook of those.
//!
//! An error about a packet that this host has wrapped stays here: what it says
//! of the path is kept, and the client hears it from this host when its next
//! packet is too long.

use super::{
    forward::reason,
    head::Head,
    method::{self, Sent},
    request, Context, Job, Place,
};
use crate::{conns::Connection, family::Family};
use lvs_engine::{
    conn::{Dir, Protocol},
    drop_reason::{DropReason, Event},
};
use lvs_kapi::{
    netfilter::Verdict,
    random,
    route::{Query, Route},
    skb::{Packet, Traits},
};
use lvs_table::Ref;
use lvs_wire::{
    addr::{Endpoint, Family as AnyFamily},
    icmp::{self, ErrorKind, Message},
    ip::{self, TtlStep},
    rewrite::icmp::ErrorPlan,
};

/// How many bytes of an error are looked at.
const LOOK: u32 = 576;

/// An ICMP error, and what is known of it.
struct Report<'a, A> {
    cx: Context<'a>,
    packet: Packet,
    traits: Traits,
    place: Place,
    ip: ip::Packet<A>,
}

/// Handles an ICMP message.
#[cold]
pub(super) fn error<A: Family>(
    cx: Context<'_>,
    mut packet: Packet,
    traits: Traits,
    place: Place,
    ip: ip::Packet<A>,
) -> Verdict {
    let Some(about) = About::read(&mut packet, ip) else {
        return Verdict::Accept(packet);
    };
    // It goes to whom it seems to be about.
    if ip.dst != about.source {
        return Verdict::Accept(packet);
    }
    let report = Report {
        cx,
        packet,
        traits,
        place,
        ip,
    };
    report.deliver(about)
}

impl<A: Family> Report<'_, A> {
    fn deliver(self, about: About<A>) -> Verdict {
        let cx = self.cx;
        let (Some(conns), Some((protocol, source, destination))) = (cx.ns.conns(), about.flow)
        else {
            return self.of_tunnel(about);
        };
        // The embedded packet went the other way.
        let (source, destination) = (destination, source);
        let within =
            A::flows(conns).and_then(|flows| flows.find(cx.rcu, protocol, source, destination));
        match within {
            Some((entry, Dir::In)) => return self.towards_server(entry),
            Some((entry, Dir::Out)) => return self.towards_client(entry),
            None => {}
        }
        match A::FAMILY {
            AnyFamily::V4 => {
                let found = A::from_v6(conns)
                    .and_then(|flows| flows.find_server(cx.rcu, protocol, source, destination));
                match found {
                    Some(entry) => self.towards_client(entry),
                    None => self.overheard(about),
                }
            }
            AnyFamily::V6 => {
                let found = A::to_v4(conns)
                    .and_then(|flows| flows.find_client(cx.rcu, protocol, source, destination));
                match found {
                    Some(entry) => self.towards_server(entry),
                    None => self.overheard(about),
                }
            }
        }
    }

    /// About a packet that another director let pass, if that is what it says.
    fn overheard(self, about: About<A>) -> Verdict {
        let cx = self.cx;
        let flow = about.flow.filter(|_| cx.ns.settings.schedule_icmp());
        let found = flow.filter(|_| self.place == Place::Local).and_then(
            |(protocol, source, destination)| {
                let head = Head::of_answer_to(protocol, destination, source, self.ip);
                request::overheard(cx, &head, self.packet.mark())
            },
        );
        match found {
            Some(entry) => self.towards_server(entry),
            None => self.of_tunnel(about),
        }
    }

    /// Whether it says what its sender said.
    fn is_sound(&mut self) -> bool {
        self.packet.icmp_checksum_is_right::<A>(self.ip.l4_offset)
    }

    /// From the server's side, about a packet of the client's.
    fn towards_client<C: Family>(mut self, entry: Ref<'_, Connection<C, A>>) -> Verdict {
        if !self.is_sound() {
            return self.cx.drop(self.packet, DropReason::BadChecksum);
        }
        let conn = &entry.conn;
        let plan = conn.icmp_to_client(entry.snapshot());
        self.translate(plan, conn.virt.addr)
    }

    /// From the client's side, about a packet of the server's.
    fn towards_server<S: Family>(mut self, entry: Ref<'_, Connection<A, S>>) -> Verdict {
        if !self.is_sound() {
            return self.cx.drop(self.packet, DropReason::BadChecksum);
        }
        let conn = &entry.conn;
        // Where the server has the virtual address, it has sent the packet as
        // the client has seen it.
        if !conn.method.sees_replies() {
            return self.pass_on(entry);
        }
        let reporter = S::from_any(self.ip.src.into()).unwrap_or(conn.local.addr);
        let plan = conn.icmp_to_server(reporter);
        self.translate(plan, conn.local.addr)
    }

    /// Makes the error what `plan` says and sends it along the route of packets
    /// from `source`.
    fn translate<B: Family>(mut self, mut plan: ErrorPlan<B>, source: B) -> Verdict {
        let cx = self.cx;
        let query = Query {
            source,
            mark: self.packet.mark(),
            ..Query::to(plan.dst)
        };
        let Some(route) = Route::find(cx.net, query) else {
            return cx.drop(self.packet, DropReason::NoRoute);
        };
        plan.ttl = self.place.hop_along(&route);
        // No error is sent about an error.
        if plan.ttl == TtlStep::Decrement && self.ip.ttl <= 1 {
            return cx.drop(self.packet, DropReason::TtlExceeded);
        }
        let offset = self.ip.l4_offset;
        let done = if A::FAMILY == B::FAMILY {
            self.packet.rewrite_error(self.traits, offset, &plan)
        } else {
            // CAST: The low half is as random.
            let id = random::u32() as u16;
            self.packet.translate_error::<A, B>(offset, &plan, id)
        };
        if let Err(error) = done {
            return cx.drop(self.packet, reason(error));
        }
        cx.ns.happened(Event::IcmpTranslated);
        self.packet.send::<B>(cx.net, cx.rcu, &route);
        Verdict::Taken
    }

    /// Sends the error to the server as packets of its connection are.
    fn pass_on<S: Family>(self, entry: Ref<'_, Connection<A, S>>) -> Verdict {
        let cx = self.cx;
        let head = Head::of_error(entry.conn.protocol, self.ip);
        let job = Job {
            cx,
            packet: self.packet,
            traits: self.traits,
            head: &head,
            place: self.place,
        };
        match method::to_server(job, &entry, entry.snapshot()) {
            Err(reason) => {
                cx.ns.dropped(reason);
                Verdict::Taken
            }
            Ok(Sent::Away(_)) => Verdict::Taken,
            Ok(Sent::On(packet, _)) => Verdict::Accept(packet),
        }
    }

    /// About a packet that this host has wrapped, if that is what it says.
    fn of_tunnel(mut self, about: About<A>) -> Verdict {
        let cx = self.cx;
        let Some(mtu) = about.mtu else {
            return Verdict::Accept(self.packet);
        };
        // From anybody about anything it would be a way to make us slow.
        if cx.ns.services.has_tunnel(cx.rcu, about.destination) && self.is_sound() {
            self.packet
                .learn_mtu::<A>(cx.net, about.offset, about.protocol, mtu);
            cx.ns.happened(Event::TunnelMtuLearnt);
        }
        Verdict::Accept(self.packet)
    }
}

/// What an ICMP error is about: a packet.
#[derive(Clone, Copy)]
struct About<A> {
    source: A,
    destination: A,
    protocol: u8,
    /// Where it begins in the error.
    offset: u32,
    /// What would have passed, if it was too long.
    mtu: Option<u32>,
    /// Its protocol and its ends, if it has ports.
    flow: Option<(Protocol, Endpoint<A>, Endpoint<A>)>,
}

impl<A: Family> About<A> {
    fn read(packet: &mut Packet, ip: ip::Packet<A>) -> Option<Self> {
        // Two IP headers with options or extension headers, and the ports.
        let len = packet.len().min(LOOK);
        let message = packet.pull(len).ok()?.get(ip.l4_offset..)?;
        let message = Message::<A>::parse(message).ok()?;
        let icmp::Kind::Error(kind) = message.kind() else {
            return None;
        };
        let inner = message.embedded().ok()?;
        if !inner.has_transport() {
            return None;
        }
        let flow = || {
            let l4 = message.body().get(inner.l4_offset..)?;
            let (source, destination) = icmp::embedded_ports(l4)?;
            Some((
                Protocol::from_number(inner.protocol)?,
                Endpoint::new(inner.src, source),
                Endpoint::new(inner.dst, destination),
            ))
        };
        let offset = ip.l4_offset.saturating_add(icmp::HEADER_LEN);
        Some(Self {
            source: inner.src,
            destination: inner.dst,
            protocol: inner.protocol,
            offset: u32::try_from(offset).ok()?,
            mtu: match kind {
                ErrorKind::TooBig { mtu } => Some(mtu),
                _ => None,
            },
            flow: flow(),
        })
    }
}
