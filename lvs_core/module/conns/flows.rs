// SPDX-License-Identifier: GPL-2.0

//! The connections between clients of one family and servers of one.

use super::{connection::is_real, now, wheel_tick, Connection, NewConnection};
use crate::{
    family::Family,
    hash::Key,
    settings::Settings,
    spaces::{Spaces, Triple},
};
use kernel::{prelude::*, sync::Arc};
use lvs_engine::{
    conn::{Dir, Protocol, Segment, Snapshot, Step},
    ports::Ranges,
    time::Ticks,
    timeouts::Timeouts,
};
use lvs_kapi::rcu::ReadLock;
use lvs_table::{Due, InsertError, Ref, Side, Table};
use lvs_wire::addr::Endpoint;

/// A connection, for as long as the read section lasts.
type Found<'r, C, S> = Ref<'r, Connection<C, S>>;

/// The connections between clients of one family and servers of one.
pub(crate) struct Flows<C: Family, S: Family = C> {
    table: Table<Connection<C, S>>,
    pub(crate) spaces: Arc<Spaces>,
    key: Key,
}

/// What becomes of a connection that is due.
pub(crate) enum Last {
    /// It ends.
    Ends,
    /// It is asked about again in a second.
    Waits,
    /// It goes on in another state for a while.
    GoesOn(Step),
}

impl<C: Family, S: Family> Flows<C, S> {
    /// May sleep.
    pub(super) fn new(
        cache: Arc<lvs_table::Cache<Connection<C, S>>>,
        spaces: Arc<Spaces>,
    ) -> Result<Self> {
        Ok(Self {
            table: Table::new(12, wheel_tick(now()), cache).map_err(|_| ENOMEM)?,
            spaces,
            key: Key::random(),
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Whether its table counts where the sizes of all are summed up: between
    /// families there rarely is anything.
    pub(super) fn is_shown(&self) -> bool {
        C::FAMILY == S::FAMILY || !self.is_empty()
    }

    /// How many chains the table has.
    pub(crate) fn size(&self, rcu: &ReadLock) -> usize {
        self.table.size(rcu)
    }

    /// See [`Table::for_each_chain`].
    pub(super) fn for_each_chain(&self, most: usize, each: impl FnMut(usize)) {
        self.table.for_each_chain(most, each);
    }

    /// The connection that a packet of a client's is of.
    #[inline]
    pub(crate) fn find_client<'r>(
        &'r self,
        rcu: &'r ReadLock,
        protocol: Protocol,
        source: Endpoint<C>,
        destination: Endpoint<C>,
    ) -> Option<Ref<'r, Connection<C, S>>> {
        let hash = self.key.packet(protocol, source, destination);
        let (found, _) = self.table.find(rcu, hash, |entry, side| {
            side == Side::First && entry.is_from_client(protocol, source, destination)
        })?;
        Some(found)
    }

    /// The connection that a packet of a server's is of.
    #[inline]
    pub(crate) fn find_server<'r>(
        &'r self,
        rcu: &'r ReadLock,
        protocol: Protocol,
        source: Endpoint<S>,
        destination: Endpoint<S>,
    ) -> Option<Ref<'r, Connection<C, S>>> {
        let hash = self.key.packet(protocol, source, destination);
        let (found, _) = self.table.find(rcu, hash, |entry, side| {
            side == Side::Second && entry.is_from_server(protocol, source, destination)
        })?;
        Some(found)
    }

    /// Adds a connection; the one that is there already, if another CPU was
    /// faster with the same packet. `None`: no memory. In both cases what the
    /// new one held is given back.
    pub(crate) fn insert<'r>(
        &'r self,
        rcu: &'r ReadLock,
        new: NewConnection<C, S>,
        timeouts: &Timeouts,
    ) -> Result<Found<'r, C, S>, Option<Found<'r, C, S>>> {
        let (conn, first) = (new.conn, new.first);
        let hashes = (
            self.key.packet(conn.protocol, conn.client, conn.virt),
            conn.method
                .sees_replies()
                .then(|| self.key.packet(conn.protocol, conn.real, conn.local)),
        );
        let tick = wheel_tick(conn.deadline(first, timeouts));
        let same = |other: &Connection<C, S>| {
            other.conn.client == conn.client
                && other.conn.virt == conn.virt
                && other.conn.protocol == conn.protocol
        };
        // Counted before it can be found, or who removes it would count first.
        let entry = new.open();
        let (dest, local, triple) = (entry.dest.clone(), entry.local.clone(), entry.triple());
        let control = entry.control.clone();
        self.table
            .insert(rcu, entry, hashes, tick, same)
            .map_err(|error| {
                let other = match error {
                    InsertError::Exists {
                        other,
                        removed: true,
                    } => Some(other),
                    // A reply to its port's last connection has found it, and
                    // whoever removed it then has given everything back.
                    InsertError::Exists { other, .. } => return Some(other),
                    InsertError::NoMemory => None,
                };
                dest.closed(false);
                if let Some(control) = control {
                    control.closed();
                }
                if let Some(local) = local {
                    local.closed();
                    self.spaces.release(&triple, conn.local.port, None, now());
                }
                other
            })
    }

    /// Calls `then` with a connection for one packet, which nobody finds. Any
    /// context.
    pub(crate) fn once<R>(
        &self,
        new: NewConnection<C, S>,
        then: impl FnOnce(&Connection<C, S>, Snapshot) -> R,
    ) -> R {
        let first = new.first;
        let entry = new.open();
        let result = then(&entry, first);
        self.ended(&entry);
        result
    }

    /// Lets `segment` change the connection's state. Returns the state that
    /// the packet is to be rewritten by: the one before it.
    #[inline]
    pub(crate) fn step(
        &self,
        entry: Ref<'_, Connection<C, S>>,
        segment: &Segment,
        now: Ticks,
        timeouts: &Timeouts,
    ) -> Snapshot {
        loop {
            let old = entry.snapshot();
            if entry.has_ended() {
                return old;
            }
            let step = entry.conn.step(old, segment, now, timeouts);
            let Some(new) = step.next else {
                return old;
            };
            if !entry.advance(old, new) {
                continue;
            }
            entry.dest.count(step.activity);
            if let Some(control) = entry.control.as_ref().filter(|_| is_real(segment, new)) {
                control.assure();
            }
            if step.shortened {
                let deadline = entry.conn.deadline(new, timeouts);
                self.table.hasten(entry, wheel_tick(deadline));
            }
            return old;
        }
    }

    /// Ends a connection now. Any context.
    pub(crate) fn remove(&self, entry: Ref<'_, Connection<C, S>>) {
        if self.table.remove(entry) {
            self.ended(&entry);
        }
    }

    /// Gives back what a connection held that is out of the table.
    fn ended(&self, entry: &Connection<C, S>) {
        let snapshot = entry.end();
        entry.dest.closed(!entry.conn.is_inactive(snapshot));
        if let Some(control) = &entry.control {
            control.closed();
        }
        if let Some(local) = &entry.local {
            local.closed();
            let sequence = entry.conn.last_acked(snapshot);
            self.spaces
                .release(&entry.triple(), entry.conn.local.port, sequence, now());
        }
    }

    /// Ends what is due. `last` is asked about each connection that is; where it
    /// says [`Last::GoesOn`], `took` hears whether it did or a packet was faster. The table grows to 2^`load` links in a
    /// chain. May sleep; one caller at a time.
    pub(crate) fn expire(
        &self,
        timeouts: &Timeouts,
        load: i32,
        mut last: impl FnMut(&Connection<C, S>, Snapshot) -> Last,
        mut took: impl FnMut(bool),
    ) {
        let now = now();
        let due = |entry: &Connection<C, S>| {
            let snapshot = entry.snapshot();
            let deadline = entry.conn.deadline(snapshot, timeouts);
            if deadline.is_after(now) {
                return Due::At(wheel_tick(deadline));
            }
            let step = match last(entry, snapshot) {
                Last::Ends => return Due::Now,
                Last::Waits => return Due::At(wheel_tick(now).wrapping_add(1)),
                Last::GoesOn(step) => step,
            };
            match step.next {
                Some(next) if entry.advance(snapshot, next) => {
                    took(true);
                    entry.dest.count(step.activity);
                    Due::At(wheel_tick(entry.conn.deadline(next, timeouts)))
                }
                // A packet was faster: ask again.
                _ => {
                    took(false);
                    Due::At(wheel_tick(now).wrapping_add(1))
                }
            }
        };
        self.table.expire(
            now.get() / lvs_engine::time::TICKS_PER_SECOND,
            due,
            |entry| self.ended(entry),
        );
        // No memory now: the chains get longer, and the next turn tries again.
        let _ = self.table.grow(load);
    }

    /// Ends all connections. May sleep; not together with [`Flows::expire`].
    pub(super) fn clear(&self) {
        self.table.clear(|entry| self.ended(entry));
    }

    /// Frees a port of `triple` by ending a connection that yields it. Looks from `oldest` on, the port in use for longest, at `most`
    /// ports. Any context.
    pub(crate) fn evict(
        &self,
        rcu: &ReadLock,
        triple: &Triple,
        ranges: &Ranges,
        oldest: u16,
        most: usize,
    ) -> bool {
        for port in ranges.round_from(oldest).take(most) {
            let ends = (S::from_any(triple.local), Endpoint::from_any(triple.real));
            let (Some(local), Some(real)) = ends else {
                return false;
            };
            let local = Endpoint::new(local, port);
            if let Some(entry) = self.find_server(rcu, triple.protocol, real, local) {
                if entry.conn.yields_port(entry.snapshot(), now()) {
                    self.remove(entry);
                    return true;
                }
            }
        }
        false
    }

    /// Lets connections that have become due earlier, by shorter timeouts, end
    /// in time. May sleep.
    pub(super) fn hasten_all(&self, settings: &Settings) {
        self.table.for_each(|rcu, entry| {
            let deadline = entry
                .conn
                .deadline(entry.snapshot(), settings.timeouts(rcu));
            self.table.hasten(entry, wheel_tick(deadline));
        });
    }

    /// Ends the connections of servers that were removed. May sleep.
    pub(super) fn end_orphans(&self) {
        self.table.for_each(|_, entry| {
            if !entry.dest.status().available {
                self.remove(entry);
            }
        });
    }

    /// Calls `each` for the connections of chain `index`; `false` if there is
    /// no such chain.
    pub(crate) fn for_each_in(
        &self,
        rcu: &ReadLock,
        index: usize,
        mut each: impl FnMut(&Connection<C, S>),
    ) -> bool {
        self.table.for_each_in(rcu, index, |entry| each(&entry))
    }
}

impl<A: Family> Flows<A> {
    /// The connection that a packet from `source` to `destination` is of, and
    /// where it goes.
    #[inline]
    pub(crate) fn find<'r>(
        &'r self,
        rcu: &'r ReadLock,
        protocol: Protocol,
        source: Endpoint<A>,
        destination: Endpoint<A>,
    ) -> Option<(Ref<'r, Connection<A>>, Dir)> {
        let hash = self.key.packet(protocol, source, destination);
        let (found, side) = self.table.find(rcu, hash, |entry, side| match side {
            Side::First => entry.is_from_client(protocol, source, destination),
            Side::Second => entry.is_from_server(protocol, source, destination),
        })?;
        let dir = match side {
            Side::First => Dir::In,
            Side::Second => Dir::Out,
        };
        Some((found, dir))
    }
}
