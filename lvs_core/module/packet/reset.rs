// SPDX-License-Identifier: GPL-2.0

//! RSTs that nobody sent: for both ends of a connection that has expired.

use crate::conns::V4;
use lvs_engine::conn::Reset;
use lvs_kapi::{net::Net, rcu::ReadLock, route::Route, skb::Packet};
use lvs_wire::build;

/// Sends a RST. Without memory or a route it is not sent. Any context.
pub(crate) fn send(net: &Net, rcu: &ReadLock, reset: &Reset<V4>) {
    let bytes = build::rst(reset.src, reset.dst, reset.seq, reset.ack);
    transmit(net, rcu, reset, &bytes);
}

/// Sends a RST, and beside it a question that is answered with the number that
/// the receiver really expects: the numbers known here may be a little old,
/// and a RST below the window is dropped without a word. As [`send`].
pub(crate) fn send_and_ask(net: &Net, rcu: &ReadLock, reset: &Reset<V4>) {
    send(net, rcu, reset);
    let bytes = build::ack(reset.src, reset.dst, reset.probe_seq(), reset.ack);
    transmit(net, rcu, reset, &bytes);
}

fn transmit(net: &Net, rcu: &ReadLock, reset: &Reset<V4>, bytes: &[u8]) {
    let Some(route) = Route::ip4(net, reset.dst.addr, reset.src.addr, 0, 0) else {
        return;
    };
    if let Some(packet) = Packet::from_bytes(bytes) {
        packet.send(net, rcu, &route);
    }
}
