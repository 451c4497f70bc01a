// SPDX-License-Identifier: GPL-2.0

//! Tunnels: the packet travels inside another one to the server, which may be
//! anywhere and of either family. It has the virtual address too and answers the
//! client by itself.

use super::{Forward, Sent};
use crate::{conns::Connection, family::Family, packet::Job};
use lvs_engine::{
    conn::Snapshot,
    drop_reason::DropReason,
    tunnel::{self, GueChecksum},
};
use lvs_kapi::{
    route::{Query, Route},
    skb::{Outer, Rewritten, Wrapping},
};
use lvs_wire::{
    addr::{AnyAddr, Family as AnyFamily},
    ip::TtlStep,
};

pub(super) struct Tunnel;

impl Forward for Tunnel {
    #[inline]
    fn forward<C: Family, S: Family>(
        job: Job<'_, C>,
        entry: &Connection<C, S>,
        _: Snapshot,
    ) -> Result<Sent, DropReason> {
        match entry.dest.real.addr {
            AnyAddr::V4(server) => through(job, entry, server),
            AnyAddr::V6(server) => through(job, entry, server),
        }
    }
}

/// Wraps the packet, of family `A`, into one of family `B`.
fn through<A: Family, S: Family, B: Family>(
    job: Job<'_, A>,
    entry: &Connection<A, S>,
    server: B,
) -> Result<Sent, DropReason> {
    let cx = job.cx;
    let query = Query::to(server);
    let sent = entry
        .dest
        .with_route(cx.net, cx.ns.anchor(), cx.rcu, query, |route| {
            wrap(job, entry, server, route)
        });
    sent.ok_or(DropReason::NoRoute)?
}

fn wrap<A: Family, S: Family, B: Family>(
    mut job: Job<'_, A>,
    entry: &Connection<A, S>,
    server: B,
    route: &Route,
) -> Result<Sent, DropReason> {
    if route.is_local() {
        return job.stay();
    }
    let (cx, tunnel) = (job.cx, entry.dest.tunnel());
    // What does not fit is the client's to know: nobody on the way sees its
    // address. Unless this host is to cut what it wraps.
    let discovers = cx.ns.settings.pmtu_disc();
    let fits = route.mtu().saturating_sub(tunnel.overhead(B::FAMILY));
    let room = match A::FAMILY {
        AnyFamily::V4 if !discovers => u32::MAX,
        AnyFamily::V4 => fits,
        // A sender of IPv6 goes no lower: what wraps its packet is cut.
        AnyFamily::V6 => fits.max(u32::from(A::MIN_MTU)),
    };
    let hop = job.place.hop();
    job.check(hop, room, 0)?;
    // The segments of a GSO packet get headers of their own.
    if !job.traits.is_gso() && !tunnel.holds(B::FAMILY, job.packet.len()) {
        return Err(DropReason::TooLong);
    }
    let no_memory = |_| DropReason::NoMemory;
    job.packet.cross::<A>(hop).map_err(no_memory)?;
    let outer = Outer {
        source: route.source::<B>(),
        destination: server,
        dsfield: job.packet.dsfield::<A>(),
        ttl: match hop {
            TtlStep::Decrement => job.head.ttl.saturating_sub(1),
            TtlStep::Keep => job.head.ttl,
        },
        dont_fragment: job.head.dont_fragment && A::FAMILY == AnyFamily::V4 && discovers,
    };
    job.packet
        .wrap::<A, B>(cx.net, cx.rcu, route, &outer, wrapping(tunnel))
        .map_err(no_memory)?;
    job.packet.send::<B>(cx.net, cx.rcu, route);
    Ok(Sent::Away(Rewritten::PLAIN))
}

fn wrapping(tunnel: tunnel::Tunnel) -> Wrapping {
    match tunnel {
        tunnel::Tunnel::Ipip => Wrapping::Ipip,
        tunnel::Tunnel::Gue { port, checksum } => Wrapping::Gue {
            port,
            checksum: checksum != GueChecksum::None,
            remote_checksum: checksum == GueChecksum::Remote,
        },
        tunnel::Tunnel::Gre { checksum } => Wrapping::Gre { checksum },
    }
}
