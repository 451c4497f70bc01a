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
    ports::{Few, PortSet, Ranges, Turn},
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
    ports: Ports,
    turn: Turn,
    /// When a port was last given back.
    released: Option<Ticks>,
    /// The highest sequence number that a server has seen from here.
    sequence: Option<u32>,
}

/// The ports that are in use.
enum Ports {
    Few(Few),
    Many(KBox<[u64; 1024]>),
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
    /// No memory to keep it.
    NoMemory,
}

const BUCKETS: usize = 1024;

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
                ports: Ports::Few(Few::EMPTY),
                turn: Turn::new(ranges.nth(random)),
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
            space.ports.free(port);
            space.released = Some(now);
            if let Some(sequence) = sequence {
                space.sequence = Some(match space.sequence {
                    Some(known) => seq::later(known, sequence),
                    None => sequence,
                });
            }
        }
    }

    /// Frees what has been unused for so long that no server remembers it, and
    /// the memory of what is empty. May sleep.
    pub(crate) fn tidy(&self, now: Ticks) {
        for bucket in self.buckets.iter() {
            let mut spaces = bucket.lock();
            let mut index = 0;
            while let Some(space) = spaces.get_mut(index) {
                if space.is_forgotten(now) {
                    drop(spaces.swap_remove(index));
                } else {
                    if space.ports.is_empty() {
                        space.ports = Ports::Few(Few::EMPTY);
                    }
                    index = index.saturating_add(1);
                }
            }
        }
    }
}

impl Space {
    fn lease(&mut self, ranges: &Ranges, usable: impl Fn(u16) -> bool) -> Result<Lease, Refusal> {
        // A port that this host's own stack uses towards the server is passed
        // over. It has few such ports; the limit keeps the cost bounded.
        for _ in 0..64 {
            self.ports.make_room()?;
            let taken = match &mut self.ports {
                Ports::Few(few) => self.turn.take(few, ranges),
                Ports::Many(words) => self.turn.take(&mut bits(words), ranges),
            };
            let Some((port, is_again)) = taken else {
                return Err(Refusal::Exhausted(self.turn.cursor()));
            };
            if usable(port) {
                return Ok(Lease {
                    port,
                    last_used: self.released.filter(|_| is_again),
                    sequence: self.sequence,
                });
            }
            self.ports.free(port);
        }
        Err(Refusal::Exhausted(self.turn.cursor()))
    }

    fn is_forgotten(&mut self, now: Ticks) -> bool {
        let quiet = |released: Ticks| now.is_after(released.after_seconds(isn::QUIET_SECONDS));
        self.ports.is_empty() && self.released.is_some_and(quiet)
    }
}

impl Ports {
    /// Lets one more be taken, if there is one. Any context.
    fn make_room(&mut self) -> Result<(), Refusal> {
        let few = match self {
            Self::Few(few) if few.is_full() => *few,
            _ => return Ok(()),
        };
        let mut words = mem::zeroed_words(Gfp::Atomic).ok_or(Refusal::NoMemory)?;
        let mut set = bits(&mut words);
        for port in few.iter() {
            // Each is there once, so that none is taken.
            let _ = set.reserve(port);
        }
        *self = Self::Many(words);
        Ok(())
    }

    fn free(&mut self, port: u16) {
        match self {
            Self::Few(few) => few.free(port),
            Self::Many(words) => bits(words).free(port),
        };
    }

    fn is_empty(&mut self) -> bool {
        match self {
            Self::Few(few) => few.is_empty(),
            Self::Many(words) => bits(words).is_empty(),
        }
    }
}

fn bits(words: &mut KBox<[u64; 1024]>) -> PortSet<&mut [u64; 1024]> {
    PortSet {
        words: &mut **words,
    }
}
