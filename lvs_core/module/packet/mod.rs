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
//!  LOCAL_OUT    -98   requests of this host's own programs, and replies of
//!                     servers that run on it
//! ```
//!
//! The hooks stand where IPVS's do, with its priorities, but for the first one,
//! which has no counterpart there. All of them do the same: find the
//! connection, let the packet change its state, rewrite the packet, send it.

mod forward;
mod head;
mod icmp;
mod method;
mod request;
pub(crate) mod reset;

use crate::{conns::Conns, family::Family, ns::Ns};
use core::{
    marker::PhantomData,
    net::{Ipv4Addr, Ipv6Addr},
};
use head::{Head, NotOurs};
use kernel::{prelude::*, sync::Arc};
use lvs_engine::{conn::Dir, drop_reason::DropReason};
use lvs_kapi::{
    net::Net,
    netfilter::{Hook, Point, Spec, Verdict},
    netns::{Anchor, Hooks},
    rcu::ReadLock,
    route::Route,
    skb::{Answer, DefragUser, Packet, Traits},
};
use lvs_wire::{
    addr::Family as AnyFamily,
    ip::{self, TtlStep},
};

/// Lets packets of a namespace and a family come here. May sleep.
pub(crate) fn hooks(anchor: &Anchor, family: AnyFamily, ns: Arc<Ns>) -> Result<Hooks> {
    match family {
        AnyFamily::V4 => hooks_of::<Ipv4Addr>(anchor, ns),
        AnyFamily::V6 => hooks_of::<Ipv6Addr>(anchor, ns),
    }
}

fn hooks_of<A: Family>(anchor: &Anchor, ns: Arc<Ns>) -> Result<Hooks> {
    anchor.hook(
        ns,
        [
            Spec::of::<Replies<A>>(),
            Spec::of::<Requests<A>>(),
            Spec::of::<Through<A>>(),
            Spec::of::<Leaving<A>>(),
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
struct Replies<A>(PhantomData<A>);

impl<A: Family> Hook for Replies<A> {
    type State = Ns;
    const FAMILY: AnyFamily = A::FAMILY;
    const POINT: Point = Point::PreRouting;
    // After reassembly (-400), before the raw table (-300) and connection
    // tracking (-200).
    const PRIORITY: i32 = -301;

    #[inline]
    fn packet(ns: &Ns, net: &Net, rcu: &ReadLock, packet: Packet) -> Verdict {
        let cx = Context { ns, net, rcu };
        handle::<A>(cx, packet, Place::Arriving)
    }
}

/// Addressed to this host.
struct Requests<A>(PhantomData<A>);

impl<A: Family> Hook for Requests<A> {
    type State = Ns;
    const FAMILY: AnyFamily = A::FAMILY;
    const POINT: Point = Point::LocalIn;
    // NF_IP_PRI_NAT_SRC - 1
    const PRIORITY: i32 = 99;

    #[inline]
    fn packet(ns: &Ns, net: &Net, rcu: &ReadLock, packet: Packet) -> Verdict {
        let cx = Context { ns, net, rcu };
        handle::<A>(cx, packet, Place::Local)
    }
}

/// Routed through this host.
struct Through<A>(PhantomData<A>);

impl<A: Family> Hook for Through<A> {
    type State = Ns;
    const FAMILY: AnyFamily = A::FAMILY;
    const POINT: Point = Point::Forward;
    const PRIORITY: i32 = 99;

    #[inline]
    fn packet(ns: &Ns, net: &Net, rcu: &ReadLock, packet: Packet) -> Verdict {
        let cx = Context { ns, net, rcu };
        handle::<A>(cx, packet, Place::Through)
    }
}

/// Made by this host.
struct Leaving<A>(PhantomData<A>);

impl<A: Family> Hook for Leaving<A> {
    type State = Ns;
    const FAMILY: AnyFamily = A::FAMILY;
    const POINT: Point = Point::LocalOut;
    // NF_IP_PRI_NAT_DST + 2
    const PRIORITY: i32 = -98;

    #[inline]
    fn packet(ns: &Ns, net: &Net, rcu: &ReadLock, packet: Packet) -> Verdict {
        let cx = Context { ns, net, rcu };
        handle::<A>(cx, packet, Place::Leaving)
    }
}

/// Which hook asks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Arriving,
    Local,
    Through,
    Leaving,
}

impl Place {
    /// What is left to do of crossing a router: forwarding has counted the hop
    /// before its hook, and what this host sends itself has not crossed it.
    #[inline]
    fn hop(self) -> TtlStep {
        match self {
            Self::Arriving | Self::Local => TtlStep::Decrement,
            Self::Through | Self::Leaving => TtlStep::Keep,
        }
    }

    /// As [`Place::hop`], for a packet that goes on along `route`: what stays
    /// here makes no hop.
    #[inline]
    fn hop_along(self, route: &Route) -> TtlStep {
        if route.is_local() {
            TtlStep::Keep
        } else {
            self.hop()
        }
    }
}

#[inline]
fn handle<A: Family>(cx: Context<'_>, mut packet: Packet, place: Place) -> Verdict {
    let traits = packet.traits();
    if traits.is_done() || !traits.to_this_host() {
        return Verdict::Accept(packet);
    }
    let Some(ip) = Head::<A>::ip(&mut packet) else {
        return unreadable::<A>(cx, packet, place);
    };
    // What is for anybody else goes on to where firewalls have their say: most
    // of it needs no second look.
    let elsewhere =
        place == Place::Arriving && matches!(ip.protocol, 6 | 17) && !is_local_address(cx, ip.dst);
    if elsewhere && !Head::may_end(&packet, ip) {
        return Verdict::Accept(packet);
    }
    let head = match Head::transport(&mut packet, ip) {
        Ok(head) if place == Place::Leaving => head.of_this_host(),
        Ok(head) => head,
        Err(NotOurs::Fragment(ip)) => return fragment(cx, packet, place, ip),
        Err(NotOurs::Icmp(ip)) => return icmp::error(cx, packet, traits, place, ip),
        // What is for us and cannot be read would get nowhere; so it is said.
        Err(NotOurs::Malformed(dst, reason)) => {
            return match place {
                Place::Local if cx.ns.services.has_virtual(cx.rcu, dst) => cx.drop(packet, reason),
                Place::Arriving if !elsewhere => cx.drop(packet, reason),
                _ => Verdict::Accept(packet),
            }
        }
        // Other protocols: the stack will judge.
        Err(NotOurs::Other) => return Verdict::Accept(packet),
    };
    if elsewhere {
        return request::arriving(cx, packet, &head);
    }
    let Some(conns) = cx.ns.conns() else {
        return Verdict::Accept(packet);
    };
    let job = Job {
        cx,
        packet,
        traits,
        head: &head,
        place,
    };
    let (protocol, source, destination) = (head.protocol, head.source, head.destination);
    let found = A::flows(conns)
        .and_then(|flows| Some((flows, flows.find(cx.rcu, protocol, source, destination)?)));
    match (found, place) {
        // A local address that is a virtual one too: requests to it wait for
        // their hook.
        (Some((_, (_, Dir::In))), Place::Arriving) => request::arriving(cx, job.packet, &head),
        (Some((flows, (entry, Dir::In))), _) => forward::from_client(flows, job, entry),
        (Some((flows, (entry, Dir::Out))), _) => forward::from_server(flows, job, entry),
        (None, _) => between_families(conns, job),
    }
}

/// A packet with more IPv6 extension headers than are looked at: the stack
/// would take it, past the balancer.
#[cold]
fn unreadable<A: Family>(cx: Context<'_>, packet: Packet, place: Place) -> Verdict {
    // Where both families have it: last in the fixed header.
    let place_of_it = A::HEADER_LEN.saturating_sub(A::LEN)..A::HEADER_LEN;
    let destination = packet.linear().get(place_of_it).and_then(A::from_bytes);
    match destination {
        Some(destination)
            if place == Place::Local && cx.ns.services.has_virtual(cx.rcu, destination) =>
        {
            cx.drop(packet, DropReason::BadHeader)
        }
        _ => Verdict::Accept(packet),
    }
}

/// A packet of no connection within its family: it may be of one between a
/// client of IPv6 and a server of IPv4, or of none yet.
fn between_families<A: Family>(conns: &Conns, mut job: Job<'_, A>) -> Verdict {
    let (cx, head) = (job.cx, job.head);
    let rcu = cx.rcu;
    let (protocol, source, destination) = (head.protocol, head.source, head.destination);
    match A::FAMILY {
        AnyFamily::V4 => {
            let found = A::from_v6(conns).filter(|flows| !flows.is_empty());
            let found = found.and_then(|flows| {
                let entry = flows.find_server(rcu, protocol, source, destination)?;
                Some((flows, entry))
            });
            if let Some((flows, entry)) = found {
                return forward::from_server(flows, job, entry);
            }
        }
        AnyFamily::V6 => {
            let found = A::to_v4(conns).filter(|flows| !flows.is_empty());
            let found = found.and_then(|flows| {
                let entry = flows.find_client(rcu, protocol, source, destination)?;
                Some((flows, entry))
            });
            match found {
                Some(_) if job.place == Place::Arriving => {
                    return request::arriving(cx, job.packet, head);
                }
                Some((flows, entry)) => return forward::from_client(flows, job, entry),
                None => {}
            }
        }
    }
    if matches!(job.place, Place::Through | Place::Leaving)
        && cx.ns.settings.nat_icmp_send()
        && is_lost_reply(cx, head)
    {
        job.packet.answer::<A>(Answer::PortUnreachable);
        return job.drop(DropReason::LostReply);
    }
    match job.place {
        Place::Local | Place::Leaving => request::packet(job),
        Place::Arriving | Place::Through => Verdict::Accept(job.packet),
    }
}

/// Whether a packet of no connection is the reply of a server behind NAT, which
/// is to hear that nobody waits for it. Not a RST: nothing would come of that.
#[cold]
fn is_lost_reply<A: Family>(cx: Context<'_>, head: &Head<A>) -> bool {
    let services = &cx.ns.services;
    !head.flags().rst() && services.has_nat_server(cx.rcu, head.protocol, head.source.any())
}

/// A packet, and all that is known of it.
struct Job<'a, A> {
    cx: Context<'a>,
    packet: Packet,
    traits: Traits,
    head: &'a Head<A>,
    place: Place,
}

impl<A: Family> Job<'_, A> {
    #[cold]
    fn drop(self, reason: DropReason) -> Verdict {
        self.cx.drop(self.packet, reason)
    }
}

/// A piece of a datagram: what is for a local address is collected here, and
/// looked at whole. What is for this host otherwise, the stack has collected
/// before it is seen; what is on its way through is collected as IPVS does.
#[cold]
fn fragment<A: Family>(
    cx: Context<'_>,
    packet: Packet,
    place: Place,
    ip: ip::Packet<A>,
) -> Verdict {
    let user = match place {
        // IPv6's have been collected before any of our hooks.
        _ if A::FAMILY == AnyFamily::V6 => return Verdict::Accept(packet),
        Place::Arriving if is_local_address(cx, ip.dst) => DefragUser::In,
        Place::Through => DefragUser::Forward,
        Place::Leaving => DefragUser::Out,
        _ => return Verdict::Accept(packet),
    };
    match packet.defragment::<A>(cx.net, user) {
        Some(whole) => handle::<A>(cx, whole, place),
        None => Verdict::Taken,
    }
}

/// Whether a connection could be at `addr` as its local address.
#[inline]
fn is_local_address<A: Family>(cx: Context<'_>, addr: A) -> bool {
    cx.ns.services.has_local(cx.rcu, addr)
}
