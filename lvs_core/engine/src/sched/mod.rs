// SPDX-License-Identifier: GPL-2.0

//! [`Scheduler`]: which destination gets the next connection.
//!
//! A scheduler is a pure function of the destinations, the request, a cursor of
//! 64 bits and, if it hashes, a table that was made before ([`Scheduler::fill`]).
//! The caller keeps the cursor, replaces it by compare-exchange, and calls
//! again if another CPU was faster. It starts a service's cursor at a random
//! number: were it 0, a hundred directors started together would all send
//! their first clients to the same server.

mod dh;
mod fo;
mod lc;
mod load;
mod mh;
mod nq;
mod ovf;
mod request;
mod rr;
mod sed;
mod sh;
mod siphash;
mod table;
mod twos;
mod wlc;
mod wrr;

pub use mh::Preference;
pub use request::Request;
pub use table::FREE;

use lvs_wire::addr::AnyEndpoint;
use lvs_wire::netlink::ipvs::svc_flags;
use table::Hashing;

/// The destinations of a service as a scheduler sees them, oldest first.
pub trait Candidates {
    /// How many there are.
    fn len(&self) -> usize;

    /// The weight of the destination at `index`; 0 (gets nothing) if there is none.
    fn weight(&self, index: usize) -> u32;

    /// The latest weight above 0 of the destination at `index`; 0 if it never
    /// had one, or there is none.
    fn last_weight(&self, index: usize) -> u32;

    /// What the destination at `index` is known by.
    fn endpoint(&self, index: usize) -> Option<AnyEndpoint>;

    /// Whether the destination at `index` has as many connections as it may have.
    fn is_overloaded(&self, index: usize) -> bool;

    /// How many connections the destination at `index` has: active ones, and
    /// others. None if there is no destination.
    fn conns(&self, index: usize) -> (u32, u32);

    /// Greatest weight and common divisor. It changes only when a weight
    /// does, so callers with many destinations keep it.
    #[inline]
    fn weights(&self) -> Weights {
        Weights::of((0..self.len()).map(|index| self.weight(index)))
    }

    /// Whether there is none.
    #[inline]
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the destination at `index` takes connections.
    #[inline]
    fn is_eligible(&self, index: usize) -> bool {
        self.weight(index) > 0 && !self.is_overloaded(index)
    }
}

/// What weighted schedulers need to know of all weights at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weights {
    /// The greatest weight.
    pub max: u32,
    /// The greatest common divisor of all weights above 0; 1 if there is none.
    pub gcd: u32,
}

impl Weights {
    /// Looks at each weight once.
    ///
    /// ```
    /// # use lvs_engine::sched::Weights;
    /// assert_eq!(Weights::of([4, 0, 6]), Weights { max: 6, gcd: 2 });
    /// ```
    pub fn of(weights: impl IntoIterator<Item = u32>) -> Self {
        let mut all = Self { max: 0, gcd: 0 };
        for weight in weights {
            all.max = all.max.max(weight);
            all.gcd = gcd(all.gcd, weight);
        }
        all.gcd = all.gcd.max(1);
        all
    }
}

/// Euclid's.
fn gcd(mut a: u32, mut b: u32) -> u32 {
    while let Some(rest) = a.checked_rem(b) {
        (a, b) = (b, rest);
    }
    a
}

/// A destination, and the cursor to go on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pick {
    /// The place of the destination among the candidates.
    pub index: usize,
    /// The cursor for the next pick.
    pub cursor: u64,
}

impl Pick {
    /// The destination at `index`; the next search starts behind it.
    #[inline]
    fn and_go_on(index: usize) -> Self {
        Self {
            index,
            // CAST: usize has at most 64 bits.
            cursor: (index as u64).wrapping_add(1),
        }
    }
}

/// Every place below `len` once, from the one at the cursor on; `None` if there is no place.
#[inline]
fn around(cursor: u64, len: usize) -> Option<impl Iterator<Item = usize>> {
    // CAST: usize is 64 bits on every machine the kernel part runs on, and
    // elsewhere any start will do.
    let start = (cursor as usize).checked_rem(len)?;
    Some((start..len).chain(0..start))
}

/// A rule that needs no table, and its name.
trait Rule {
    /// The name in stock tools.
    const NAME: &'static str;

    /// The next destination, `None` if none takes connections.
    fn pick(cursor: u64, candidates: &impl Candidates) -> Option<Pick>;
}

/// A scheduler that can be chosen for a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheduler {
    /// Never picks a destination.
    None,
    /// Round robin.
    Rr,
    /// Weighted round robin.
    Wrr,
    /// Least connections.
    Lc,
    /// Weighted least connections.
    Wlc,
    /// Shortest expected delay.
    Sed,
    /// Never queue.
    Nq,
    /// Weighted failover.
    Fo,
    /// Overflow.
    Ovf,
    /// Two random choices.
    Twos,
    /// Source hashing.
    Sh,
    /// Destination hashing.
    Dh,
    /// Maglev hashing.
    Mh,
}

/// Why a name is no scheduler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownScheduler {
    /// Stock IPVS has one of this name, we do not yet.
    NotYet,
    /// Nobody knows it.
    Unknown,
}

impl Scheduler {
    /// Every one.
    pub const ALL: &'static [Self] = &[
        Self::None,
        Self::Rr,
        Self::Wrr,
        Self::Lc,
        Self::Wlc,
        Self::Sed,
        Self::Nq,
        Self::Fo,
        Self::Ovf,
        Self::Twos,
        Self::Sh,
        Self::Dh,
        Self::Mh,
    ];

    /// The scheduler with this name.
    ///
    /// # Errors
    ///
    /// Says whether the name is at least one of stock IPVS's.
    ///
    /// ```
    /// # use lvs_engine::sched::{Scheduler, UnknownScheduler};
    /// assert_eq!(Scheduler::from_name("wrr"), Ok(Scheduler::Wrr));
    /// assert_eq!(Scheduler::from_name("lblc"), Err(UnknownScheduler::NotYet));
    /// assert_eq!(Scheduler::from_name("best"), Err(UnknownScheduler::Unknown));
    /// ```
    pub fn from_name(name: &str) -> Result<Self, UnknownScheduler> {
        let known = Self::ALL.iter().find(|known| known.name() == name);
        known.copied().ok_or(match name {
            "lblc" | "lblcr" => UnknownScheduler::NotYet,
            _ => UnknownScheduler::Unknown,
        })
    }

    /// The name in stock tools.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Rr => rr::Rr::NAME,
            Self::Wrr => wrr::Wrr::NAME,
            Self::Lc => lc::Lc::NAME,
            Self::Wlc => wlc::Wlc::NAME,
            Self::Sed => sed::Sed::NAME,
            Self::Nq => nq::Nq::NAME,
            Self::Fo => fo::Fo::NAME,
            Self::Ovf => ovf::Ovf::NAME,
            Self::Twos => twos::Twos::NAME,
            Self::Sh => sh::Sh::NAME,
            Self::Dh => dh::Dh::NAME,
            Self::Mh => mh::Mh::NAME,
        }
    }

    /// The flags of a service that mean something to it, see [`svc_flags`].
    ///
    /// `SCHED1`: another destination serves if the one hashed to takes no
    /// connections. `SCHED2`: clients are told apart by their ports too.
    #[must_use]
    pub const fn flags(self) -> u32 {
        let has_flags = match self {
            Self::Sh => sh::Sh::HAS_FLAGS,
            Self::Dh => dh::Dh::HAS_FLAGS,
            Self::Mh => mh::Mh::HAS_FLAGS,
            _ => false,
        };
        if has_flags {
            svc_flags::SCHED1 | svc_flags::SCHED2
        } else {
            0
        }
    }

    /// How many entries its table has; `None` if it needs none.
    #[must_use]
    pub const fn table_len(self) -> Option<usize> {
        match self {
            Self::Sh => Some(sh::Sh::LEN),
            Self::Dh => Some(dh::Dh::LEN),
            Self::Mh => Some(mh::Mh::LEN),
            _ => None,
        }
    }

    /// Makes the table for [`pick`](Self::pick), to be made anew when
    /// destinations come or go or weights change. Not for the path of packets.
    ///
    /// `table` is of [`table_len`](Self::table_len), `scratch` has one for each
    /// candidate; what is in them before does not matter. With less memory the
    /// table stays free, and there will be no pick. Candidates beyond 65,535
    /// get no entry.
    pub fn fill(self, candidates: &impl Candidates, table: &mut [u16], scratch: &mut [Preference]) {
        table.fill(FREE);
        let Some(table) = self.table_len().and_then(|len| table.get_mut(..len)) else {
            return;
        };
        match self {
            Self::Sh => sh::Sh::fill(candidates, table, scratch),
            Self::Dh => dh::Dh::fill(candidates, table, scratch),
            Self::Mh => mh::Mh::fill(candidates, table, scratch),
            _ => {}
        }
    }

    /// The next destination and the next cursor, `None` if no destination takes connections.
    ///
    /// Destinations of weight 0 and overloaded ones are passed over. Any
    /// number is a cursor, also one from before the destinations changed; and
    /// anything may be in the table, though only what
    /// [`fill`](Self::fill) made is of use. A scheduler that needs a table
    /// and is given none picks nothing; the others ignore it. The cursor stays
    /// as it is with those that hash and with `fo` and `ovf`.
    #[inline]
    pub fn pick(
        self,
        cursor: u64,
        request: &Request,
        candidates: &impl Candidates,
        table: Option<&[u16]>,
    ) -> Option<Pick> {
        let index = match self {
            Self::None => None,
            Self::Rr => return rr::Rr::pick(cursor, candidates),
            Self::Wrr => return wrr::Wrr::pick(cursor, candidates),
            Self::Lc => return lc::Lc::pick(cursor, candidates),
            Self::Wlc => return wlc::Wlc::pick(cursor, candidates),
            Self::Sed => return sed::Sed::pick(cursor, candidates),
            Self::Nq => return nq::Nq::pick(cursor, candidates),
            Self::Fo => return fo::Fo::pick(cursor, candidates),
            Self::Ovf => return ovf::Ovf::pick(cursor, candidates),
            Self::Twos => return twos::Twos::pick(cursor, candidates),
            Self::Sh => table::find::<sh::Sh>(request, candidates, table?),
            Self::Dh => table::find::<dh::Dh>(request, candidates, table?),
            Self::Mh => table::find::<mh::Mh>(request, candidates, table?),
        }?;
        Some(Pick { index, cursor })
    }
}

#[cfg(test)]
mod tests;
