// SPDX-License-Identifier: GPL-2.0

//! RSTs that nobody sent: for both ends of a connection that has expired.

use crate::family::Family;
use lvs_engine::conn::Reset;
use lvs_kapi::{
    net::Net,
    rcu::ReadLock,
    route::{Query, Route},
    skb::Packet,
};
use lvs_wire::build;

/// Sends a RST. Without memory or a route it is not sent. Any context.
pub(crate) fn send<A: Family>(net: &Net, rcu: &ReadLock, reset: &Reset<A>) {
    let bytes = build::rst(reset.src, reset.dst, reset.seq, reset.ack);
    transmit(net, rcu, reset, bytes.as_slice());
}

/// Sends a RST, and beside it a question that is answered with the number that
/// the receiver really expects: the numbers known here may be a little old,
/// and a RST below the window is dropped without a word. As [`send`].
pub(crate) fn send_and_ask<A: Family>(net: &Net, rcu: &ReadLock, reset: &Reset<A>) {
    send(net, rcu, reset);
    let bytes = build::ack(reset.src, reset.dst, reset.probe_seq(), reset.ack);
    transmit(net, rcu, reset, bytes.as_slice());
}

fn transmit<A: Family>(net: &Net, rcu: &ReadLock, reset: &Reset<A>, bytes: &[u8]) {
    let query = Query {
        source: reset.src.addr,
        ..Query::to(reset.dst.addr)
    };
    if let Some(route) = Route::find(net, query) {
        // Nobody waits for it.
        let _ = Packet::send_bytes::<A>(bytes, net, rcu, &route);
    }
}
