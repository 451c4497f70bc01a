// SPDX-License-Identifier: GPL-2.0

//! Learning the client when a connection begins, forgetting it when it ends,
//! and telling it to who asks for the peer.

use crate::{
    counters::Counter,
    namespace::{self, Namespace, NAMESPACES},
    table::{Known, NotStored, Table},
};
use kapi::{
    accept::{Accepted, Segment},
    getname::PeerName,
    rcu,
    sock::Sock,
    tracepoint::Ended,
};
use kernel::prelude::*;
use lvs_kapi as kapi;
use lvs_wire::{
    addr::{AnyEndpoint, Family},
    kinds::KindSet,
    options::Options,
    toa::Toa,
};

/// A client port that reads as a Fast Open cookie on a SYN (RFC 7413 appendix
/// A: the experimental option's magic number 0xf989): no balancer sends it.
const FAST_OPEN_MAGIC: u16 = 0xf989;

/// All that is known of connections, in all namespaces.
pub(crate) struct Clients(pub(crate) Table);

impl Accepted for Clients {
    fn accepted(&self, child: &Sock, segment: &Segment<'_>) {
        let rcu = rcu::ReadLock::new();
        let Some(namespace) = NAMESPACES.borrow(child.net(), &rcu) else {
            return;
        };
        let outcome = match client(segment, namespace.kinds()) {
            Ok(client) => self.learn(&namespace, child, client),
            Err(outcome) => outcome,
        };
        if outcome == Counter::Captured {
            namespace.learnt();
        } else if child.is_subflow() {
            self.0.forget_flow(&child.flow());
        }
        namespace.count(outcome);
    }
}

impl Clients {
    /// What is known of a socket. Any context.
    pub(crate) fn known(&self, socket: &Sock) -> Option<Known> {
        match socket.is_mptcp() {
            true => self.0.find_flow(&socket.flow()),
            false => self.0.find(socket.id()),
        }
    }

    fn learn(&self, namespace: &Namespace, child: &Sock, client: AnyEndpoint) -> Counter {
        let flow = child.flow();
        let peer = flow.peer;
        if !namespace.trusts(peer.addr) {
            return Counter::Untrusted;
        }
        let alias = child.is_subflow().then_some(flow);
        match self.0.insert(child.id(), Known { peer, client }, alias) {
            Ok(()) => Counter::Captured,
            Err(NotStored::Full) => Counter::Full,
            Err(NotStored::NoMemory) => Counter::NoMemory,
        }
    }
}

/// The client that a segment names.
fn client(segment: &Segment<'_>, kinds: KindSet) -> Result<AnyEndpoint, Counter> {
    match Toa::find(Options::new(segment.options()), kinds) {
        Ok(Some(toa)) => match toa.client() {
            client if segment.is_syn() && client.port == FAST_OPEN_MAGIC => Err(Counter::NoOption),
            client => Ok(client),
        },
        Ok(None) => Err(Counter::NoOption),
        Err(_) => Err(Counter::Malformed),
    }
}

impl Ended for Clients {
    fn ended(&self, socket: &Sock) {
        if !self.0.remove(socket.id()) {
            return;
        }
        namespace::of(socket, Namespace::forgot);
    }
}

impl PeerName for Clients {
    fn peer_name(&self, socket: &Sock, peer: AnyEndpoint, room: Family) -> Option<AnyEndpoint> {
        let rcu = rcu::ReadLock::new();
        let namespace = NAMESPACES.borrow(socket.net(), &rcu);
        // Asked again: who was believed before the list was set may not be any more.
        let trusts = |source| namespace.is_none_or(|namespace| namespace.trusts(source));
        let (outcome, client) = match self.known(socket) {
            None => (Counter::Unknown, None),
            Some(known) if known.peer != peer => (Counter::Changed, None),
            Some(_) if !trusts(peer.addr) => (Counter::Untrusted, None),
            Some(known) if room == Family::V4 && known.client.addr.is_ipv6() => {
                (Counter::NoRoom, None)
            }
            Some(known) => (Counter::Answered, Some(known.client)),
        };
        if let Some(namespace) = namespace {
            namespace.count(outcome);
        }
        client
    }
}
