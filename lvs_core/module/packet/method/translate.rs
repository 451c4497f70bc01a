// SPDX-License-Identifier: GPL-2.0

//! NAT and FULLNAT: the destination becomes the server, and the source a local
//! address, which with NAT is the client itself.

use super::{Forward, Sent};
use crate::{
    conns::Connection,
    family::Family,
    packet::{Job, Place},
};
use lvs_engine::{
    conn::{Conn, Dir, Snapshot},
    drop_reason::{DropReason, Event},
};
use lvs_kapi::{route::Query, skb::Packet};
use lvs_wire::addr::Family as AnyFamily;

pub(super) struct Translate;

impl Forward for Translate {
    #[inline]
    fn forward<C: Family, S: Family>(
        job: Job<'_, C>,
        entry: &Connection<C, S>,
        snapshot: Snapshot,
    ) -> Result<Sent, DropReason> {
        let (conn, cx) = (&entry.conn, job.cx);
        let segment = job.head.segment(Dir::In);
        let mut plan = conn.plan_in(snapshot, &segment, &cx.ns.settings.toa_kinds());
        let mut grows = match plan.tcp {
            Some(edit) if edit.toa.is_some() => u32::from(Conn::<C, S>::TOA_LEN),
            _ => 0,
        };
        if grows != 0 && is_at_the_floor::<C>(&job.packet, grows) {
            if let Some(edit) = &mut plan.tcp {
                edit.toa = None;
            }
            cx.ns.happened(Event::ToaNoRoom);
            grows = 0;
        }
        let query = Query {
            source: conn.local.addr,
            ..Query::to(conn.real.addr)
        };
        let sent = entry
            .dest
            .with_route(cx.net, cx.ns.anchor(), cx.rcu, query, |route| {
                // What listens there is not for others than this host.
                if route.is_local() && conn.real.addr.is_loopback() && job.place != Place::Leaving {
                    return Err(DropReason::LoopbackServer);
                }
                plan.ttl = job.place.hop_along(route);
                job.rewrite(&plan, grows, route)
            });
        sent.ok_or(DropReason::NoRoute)?
    }
}

/// Whether a packet that becomes `grows` bytes longer would pass the least MTU
/// of IPv6 no more: its sender may have been told that one, and goes no lower.
#[inline]
fn is_at_the_floor<A: Family>(packet: &Packet, grows: u32) -> bool {
    let floor = u32::from(A::MIN_MTU);
    A::FAMILY == AnyFamily::V6
        && packet.fits::<A>(floor)
        && !packet.fits::<A>(floor.saturating_sub(grows))
}
