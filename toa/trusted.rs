// SPDX-License-Identifier: GPL-2.0

//! The list of sources that may tell who the client is.

use core::net::Ipv4Addr;
use lvs_wire::addr::AnyAddr;

/// Why a source cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The prefix is longer than the address.
    Prefix,
    /// The list holds [`Trusted::MAX`].
    Full,
}

/// All addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Prefix {
    pub(crate) addr: AnyAddr,
    /// Bits that count.
    pub(crate) len: u8,
}

impl Prefix {
    fn contains(&self, addr: AnyAddr) -> bool {
        match (self.addr, addr) {
            (AnyAddr::V4(own), AnyAddr::V4(addr)) => {
                let differs = own.to_bits() ^ addr.to_bits();
                differs.leading_zeros() >= u32::from(self.len)
            }
            (AnyAddr::V6(own), AnyAddr::V6(addr)) => {
                let differs = own.to_bits() ^ addr.to_bits();
                differs.leading_zeros() >= u32::from(self.len)
            }
            _ => false,
        }
    }
}

/// Sources that are trusted; as a list, because it is short.
#[derive(Clone, Copy, Default)]
pub(crate) struct Trusted([Option<Prefix>; Trusted::MAX]);

impl Trusted {
    /// Prefixes that a list holds.
    pub(crate) const MAX: usize = 32;

    /// One prefix, of the address that no connection comes from.
    pub(crate) fn nobody() -> Self {
        let unspecified = Prefix {
            addr: Ipv4Addr::UNSPECIFIED.into(),
            len: 32,
        };
        let mut list = Self::default();
        let [first, ..] = &mut list.0;
        *first = Some(unspecified);
        list
    }

    /// Whether one of the prefixes has `addr`.
    pub(crate) fn contains(&self, addr: AnyAddr) -> bool {
        self.iter().any(|prefix| prefix.contains(addr))
    }

    /// Whether there is no prefix.
    pub(crate) fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// The prefixes, in the order in which they were added.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Prefix> + '_ {
        self.0.iter().copied().flatten()
    }

    /// Adds a prefix; nothing if it is there.
    ///
    /// # Errors
    ///
    /// See [`Refused`].
    pub(crate) fn add(&mut self, prefix: Prefix) -> Result<(), Refused> {
        let bits = if prefix.addr.is_ipv4() { 32 } else { 128 };
        if prefix.len > bits {
            return Err(Refused::Prefix);
        }
        if self.iter().any(|known| known == prefix) {
            return Ok(());
        }
        let free = self.0.iter_mut().find(|slot| slot.is_none());
        *free.ok_or(Refused::Full)? = Some(prefix);
        Ok(())
    }
}
