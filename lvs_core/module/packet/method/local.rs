// SPDX-License-Identifier: GPL-2.0

//! Local node: the server is this host itself, and has the virtual address.

use super::{Forward, Sent};
use crate::{conns::Connection, family::Family, packet::Job};
use lvs_engine::{conn::Snapshot, drop_reason::DropReason};

pub(super) struct Local;

impl Forward for Local {
    #[inline]
    fn forward<C: Family, S: Family>(
        job: Job<'_, C>,
        _: &Connection<C, S>,
        _: Snapshot,
    ) -> Result<Sent, DropReason> {
        job.stay()
    }
}
