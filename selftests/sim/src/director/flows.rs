// SPDX-License-Identifier: GPL-2.0

//! The connections between clients of one family and servers of one, in the
//! real table (`lvs_core/module/conns/flows.rs`).

use super::{
    family::Family,
    spaces::{triple, Triple},
    Director, How, Note,
};
use crate::planted::Planted;
use lvs_engine::{
    conn::{Conn, Dir, Protocol, Segment, Snapshot, Step},
    ports::Ranges,
    time::{Ticks, TICKS_PER_SECOND},
};
use lvs_table::{Cache, Due, InsertError, Item, ReadLock, Ref, Side, Table};
use lvs_wire::addr::{Address, Endpoint};
use std::sync::{
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    Arc,
};

/// A connection in the table.
pub(crate) struct Connection<C, S = C> {
    pub(crate) conn: Conn<C, S>,
    /// What the judge knows it by.
    pub(crate) serial: u64,
    state: AtomicU64,
    seqs: AtomicU64,
    ended: AtomicBool,
    pub(crate) dest: usize,
    pub(crate) local: Option<usize>,
    pub(crate) template: Option<usize>,
}

impl<C: Address, S: Address> Item for Connection<C, S> {}

impl<C: Address, S: Address> Connection<C, S> {
    pub(crate) fn new(
        conn: Conn<C, S>,
        serial: u64,
        first: Snapshot,
        (dest, local, template): (usize, Option<usize>, Option<usize>),
    ) -> Self {
        let (state, seqs) = first.to_words();
        Self {
            conn,
            serial,
            state: state.into(),
            seqs: seqs.into(),
            ended: false.into(),
            dest,
            local,
            template,
        }
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot::from_words(self.state.load(Relaxed), self.seqs.load(Relaxed))
    }

    fn advance(&self, new: Snapshot) {
        let (state, seqs) = new.to_words();
        self.state.store(state, Relaxed);
        self.seqs.store(seqs, Relaxed);
    }

    fn triple(&self) -> Triple {
        triple(
            self.conn.protocol,
            self.conn.local.addr.into(),
            self.conn.real.any(),
        )
    }
}

pub(crate) struct Flows<C: Address, S: Address = C> {
    table: Table<Connection<C, S>>,
    key: u64,
}

/// A wheel's tick is a second.
fn wheel_tick(ticks: Ticks) -> u32 {
    ticks.get().div_ceil(TICKS_PER_SECOND)
}

impl<C: Address, S: Address> Flows<C, S> {
    pub(crate) fn new(key: u64, now: Ticks) -> Self {
        // The smallest table: it has to grow.
        let table = Table::new(8, wheel_tick(now), Arc::new(Cache::default()));
        Self {
            table: table.expect("memory for a table"),
            key,
        }
    }

    /// How many chains the table has.
    pub(crate) fn size(&self) -> usize {
        self.table.size(&ReadLock::new())
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// The same number on every machine: the order of the chains, and of what
    /// expires, follows from it.
    fn hash<A: Address>(&self, protocol: Protocol, src: Endpoint<A>, dst: Endpoint<A>) -> u32 {
        let ports = [src.port.into(), dst.port.into(), protocol.number().into()];
        let words = src
            .addr
            .to_words()
            .into_iter()
            .chain(dst.addr.to_words())
            .chain(ports);
        let hash = words.fold(self.key, |hash, word: u32| {
            let mixed = (hash ^ u64::from(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            mixed ^ (mixed >> 29)
        });
        (hash >> 16) as u32
    }

    pub(crate) fn find_client<'r>(
        &'r self,
        rcu: &'r ReadLock,
        protocol: Protocol,
        src: Endpoint<C>,
        dst: Endpoint<C>,
    ) -> Option<Ref<'r, Connection<C, S>>> {
        let hash = self.hash(protocol, src, dst);
        let matches = |entry: &Connection<C, S>, side| {
            let conn = &entry.conn;
            side == Side::First && (conn.protocol, conn.client, conn.virt) == (protocol, src, dst)
        };
        self.table.find(rcu, hash, matches).map(|(found, _)| found)
    }

    pub(crate) fn find_server<'r>(
        &'r self,
        rcu: &'r ReadLock,
        protocol: Protocol,
        src: Endpoint<S>,
        dst: Endpoint<S>,
    ) -> Option<Ref<'r, Connection<C, S>>> {
        let hash = self.hash(protocol, src, dst);
        let matches = |entry: &Connection<C, S>, side| {
            let conn = &entry.conn;
            side == Side::Second && (conn.protocol, conn.real, conn.local) == (protocol, src, dst)
        };
        self.table.find(rcu, hash, matches).map(|(found, _)| found)
    }

    pub(crate) fn insert<'r>(
        &'r self,
        director: &Director,
        rcu: &'r ReadLock,
        new: Connection<C, S>,
    ) -> Ref<'r, Connection<C, S>> {
        let conn = new.conn;
        let hashes = (
            self.hash(conn.protocol, conn.client, conn.virt),
            conn.method
                .sees_replies()
                .then(|| self.hash(conn.protocol, conn.real, conn.local)),
        );
        let tick = wheel_tick(conn.deadline(new.snapshot(), &director.timeouts.get()));
        let same = |other: &Connection<C, S>| {
            (other.conn.client, other.conn.virt, other.conn.protocol)
                == (conn.client, conn.virt, conn.protocol)
        };
        director.opened(&new);
        match self.table.insert(rcu, new, hashes, tick, same) {
            Ok(entry) => entry,
            Err(InsertError::Exists { .. }) => panic!("two connections with one key, by one CPU"),
            Err(InsertError::NoMemory) => panic!("no memory"),
        }
    }

    /// Lets `segment` change the state. Returns the state that the packet met.
    pub(crate) fn step(
        &self,
        director: &Director,
        entry: Ref<'_, Connection<C, S>>,
        segment: &Segment,
    ) -> Snapshot {
        let old = entry.snapshot();
        if entry.ended.load(Relaxed) {
            return old;
        }
        let timeouts = director.timeouts.get();
        let step = entry.conn.step(old, segment, director.now(), &timeouts);
        director.note(Note::Stepped {
            serial: entry.serial,
            dir: segment.dir,
            met: old.state.tcp(),
        });
        let Some(new) = step.next else {
            return old;
        };
        entry.advance(new);
        if !(segment.flags.rst() && director.has(Planted::Active)) {
            director.dests.borrow_mut()[entry.dest].count(step.activity);
        }
        if step.shortened && !director.has(Planted::Late) {
            let deadline = entry.conn.deadline(new, &timeouts);
            self.table.hasten(entry, wheel_tick(deadline));
        }
        old
    }

    pub(crate) fn remove(&self, director: &Director, entry: Ref<'_, Connection<C, S>>, how: How) {
        if self.table.remove(entry) {
            self.ended(director, &entry, how);
        }
    }

    /// Gives back what a connection held that is out of the table.
    fn ended(&self, director: &Director, entry: &Connection<C, S>, how: How) {
        entry.ended.store(true, Relaxed);
        let snapshot = entry.snapshot();
        director.note(Note::Ended {
            serial: entry.serial,
            how,
            snapshot,
        });
        let mut dests = director.dests.borrow_mut();
        let dest = &mut dests[entry.dest];
        if !entry.conn.is_inactive(snapshot) {
            dest.active -= 1;
        }
        dest.total -= 1;
        if let Some(template) = entry.template {
            director.templates.borrow_mut().closed(template);
        }
        if let Some(local) = entry.local {
            director.locals.borrow_mut()[local].conns -= 1;
            let sequence = entry.conn.last_acked(snapshot);
            let port = entry.conn.local.port;
            if how == How::Restarted && director.has(Planted::LostPort) {
                return;
            }
            let mut spaces = director.spaces.borrow_mut();
            spaces.release(&entry.triple(), port, sequence, director.now());
        }
    }

    /// Ends what is due; `last` may let it go on for a while.
    pub(crate) fn expire(
        &self,
        director: &Director,
        mut last: impl FnMut(&Connection<C, S>, Snapshot) -> Option<Step>,
    ) {
        let (now, timeouts) = (director.now(), director.timeouts.get());
        let due = |entry: &Connection<C, S>| {
            let snapshot = entry.snapshot();
            let deadline = entry.conn.deadline(snapshot, &timeouts);
            if deadline.is_after(now) && !director.has(Planted::Early) {
                return Due::At(wheel_tick(deadline));
            }
            let Some(next) = last(entry, snapshot).and_then(|step| {
                director.dests.borrow_mut()[entry.dest].count(step.activity);
                step.next
            }) else {
                return Due::Now;
            };
            entry.advance(next);
            Due::At(wheel_tick(entry.conn.deadline(next, &timeouts)))
        };
        let ended = |entry: &Connection<C, S>| self.ended(director, entry, How::Expired);
        self.table.expire(now.get() / TICKS_PER_SECOND, due, ended);
        let load = director.settings.conn_lfactor;
        self.table.grow(load).expect("memory to grow");
    }

    /// Frees a port of a local address by ending a connection that yields it.
    pub(crate) fn evict(
        &self,
        director: &Director,
        rcu: &ReadLock,
        (protocol, local, real): (Protocol, S, Endpoint<S>),
        ranges: &Ranges,
        oldest: u16,
    ) -> bool {
        for port in ranges.round_from(oldest).take(director.lport_tries) {
            let local = Endpoint::new(local, port);
            if let Some(entry) = self.find_server(rcu, protocol, real, local) {
                if entry.conn.yields_port(entry.snapshot(), director.now()) {
                    self.remove(director, entry, How::Evicted);
                    return true;
                }
            }
        }
        false
    }

    /// Calls `each` for every connection.
    pub(crate) fn for_each(&self, mut each: impl FnMut(&Connection<C, S>)) {
        self.table.for_each(|_, entry| each(&entry));
    }
}

impl<A: Family> Flows<A> {
    /// The connection that a packet is of, and where it goes.
    pub(crate) fn find<'r>(
        &'r self,
        rcu: &'r ReadLock,
        protocol: Protocol,
        src: Endpoint<A>,
        dst: Endpoint<A>,
    ) -> Option<(Ref<'r, Connection<A>>, Dir)> {
        let hash = self.hash(protocol, src, dst);
        let matches = |entry: &Connection<A>, side| {
            let conn = &entry.conn;
            conn.protocol == protocol
                && match side {
                    Side::First => (conn.client, conn.virt) == (src, dst),
                    Side::Second => (conn.real, conn.local) == (src, dst),
                }
        };
        let (found, side) = self.table.find(rcu, hash, matches)?;
        let dir = match side {
            Side::First => Dir::In,
            Side::Second => Dir::Out,
        };
        Some((found, dir))
    }
}
