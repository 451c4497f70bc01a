// SPDX-License-Identifier: GPL-2.0

//! Where packets are met, and what happens to them.
//!
//! ```text
//!  PRE_ROUTING -301   replies and ICMP errors to (local address, port): sent
//!                     from there, untracked, before connection tracking and
//!                     the filters that would not know them
//!  LOCAL_IN      99   requests to a virtual address, and ICMP errors about
//!                     the replies
//!  FORWARD       99   replies of servers behind plain NAT, and ICMP errors
//!                     about the requests
//! ```
//!
//! The hooks stand where IPVS's do, with its priorities, but for the first one,
//! which has no counterpart there. All of them do the same: find the
//! connection, let the packet change its state, rewrite the packet, send it.

mod forward;
mod head;
mod icmp;
mod request;
pub(crate) mod reset;

use crate::ns::Ns;
use head::{Head, NotOurs};
use kernel::{prelude::*, sync::Arc};
use lvs_engine::{conn::Dir, drop_reason::DropReason};
use lvs_kapi::{
    net::Net,
    netfilter::{Hook, Point, Spec, Verdict},
    netns::{Anchor, Hooks},
    rcu::ReadLock,
    skb::{DefragUser, Packet},
};
use lvs_wire::ip::TtlStep;

/// Lets packets of a namespace come here. May sleep.
pub(crate) fn hooks(anchor: &Anchor, ns: Arc<Ns>) -> Result<Hooks> {
    anchor.hook(
        ns,
        [
            Spec::of::<Replies>(),
            Spec::of::<Requests>(),
            Spec::of::<Through>(),
        ],
    )
}

/// What a packet's handling needs besides the packet.
#[derive(Clone, Copy)]
struct Context<'a> {
    ns: &'a Ns,
    net: &'a Net,
    rcu: &'a ReadLock,
}

impl Context<'_> {
    /// Drops a packet and says why.
    #[cold]
    fn drop(&self, packet: Packet, reason: DropReason) -> Verdict {
        self.ns.dropped(reason);
        drop(packet);
        Verdict::Taken
    }
}

/// Before routing: what is addressed to a local address.
struct Replies;

impl Hook for Replies {
    type State = Ns;
    const POINT: Point = Point::PreRouting;
    // After reassembly (-400), before the raw table (-300) and connection
    // tracking (-200).
    const PRIORITY: i32 = -301;

    #[inline]
    fn packet(ns: &Ns, net: &Net, rcu: &ReadLock, packet: Packet) -> Verdict {
        let cx = Context { ns, net, rcu };
        handle(cx, packet, Place::Arriving)
    }
}

/// Addressed to this host.
struct Requests;

impl Hook for Requests {
    type State = Ns;
    const POINT: Point = Point::LocalIn;
    // NF_IP_PRI_NAT_SRC - 1
    const PRIORITY: i32 = 99;

    #[inline]
    fn packet(ns: &Ns, net: &Net, rcu: &ReadLock, packet: Packet) -> Verdict {
        let cx = Context { ns, net, rcu };
        handle(cx, packet, Place::Local)
    }
}

/// Routed through this host.
struct Through;

impl Hook for Through {
    type State = Ns;
    const POINT: Point = Point::Forward;
    const PRIORITY: i32 = 99;

    #[inline]
    fn packet(ns: &Ns, net: &Net, rcu: &ReadLock, packet: Packet) -> Verdict {
        let cx = Context { ns, net, rcu };
        handle(cx, packet, Place::Through)
    }
}

/// Which hook asks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Arriving,
    Local,
    Through,
}

impl Place {
    /// What is left to do of crossing a router: forwarding has counted the hop
    /// before its hook.
    #[inline]
    fn hop(self) -> TtlStep {
        match self {
            Self::Arriving | Self::Local => TtlStep::Decrement,
            Self::Through => TtlStep::Keep,
        }
    }
}

#[inline]
fn handle(cx: Context<'_>, mut packet: Packet, place: Place) -> Verdict {
    let traits = packet.traits();
    if traits.is_done() || !traits.to_this_host() {
        return Verdict::Accept(packet);
    }
    let head = match Head::parse(&mut packet) {
        Ok(head) => head,
        Err(NotOurs::Fragment(ip)) => return fragment(cx, packet, place, ip),
        Err(NotOurs::Icmp(ip)) => return icmp::error(cx, packet, traits, place, ip),
        // What is for us and cannot be read would get nowhere; so it is said.
        Err(NotOurs::Malformed(dst, reason)) => {
            return match place {
                Place::Local if cx.ns.services.has_virtual(cx.rcu, dst) => cx.drop(packet, reason),
                Place::Arriving if is_local_address(cx, dst) => cx.drop(packet, reason),
                _ => Verdict::Accept(packet),
            }
        }
        // Other protocols, and no IP at all: the stack will judge.
        Err(NotOurs::Other) => return Verdict::Accept(packet),
    };
    // What is for anybody else goes on to where firewalls have their say.
    if place == Place::Arriving && !is_local_address(cx, head.destination.addr) {
        return request::arriving(cx, packet, &head);
    }
    let Some(conns) = cx.ns.conns() else {
        return Verdict::Accept(packet);
    };
    let found = conns.find(cx.rcu, head.protocol, head.source, head.destination);
    match (found, place) {
        // A local address that is a virtual one too: requests to it wait for
        // their hook.
        (Some((_, Dir::In)), Place::Arriving) => request::arriving(cx, packet, &head),
        (Some((entry, dir)), _) => {
            let hop = place.hop();
            forward::packet(cx, conns, packet, traits, &head, entry, dir, hop)
        }
        (None, Place::Local) => request::packet(cx, conns, packet, traits, &head),
        (None, _) => Verdict::Accept(packet),
    }
}

/// A piece of a datagram: what is for a local address is collected here, and
/// looked at whole. What is for this host otherwise, the stack has collected
/// before it is seen; what is on its way through is collected as IPVS does.
#[cold]
fn fragment(cx: Context<'_>, packet: Packet, place: Place, ip: head::Ip) -> Verdict {
    let user = match place {
        Place::Arriving if is_local_address(cx, ip.dst) => DefragUser::In,
        Place::Through => DefragUser::Forward,
        _ => return Verdict::Accept(packet),
    };
    match packet.defragment(cx.net, user) {
        Some(whole) => handle(cx, whole, place),
        None => Verdict::Taken,
    }
}

/// Whether a connection could be at `addr` as its local address.
#[inline]
fn is_local_address(cx: Context<'_>, addr: crate::conns::V4) -> bool {
    cx.ns.services.has_local(cx.rcu, addr)
}
