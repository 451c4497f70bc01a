// SPDX-License-Identifier: GPL-2.0

//! Direct routing: the packet stays as it is, addressed to the virtual service,
//! and goes to the server's MAC address. The server has that address too and
//! answers the client by itself.

use super::{Forward, Sent};
use crate::{conns::Connection, family::Family, packet::Job};
use lvs_engine::{conn::Snapshot, drop_reason::DropReason};
use lvs_kapi::route::Query;

pub(super) struct Direct;

impl Forward for Direct {
    #[inline]
    fn forward<C: Family, S: Family>(
        job: Job<'_, C>,
        entry: &Connection<C, S>,
        _: Snapshot,
    ) -> Result<Sent, DropReason> {
        let cx = job.cx;
        let query = Query {
            next_hop: true,
            ..Query::to(entry.conn.real.addr)
        };
        let sent = entry
            .dest
            .with_route(cx.net, cx.ns.anchor(), cx.rcu, query, |route| {
                job.pass_on(route)
            });
        sent.ok_or(DropReason::NoRoute)?
    }
}
