// SPDX-License-Identifier: GPL-2.0

//! Bypass: a transparent cache has no server left, so packets go where their
//! client sent them.

use super::{Forward, Sent};
use crate::{conns::Connection, family::Family, packet::Job};
use lvs_engine::{conn::Snapshot, drop_reason::DropReason};
use lvs_kapi::route::{Query, Route};

pub(super) struct Bypass;

impl Forward for Bypass {
    #[inline]
    fn forward<C: Family, S: Family>(
        job: Job<'_, C>,
        entry: &Connection<C, S>,
        _: Snapshot,
    ) -> Result<Sent, DropReason> {
        // Not by the packet's mark: that is what routed it here.
        let query = Query::to(entry.conn.virt.addr);
        let route = Route::find(job.cx.net, query).ok_or(DropReason::NoRoute)?;
        job.pass_on(&route)
    }
}
