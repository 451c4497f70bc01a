// SPDX-License-Identifier: GPL-2.0

//! The connections of one namespace.

use crate::{
    dests::Dest,
    family::{Family, Pair},
    hash::Key,
    locals::Local,
    settings::Settings,
    spaces::{Spaces, Triple},
    templates::{Control, Templates},
};
use core::{
    net::{Ipv4Addr, Ipv6Addr},
    sync::atomic::{AtomicU64, Ordering},
};
use kernel::{
    prelude::*,
    sync::{Arc, SetOnce},
};
use lvs_engine::{
    conn::{Conn, Dir, Protocol, Segment, Snapshot, State, Step},
    ports::Ranges,
    tcp::TcpState,
    time::Ticks,
    timeouts::Timeouts,
};
use lvs_kapi::{rcu::ReadLock, time};
use lvs_table::{Due, Item, Ref, Side, Table};
use lvs_wire::addr::{AnyEndpoint, Endpoint, Family as AnyFamily};

/// The moment now.
#[inline]
pub(crate) fn now() -> Ticks {
    Ticks::from_millis(time::coarse_ms())
}

/// A wheel's tick is a second.
#[inline]
pub(crate) fn wheel_tick(ticks: Ticks) -> u32 {
    ticks.get().div_ceil(lvs_engine::time::TICKS_PER_SECOND)
}

/// What a connection holds of others, besides what the engine decides on.
pub(crate) struct Connection<C, S = C> {
    pub(crate) conn: Conn<C, S>,
    state: AtomicU64,
    seqs: AtomicU64,
    pub(crate) dest: Arc<Dest>,
    /// With FULLNAT: where its port is from.
    pub(crate) local: Option<Arc<Local>>,
    /// With persistence: what is known of its template.
    pub(crate) control: Option<Arc<Control>>,
}

// Two of the first cache lines hold all that an established packet reads.
const _: () = assert!(lvs_table::Cache::<Connection<Ipv4Addr>>::ENTRY_SIZE <= 160);
const _: () = assert!(lvs_table::Cache::<Connection<Ipv6Addr, Ipv4Addr>>::ENTRY_SIZE <= 192);
const _: () = assert!(lvs_table::Cache::<Connection<Ipv6Addr>>::ENTRY_SIZE <= 224);

/// In the state's word, a bit that the engine leaves alone: the connection is
/// out of the table, and has been counted out.
const ENDED: u64 = State::SPARE;

impl<C: Family, S: Family> Item for Connection<C, S> {}

impl<C: Family, S: Family> Connection<C, S> {
    #[inline]
    fn is_from_client(
        &self,
        protocol: Protocol,
        source: Endpoint<C>,
        destination: Endpoint<C>,
    ) -> bool {
        let conn = &self.conn;
        conn.protocol == protocol && conn.client == source && conn.virt == destination
    }

    #[inline]
    fn is_from_server(
        &self,
        protocol: Protocol,
        source: Endpoint<S>,
        destination: Endpoint<S>,
    ) -> bool {
        let conn = &self.conn;
        conn.protocol == protocol && conn.real == source && conn.local == destination
    }

    /// What changes, as it is now.
    #[inline]
    pub(crate) fn snapshot(&self) -> Snapshot {
        // ORDERING: Each word stands for itself: the numbers are a help for
        // the RST at the end and are only as fresh as they happen to be.
        Snapshot::from_words(
            self.state.load(Ordering::Relaxed),
            self.seqs.load(Ordering::Relaxed),
        )
    }

    /// Marks it as out of the table: nobody changes it any more. What it was
    /// last.
    fn end(&self) -> Snapshot {
        // ORDERING: One word; see `snapshot`.
        let state = self.state.fetch_or(ENDED, Ordering::Relaxed);
        Snapshot::from_words(state, self.seqs.load(Ordering::Relaxed))
    }

    fn has_ended(&self) -> bool {
        self.state.load(Ordering::Relaxed) & ENDED != 0
    }

    /// Takes the step from `old` to `new`, unless another CPU was faster.
    fn advance(&self, old: Snapshot, new: Snapshot) -> bool {
        let (old_state, old_seqs) = old.to_words();
        let (state, seqs) = new.to_words();
        // ORDERING: See `snapshot`.
        let won = state == old_state
            || self
                .state
                .compare_exchange(old_state, state, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if won && seqs != old_seqs {
            self.seqs.store(seqs, Ordering::Relaxed);
        }
        won
    }

    /// The ports that its port is one of.
    fn triple(&self) -> Triple {
        Triple {
            protocol: self.conn.protocol,
            local: self.conn.local.addr.into(),
            real: self.conn.real.any(),
        }
    }

    /// The server, of whichever family, as listings show it.
    pub(crate) fn real(&self) -> AnyEndpoint {
        AnyEndpoint::new(self.dest.real.addr, self.conn.real.port)
    }

    /// Seconds until it expires, if nothing more comes.
    pub(crate) fn expires_in(&self, now: Ticks, timeouts: &Timeouts) -> u32 {
        self.conn
            .deadline(self.snapshot(), timeouts)
            .seconds_after(now)
    }
}

/// Whether a connection proves that its client is there: its handshake is over,
/// or the server has answered.
#[inline]
fn is_real(segment: &Segment, state: Snapshot) -> bool {
    matches!(state.state.tcp(), TcpState::Established)
        || (matches!(state.state.tcp(), TcpState::None) && segment.dir == Dir::Out)
}

/// What an entry is made from.
pub(crate) struct NewConnection<C, S> {
    pub(crate) conn: Conn<C, S>,
    pub(crate) first: Snapshot,
    pub(crate) dest: Arc<Dest>,
    pub(crate) local: Option<Arc<Local>>,
    pub(crate) control: Option<Arc<Control>>,
}

impl<C: Family, S: Family> NewConnection<C, S> {
    /// The connection, counted where it counts.
    fn open(self) -> Connection<C, S> {
        let (state, seqs) = self.first.to_words();
        let Self {
            conn,
            dest,
            local,
            control,
            ..
        } = self;
        dest.opened();
        if let Some(local) = &local {
            local.opened();
        }
        if let Some(control) = &control {
            control.opened();
        }
        Connection {
            conn,
            state: AtomicU64::new(state),
            seqs: AtomicU64::new(seqs),
            dest,
            local,
            control,
        }
    }
}

/// All connections of a namespace, and the ports they use.
pub(crate) struct Conns {
    /// Made with the family's first service.
    pub(crate) v4: SetOnce<Flows<Ipv4Addr>>,
    /// As `v4`.
    pub(crate) v6: SetOnce<Flows<Ipv6Addr>>,
    /// IPv6 clients of IPv4 servers; made with `v6`.
    pub(crate) v64: SetOnce<Flows<Ipv6Addr, Ipv4Addr>>,
    pub(crate) spaces: Arc<Spaces>,
    pub(crate) templates: Templates,
}

/// The connections between clients of one family and servers of one.
pub(crate) struct Flows<C: Family, S: Family = C> {
    table: Table<Connection<C, S>>,
    pub(crate) spaces: Arc<Spaces>,
    key: Key,
}

impl Conns {
    /// May sleep.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            v4: SetOnce::new(),
            v6: SetOnce::new(),
            v64: SetOnce::new(),
            spaces: Arc::new(Spaces::new()?, GFP_KERNEL)?,
            templates: Templates::new()?,
        })
    }

    /// Makes room for a family's connections, if there is none. May sleep; one
    /// caller at a time.
    pub(crate) fn start(&self, family: AnyFamily) -> Result {
        match family {
            AnyFamily::V4 => start(&self.v4, &self.spaces),
            AnyFamily::V6 => {
                start(&self.v6, &self.spaces)?;
                start(&self.v64, &self.spaces)
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        let v4 = self.v4.as_ref().map_or(0, Flows::len);
        let v6 = self.v6.as_ref().map_or(0, Flows::len);
        let v64 = self.v64.as_ref().map_or(0, Flows::len);
        v4.saturating_add(v6).saturating_add(v64)
    }

    /// How many chains the tables have.
    pub(crate) fn size(&self, rcu: &ReadLock) -> usize {
        let v4 = self.v4.as_ref().map_or(0, |flows| flows.size(rcu));
        let v6 = self.v6.as_ref().map_or(0, |flows| flows.size(rcu));
        let v64 = self.v64.as_ref().filter(|flows| !flows.is_empty());
        let v64 = v64.map_or(0, |flows| flows.size(rcu));
        v4.saturating_add(v6).saturating_add(v64)
    }

    /// Calls `each` with the number of links in every chain of the tables,
    /// `most` at most. May sleep.
    pub(crate) fn for_each_chain(&self, most: usize, mut each: impl FnMut(usize)) {
        if let Some(flows) = self.v4.as_ref() {
            walk(|rcu, at| flows.links_in(rcu, at, most), &mut each);
        }
        if let Some(flows) = self.v6.as_ref() {
            walk(|rcu, at| flows.links_in(rcu, at, most), &mut each);
        }
        if let Some(flows) = self.v64.as_ref().filter(|flows| !flows.is_empty()) {
            walk(|rcu, at| flows.links_in(rcu, at, most), &mut each);
        }
    }

    /// Ends all connections. May sleep; not together with [`Flows::expire`].
    pub(crate) fn clear(&self) {
        self.v4.as_ref().into_iter().for_each(Flows::clear);
        self.v6.as_ref().into_iter().for_each(Flows::clear);
        self.v64.as_ref().into_iter().for_each(Flows::clear);
        self.templates.clear();
    }

    /// See [`Flows::hasten_all`].
    pub(crate) fn hasten_all(&self, settings: &Settings) {
        self.v4
            .as_ref()
            .into_iter()
            .for_each(|flows| flows.hasten_all(settings));
        self.v6
            .as_ref()
            .into_iter()
            .for_each(|flows| flows.hasten_all(settings));
        self.v64
            .as_ref()
            .into_iter()
            .for_each(|flows| flows.hasten_all(settings));
    }
}

/// Calls `each` with what `get` finds at 0, 1, 2, … until it finds nothing.
fn walk(get: impl Fn(&ReadLock, usize) -> Option<usize>, each: &mut impl FnMut(usize)) {
    let mut at = 0usize;
    // A section for each: a long walk must not hold up others.
    while let Some(found) = get(&ReadLock::new(), at) {
        each(found);
        at = at.wrapping_add(1);
    }
}

fn start<C: Pair<S>, S: Family>(place: &SetOnce<Flows<C, S>>, spaces: &Arc<Spaces>) -> Result {
    if place.as_ref().is_none() {
        let cache = C::cache().read(&ReadLock::new()).cloned();
        // Another writer cannot have been faster: the services' lock is held.
        place.populate(Flows::new(cache.ok_or(ENODEV)?, spaces.clone())?);
    }
    Ok(())
}

impl<C: Family, S: Family> Flows<C, S> {
    /// May sleep.
    fn new(cache: Arc<lvs_table::Cache<Connection<C, S>>>, spaces: Arc<Spaces>) -> Result<Self> {
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

    /// How many chains the table has.
    pub(crate) fn size(&self, rcu: &ReadLock) -> usize {
        self.table.size(rcu)
    }

    /// How many links there are in chain `index`, `most` at most; `None` if
    /// there is no such chain.
    pub(crate) fn links_in(&self, rcu: &ReadLock, index: usize, most: usize) -> Option<usize> {
        self.table.links_in(rcu, index, most)
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
    ) -> Result<Ref<'r, Connection<C, S>>, Option<Ref<'r, Connection<C, S>>>> {
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
                dest.closed(false);
                if let Some(control) = control {
                    control.closed();
                }
                if let Some(local) = local {
                    local.closed();
                    self.spaces.release(&triple, conn.local.port, None, now());
                }
                match error {
                    lvs_table::InsertError::Exists(other) => Some(other),
                    lvs_table::InsertError::NoMemory => None,
                }
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
            let sequence = entry.conn.last_sent(snapshot);
            self.spaces
                .release(&entry.triple(), entry.conn.local.port, sequence, now());
        }
    }

    /// Ends what is due. `last` is asked about each connection that is: it may
    /// give it another state to go on in for a while, and `took` hears whether
    /// it did or a packet was faster. The table grows to 2^`load` links in a
    /// chain. May sleep; one caller at a time.
    pub(crate) fn expire(
        &self,
        timeouts: &Timeouts,
        load: i32,
        mut last: impl FnMut(&Connection<C, S>, Snapshot) -> Option<Step>,
        mut took: impl FnMut(bool),
    ) {
        let now = now();
        let due = |entry: &Connection<C, S>| {
            let snapshot = entry.snapshot();
            let deadline = entry.conn.deadline(snapshot, timeouts);
            if deadline.is_after(now) {
                return Due::At(wheel_tick(deadline));
            }
            let Some(step) = last(entry, snapshot) else {
                return Due::Now;
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
    pub(crate) fn clear(&self) {
        self.table.clear(|entry| self.ended(entry));
    }

    /// Frees a port of `triple` by ending a connection that is over but for
    /// its wait. Looks from `oldest` on, the port in use for longest, at a
    /// bounded number of ports. Any context.
    pub(crate) fn evict(
        &self,
        rcu: &ReadLock,
        triple: &Triple,
        ranges: &Ranges,
        oldest: u16,
    ) -> bool {
        const MOST: usize = 256;
        for port in ranges.round_from(oldest).take(MOST) {
            let ends = (S::from_any(triple.local), Endpoint::from_any(triple.real));
            let (Some(local), Some(real)) = ends else {
                return false;
            };
            let local = Endpoint::new(local, port);
            if let Some(entry) = self.find_server(rcu, triple.protocol, real, local) {
                if entry.conn.yields_port(entry.snapshot()) {
                    self.remove(entry);
                    return true;
                }
            }
        }
        false
    }

    /// Lets connections that have become due earlier, by shorter timeouts, end
    /// in time. May sleep.
    pub(crate) fn hasten_all(&self, settings: &Settings) {
        let mut chain = 0;
        loop {
            // A section for each chain: a long walk must not hold up others.
            let rcu = ReadLock::new();
            let timeouts = settings.timeouts(&rcu);
            let more = self.table.for_each_in(&rcu, chain, |entry| {
                let deadline = entry.conn.deadline(entry.snapshot(), timeouts);
                self.table.hasten(entry, wheel_tick(deadline));
            });
            if !more {
                return;
            }
            chain = chain.saturating_add(1);
        }
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
