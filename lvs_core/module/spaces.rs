// SPDX-License-Identifier: GPL-2.0

//! The ports of local addresses: which are in use towards which server.
//!
//! A connection is told apart by its server's address and port too, so each
//! (protocol, local address, server) has all the ports for itself: a
//! [`Space`]. There are as many as there are such triples with connections.

use crate::hash::Key;
use kernel::{prelude::*, static_lock_class};
use lvs_engine::{
    conn::Protocol,
    isn,
    ports::{PortSet, Ranges},
    tcp::seq,
    time::Ticks,
};
use lvs_kapi::{gfp::Gfp, lock::SpinLockBh, mem, vec::Vec};
use lvs_wire::addr::{AnyAddr, AnyEndpoint};

/// Which ports: of `local`, towards `real`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Triple {
    pub(crate) protocol: Protocol,
    pub(crate) local: AnyAddr,
    pub(crate) real: AnyEndpoint,
}

struct Space {
    triple: Triple,
    ports: KBox<[u64; 1024]>,
    /// Where the search for the next port begins: a port rests for as long as
    /// there are others.
    cursor: u16,
    /// Every port has been given out once.
    wrapped: bool,
    /// When a port was last given back.
    released: Option<Ticks>,
    /// The highest sequence number that a server has seen from here.
    sequence: Option<u32>,
}

/// What a new connection gets.
pub(crate) struct Lease {
    pub(crate) port: u16,
    /// When the port may have been in use last, if it may have been.
    pub(crate) last_used: Option<Ticks>,
    /// What its sequence numbers must lie above.
    pub(crate) sequence: Option<u32>,
}

/// Why a connection gets no port.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// All are in use. Those at and after this one are in use for longest.
    Exhausted(u16),
    /// No memory for the triple's first port.
    NoMemory,
}

const BUCKETS: usize = 256;

/// All spaces of a namespace.
pub(crate) struct Spaces {
    key: Key,
    buckets: Vec<SpinLockBh<Vec<Space>>>,
}

impl Spaces {
    /// May sleep.
    pub(crate) fn new() -> Result<Self> {
        let mut buckets = Vec::with_capacity(BUCKETS, Gfp::Kernel)?;
        for _ in 0..BUCKETS {
            let bucket = SpinLockBh::new(Vec::new(), c"lvs_ports", static_lock_class!());
            buckets.push(bucket, Gfp::Kernel)?;
        }
        Ok(Self {
            key: Key::random(),
            buckets,
        })
    }

    fn bucket(&self, triple: &Triple) -> Option<&SpinLockBh<Vec<Space>>> {
        let hash = self
            .key
            .endpoint(triple.protocol, triple.local, triple.real);
        // CAST: Widening.
        self.buckets.get(hash as usize % BUCKETS)
    }

    /// Takes a port that `usable` says yes to, out of `ranges`. Any context.
    pub(crate) fn lease(
        &self,
        triple: Triple,
        ranges: &Ranges,
        random: u32,
        usable: impl Fn(u16) -> bool,
    ) -> Result<Lease, Refusal> {
        let Some(bucket) = self.bucket(&triple) else {
            return Err(Refusal::NoMemory);
        };
        let mut spaces = bucket.lock();
        if !spaces.iter().any(|space| space.triple == triple) {
            let space = Space {
                triple,
                ports: mem::zeroed_words(Gfp::Atomic).ok_or(Refusal::NoMemory)?,
                cursor: ranges.nth(random),
                wrapped: false,
                released: None,
                sequence: None,
            };
            spaces
                .push(space, Gfp::Atomic)
                .map_err(|_| Refusal::NoMemory)?;
        }
        let Some(space) = spaces.iter_mut().find(|space| space.triple == triple) else {
            return Err(Refusal::NoMemory);
        };
        space.lease(ranges, usable)
    }

    /// Gives a port back. `sequence` is the highest number that the server has
    /// seen. Any context.
    pub(crate) fn release(&self, triple: &Triple, port: u16, sequence: Option<u32>, now: Ticks) {
        let Some(bucket) = self.bucket(triple) else {
            return;
        };
        let mut spaces = bucket.lock();
        if let Some(space) = spaces.iter_mut().find(|space| space.triple == *triple) {
            space.set().free(port);
            space.released = Some(now);
            if let Some(sequence) = sequence {
                space.sequence = Some(match space.sequence {
                    Some(known) => seq::later(known, sequence),
                    None => sequence,
                });
            }
        }
    }

    /// Frees what has been unused for so long that no server remembers it. May
    /// sleep.
    pub(crate) fn tidy(&self, now: Ticks) {
        for bucket in self.buckets.iter() {
            let mut spaces = bucket.lock();
            let mut index = 0;
            while let Some(space) = spaces.get_mut(index) {
                if space.is_forgotten(now) {
                    drop(spaces.swap_remove(index));
                } else {
                    index = index.saturating_add(1);
                }
            }
        }
    }
}

impl Space {
    fn set(&mut self) -> PortSet<&mut [u64; 1024]> {
        PortSet {
            words: &mut *self.ports,
        }
    }

    fn lease(&mut self, ranges: &Ranges, usable: impl Fn(u16) -> bool) -> Result<Lease, Refusal> {
        // A port that this host's own stack uses towards the server is passed
        // over. It has few such ports; the limit keeps the cost bounded.
        for _ in 0..64 {
            let cursor = self.cursor;
            let Some((port, next)) = self.set().allocate(ranges, cursor) else {
                return Err(Refusal::Exhausted(cursor));
            };
            self.cursor = next;
            self.wrapped |= port < cursor;
            if usable(port) {
                return Ok(Lease {
                    port,
                    last_used: self.released.filter(|_| self.wrapped),
                    sequence: self.sequence,
                });
            }
            self.set().free(port);
        }
        Err(Refusal::Exhausted(self.cursor))
    }

    fn is_forgotten(&mut self, now: Ticks) -> bool {
        let quiet = |released: Ticks| now.is_after(released.after_seconds(isn::QUIET_SECONDS));
        self.set().is_empty() && self.released.is_some_and(quiet)
    }
}
