// SPDX-License-Identifier: GPL-2.0

//! How a packet goes on to its server: one file for each forwarding method.

mod bypass;
mod direct;
mod local;
mod translate;
mod tunnel;

use super::Job;
use crate::{conns::Connection, family::Family};
use lvs_engine::{
    conn::{Method, Snapshot},
    drop_reason::DropReason,
};
use lvs_kapi::{
    route::Route,
    skb::{Packet, Rewritten},
};

/// What became of a packet.
pub(super) enum Sent {
    /// It is on its way.
    Away(Rewritten),
    /// The stack is to go on with it as it is now.
    On(Packet, Rewritten),
}

/// A forwarding method.
trait Forward {
    /// Sends a packet of `entry`, in the state that it met, to the server.
    ///
    /// # Errors
    ///
    /// The packet has been dropped for that reason, and its sender told where
    /// the protocols have words for it.
    fn forward<C: Family, S: Family>(
        job: Job<'_, C>,
        entry: &Connection<C, S>,
        snapshot: Snapshot,
    ) -> Result<Sent, DropReason>;
}

/// Sends a packet to the server by the method of its connection.
#[inline]
pub(super) fn to_server<C: Family, S: Family>(
    job: Job<'_, C>,
    entry: &Connection<C, S>,
    snapshot: Snapshot,
) -> Result<Sent, DropReason> {
    match entry.conn.method {
        Method::Nat | Method::Fullnat => translate::Translate::forward(job, entry, snapshot),
        Method::Droute => direct::Direct::forward(job, entry, snapshot),
        Method::Tunnel => tunnel::Tunnel::forward(job, entry, snapshot),
        Method::Local => local::Local::forward(job, entry, snapshot),
        Method::Bypass => bypass::Bypass::forward(job, entry, snapshot),
    }
}

impl<A: Family> Job<'_, A> {
    /// Leaves the packet to this host's own stack, as it is. On its way up it
    /// may meet our hooks again.
    fn stay(mut self) -> Result<Sent, DropReason> {
        self.packet.settle();
        Ok(Sent::On(self.packet, Rewritten::PLAIN))
    }

    /// Sends the packet as it is.
    fn pass_on(mut self, route: &Route) -> Result<Sent, DropReason> {
        if route.is_local() {
            return self.stay();
        }
        let hop = self.place.hop();
        self.check(hop, route.mtu(), 0)?;
        let crossed = self.packet.cross::<A>(hop);
        crossed.map_err(|_| DropReason::NoMemory)?;
        self.packet.send::<A>(self.cx.net, self.cx.rcu, route);
        Ok(Sent::Away(Rewritten::PLAIN))
    }
}
