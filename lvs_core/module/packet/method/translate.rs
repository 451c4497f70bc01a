// SPDX-License-Identifier: GPL-2.0

//! NAT and FULLNAT: the destination becomes the server, and the source a local
//! address, which with NAT is the client itself.

use super::{Forward, Sent};
use crate::{conns::Connection, family::Family, packet::Job};
use lvs_engine::{
    conn::{Conn, Snapshot, ToaKinds},
    drop_reason::DropReason,
};
use lvs_kapi::route::Query;

pub(super) struct Translate;

impl Forward for Translate {
    #[inline]
    fn forward<C: Family, S: Family>(
        job: Job<'_, C>,
        entry: &Connection<C, S>,
        snapshot: Snapshot,
    ) -> Result<Sent, DropReason> {
        let (conn, cx) = (&entry.conn, job.cx);
        let mut plan = conn.plan_in(snapshot, job.head.flags(), &ToaKinds::DEFAULT);
        plan.ttl = job.place.hop();
        let grows = if conn.inserts_toa(snapshot) {
            u32::from(Conn::<C, S>::TOA_LEN)
        } else {
            0
        };
        let query = Query {
            destination: conn.real.addr,
            source: conn.local.addr,
            mark: 0,
            next_hop: false,
        };
        let sent = entry.dest.with_route(cx.net, cx.rcu, query, |route| {
            job.rewrite(&plan, grows, route)
        });
        sent.ok_or(DropReason::NoRoute)?
    }
}
