// SPDX-License-Identifier: GPL-2.0

//! ICMP errors about packets of connections.
//!
//! An error from the server's side is about a packet from the local address; it
//! goes on to the client. One from the client's side is about a packet from
//! the virtual address and goes on to the server. Both are taken before routing:
//! connection tracking, which has not seen the packet that an error is about,
//! would call the error invalid.

use super::{forward::reason, Context, Place};
use crate::family::Family;
use lvs_engine::{
    conn::{Dir, Protocol},
    drop_reason::{DropReason, Event},
};
use lvs_kapi::{
    netfilter::Verdict,
    route::{Query, Route},
    skb::{Packet, Traits},
};
use lvs_wire::{
    addr::Endpoint,
    icmp::{self, Message},
    ip::{self, TtlStep},
};

/// How many bytes of an error are looked at.
const LOOK: u32 = 576;

/// Handles an ICMP message.
#[cold]
pub(super) fn error<A: Family>(
    cx: Context<'_>,
    mut packet: Packet,
    traits: Traits,
    place: Place,
    ip: ip::Packet<A>,
) -> Verdict {
    let Some((protocol, source, destination)) = embedded(&mut packet, ip) else {
        return Verdict::Accept(packet);
    };
    // It goes to whom it seems to be about.
    if ip.dst != source.addr {
        return Verdict::Accept(packet);
    }
    let Some(flows) = cx.ns.conns().and_then(A::flows) else {
        return Verdict::Accept(packet);
    };
    // The embedded packet went the other way.
    let Some((entry, dir)) = flows.find(cx.rcu, protocol, destination, source) else {
        return Verdict::Accept(packet);
    };
    if !packet.icmp_checksum_is_right::<A>(ip.l4_offset) {
        return cx.drop(packet, DropReason::BadChecksum);
    }
    let hop = place.hop();
    if hop == TtlStep::Decrement && ip.ttl <= 1 {
        // No error is sent about an error.
        return cx.drop(packet, DropReason::TtlExceeded);
    }
    let conn = &entry.conn;
    let snapshot = entry.snapshot();
    let (mut plan, source) = match dir {
        Dir::Out => (conn.icmp_to_client(snapshot), conn.virt.addr),
        Dir::In => (conn.icmp_to_server(ip.src), conn.local.addr),
    };
    plan.ttl = hop;
    let target = plan.dst;
    if let Err(error) = packet.rewrite_error(traits, ip.l4_offset, &plan) {
        return cx.drop(packet, reason(error));
    }
    let query = Query {
        destination: target,
        source,
        mark: packet.mark(),
        next_hop: false,
    };
    let Some(route) = Route::find(cx.net, query) else {
        return cx.drop(packet, DropReason::NoRoute);
    };
    cx.ns.happened(Event::IcmpTranslated);
    packet.send::<A>(cx.net, cx.rcu, &route);
    Verdict::Taken
}

/// The ends of the packet that an ICMP error is about.
fn embedded<A: Family>(
    packet: &mut Packet,
    ip: ip::Packet<A>,
) -> Option<(Protocol, Endpoint<A>, Endpoint<A>)> {
    // Two IP headers with options or extension headers, and the ports.
    let len = packet.len().min(LOOK);
    let message = packet.pull(len).ok()?.get(ip.l4_offset..)?;
    let message = Message::<A>::parse(message).ok()?;
    let icmp::Kind::Error(_) = message.kind() else {
        return None;
    };
    let inner = message.embedded().ok()?;
    if !inner.has_transport() {
        return None;
    }
    let protocol = Protocol::from_number(inner.protocol)?;
    let l4 = message.body().get(inner.l4_offset..)?;
    let (source, destination) = icmp::embedded_ports(l4)?;
    Some((
        protocol,
        Endpoint::new(inner.src, source),
        Endpoint::new(inner.dst, destination),
    ))
}
