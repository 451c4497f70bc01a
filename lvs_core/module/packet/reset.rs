// SPDX-License-Identifier: GPL-2.0

//! RSTs that nobody sent: for both ends of a connection that has expired.

use crate::conns::V4;
use lvs_engine::conn::Reset;
use lvs_kapi::{net::Net, rcu::ReadLock, route::Route, skb::Packet};
use lvs_wire::build;

/// Sends a RST. Without memory or a route it is not sent. Any context.
pub(crate) fn send(net: &Net, rcu: &ReadLock, reset: &Reset<V4>) {
    let Some(route) = Route::ip4(net, reset.dst.addr, reset.src.addr, 0, 0) else {
        return;
    };
    let bytes = build::rst(reset.src, reset.dst, reset.seq, reset.ack);
    if let Some(packet) = Packet::from_bytes(&bytes) {
        packet.send(net, rcu, &route);
    }
}
