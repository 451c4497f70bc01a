// SPDX-License-Identifier: GPL-2.0

//! The clients of live connections.
//!
//! An entry belongs to one TCP socket and goes when that socket ends. It holds
//! whom the socket has for its peer, so that it is of no use once that is
//! another. MPTCP's accept returns a socket of its own, which has the addresses
//! of its first subflow: for subflows there is an alias from the addresses to
//! the entry, always that of the latest connection between these ends.
//!
//! Buckets have a lock each rather than readers without one: nothing here is
//! done for packets, only when a connection begins or ends or a program asks.
//!
//! ```text
//!   sockets: hash(socket) -> Entry { socket, peer, client } -> ...
//!   aliases: hash(flow)   -> Alias { flow, socket } -> ...
//! ```

use kapi::{
    gfp::Gfp,
    lock::SpinLockBh,
    random,
    sock::{Flow, SockId},
};
use kernel::{
    prelude::*,
    sync::atomic::{Atomic, Relaxed},
};
use lvs_kapi as kapi;
use lvs_wire::addr::AnyEndpoint;
use pin_init::init_array_from_fn;

/// Buckets for sockets, 16 bytes each. A power of two.
const SOCKET_BUCKETS: usize = 1 << 16;

/// Buckets for the flows of MPTCP. A power of two.
const ALIAS_BUCKETS: usize = 1 << 12;

/// What is known of one connection.
#[derive(Clone, Copy)]
pub(crate) struct Known {
    /// Who sent the option: the balancer's local address.
    pub(crate) peer: AnyEndpoint,
    /// Whom it names.
    pub(crate) client: AnyEndpoint,
}

/// Why a client was not remembered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotStored {
    /// As many connections as the limit allows.
    Full,
    /// No memory.
    NoMemory,
}

struct Entry {
    next: Link<Entry>,
    socket: SockId,
    known: Known,
    /// There is an alias of this flow. Boxed, as few entries have one.
    alias: Option<KBox<Flow>>,
}

// A server has as many of them as connections.
const _: () = assert!(size_of::<Entry>() <= 64);

struct Alias {
    next: Link<Alias>,
    flow: Flow,
    socket: SockId,
}

type Link<T> = Option<KBox<T>>;

type Buckets<T, const N: usize> = KVBox<[SpinLockBh<Link<T>>; N]>;

trait Node: Sized {
    fn next(&mut self) -> &mut Link<Self>;
}

impl Node for Entry {
    fn next(&mut self) -> &mut Link<Self> {
        &mut self.next
    }
}

impl Node for Alias {
    fn next(&mut self) -> &mut Link<Self> {
        &mut self.next
    }
}

/// The clients of live connections.
pub(crate) struct Table {
    key: random::Key,
    sockets: Buckets<Entry, SOCKET_BUCKETS>,
    aliases: Buckets<Alias, ALIAS_BUCKETS>,
    /// Entries now, and the most there may be.
    entries: Atomic<u32>,
    limit: u32,
}

impl Table {
    /// An empty table that takes up to `limit` connections. May sleep.
    pub(crate) fn new(limit: u32) -> Result<Self> {
        Ok(Self {
            key: random::Key::random(),
            sockets: buckets()?,
            aliases: buckets()?,
            entries: Atomic::new(0),
            limit,
        })
    }

    fn socket_bucket(&self, socket: SockId) -> Option<&SpinLockBh<Link<Entry>>> {
        // CAST: Cut to the number of buckets.
        let index = socket.hash(&self.key) as usize & (SOCKET_BUCKETS - 1);
        self.sockets.get(index)
    }

    fn alias_bucket(&self, flow: &Flow) -> Option<&SpinLockBh<Link<Alias>>> {
        // CAST: As above.
        let index = flow.hash(&self.key) as usize & (ALIAS_BUCKETS - 1);
        self.aliases.get(index)
    }

    /// Remembers the client of a socket; with `alias`, also for who asks by
    /// that flow. Any context.
    pub(crate) fn insert(
        &self,
        socket: SockId,
        known: Known,
        alias: Option<Flow>,
    ) -> Result<(), NotStored> {
        if self.entries.fetch_add(1, Relaxed) >= self.limit {
            self.entries.fetch_sub(1, Relaxed);
            return Err(NotStored::Full);
        }
        let stored = self.try_insert(socket, known, alias);
        if stored.is_err() {
            self.entries.fetch_sub(1, Relaxed);
        }
        stored.map_err(|_| NotStored::NoMemory)
    }

    fn try_insert(&self, socket: SockId, known: Known, flow: Option<Flow>) -> Result {
        let atomic = Gfp::Atomic.flags();
        let mut entry = KBox::new(
            Entry {
                next: None,
                socket,
                known,
                alias: None,
            },
            atomic,
        )?;
        if let Some(flow) = flow {
            entry.alias = Some(KBox::new(flow, atomic)?);
            let next = None;
            let alias = KBox::new(Alias { next, flow, socket }, atomic)?;
            self.forget_alias(&flow, |_| true);
            push(&mut *self.alias_bucket(&flow).ok_or(EINVAL)?.lock(), alias);
        }
        let bucket = self.socket_bucket(socket).ok_or(EINVAL)?;
        push(&mut *bucket.lock(), entry);
        Ok(())
    }

    /// What is known of a socket. Any context.
    pub(crate) fn find(&self, socket: SockId) -> Option<Known> {
        let mut bucket = self.socket_bucket(socket)?.lock();
        Some(find(&mut bucket, |entry| entry.socket == socket)?.known)
    }

    /// What is known of the MPTCP connection of a flow. Any context.
    pub(crate) fn find_flow(&self, flow: &Flow) -> Option<Known> {
        let socket = {
            let mut bucket = self.alias_bucket(flow)?.lock();
            find(&mut bucket, |alias| alias.flow == *flow)?.socket
        };
        self.find(socket)
    }

    /// A connection of this flow begins of which nothing is known. Any context.
    pub(crate) fn forget_flow(&self, flow: &Flow) {
        self.forget_alias(flow, |_| true);
    }

    /// The socket has ended. Says whether something was known of it. Any
    /// context.
    pub(crate) fn remove(&self, socket: SockId) -> bool {
        // Most sockets that end were never in here.
        if self.entries.load(Relaxed) == 0 {
            return false;
        }
        let Some(bucket) = self.socket_bucket(socket) else {
            return false;
        };
        let removed = take(&mut bucket.lock(), |entry| entry.socket == socket);
        let Some(entry) = removed else {
            return false;
        };
        self.entries.fetch_sub(1, Relaxed);
        if let Some(flow) = &entry.alias {
            self.forget_alias(flow, |alias| alias.socket == socket);
        }
        true
    }

    fn forget_alias(&self, flow: &Flow, which: impl Fn(&Alias) -> bool) {
        if let Some(bucket) = self.alias_bucket(flow) {
            take(&mut bucket.lock(), |alias| {
                alias.flow == *flow && which(alias)
            });
        }
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        // One by one: dropping a chain by its head would recurse.
        for bucket in self.sockets.iter_mut() {
            while take(bucket.get_mut(), |_| true).is_some() {}
        }
        for bucket in self.aliases.iter_mut() {
            while take(bucket.get_mut(), |_| true).is_some() {}
        }
    }
}

fn buckets<T, const N: usize>() -> Result<Buckets<T, N>> {
    KVBox::init(
        init_array_from_fn(|_| SpinLockBh::new(None, c"toa bucket", kernel::static_lock_class!())),
        GFP_KERNEL,
    )
}

/// Puts a node first.
fn push<T: Node>(head: &mut Link<T>, mut node: KBox<T>) {
    *node.next() = head.take();
    *head = Some(node);
}

/// The first node that `which` is true for.
fn find<T: Node>(head: &mut Link<T>, which: impl Fn(&T) -> bool) -> Option<&T> {
    let mut link = head;
    while let Some(node) = link {
        if which(node) {
            return Some(node);
        }
        link = node.next();
    }
    None
}

/// Takes the first node that `which` is true for out of the chain.
fn take<T: Node>(head: &mut Link<T>, which: impl Fn(&T) -> bool) -> Option<KBox<T>> {
    let mut link = head;
    while link.as_ref().is_some_and(|node| !which(node)) {
        link = link.as_mut()?.next();
    }
    let mut node = link.take()?;
    *link = node.next().take();
    Some(node)
}
