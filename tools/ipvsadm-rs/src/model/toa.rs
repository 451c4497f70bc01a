// SPDX-License-Identifier: GPL-2.0

//! What toa.ko on a real server tells.

use std::net::IpAddr;

/// A counter of toa.ko.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counter {
    /// Its name.
    pub(crate) name: String,
    /// Its value.
    pub(crate) value: u64,
    /// What it means, if the module told.
    pub(crate) hint: String,
}

/// Sources whose TOA options are believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Prefix {
    /// The network's address.
    pub(crate) addr: IpAddr,
    /// Leading bits that count.
    pub(crate) len: u8,
}

/// State and settings of toa.ko.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Toa {
    /// Counters.
    pub(crate) counters: Vec<Counter>,
    /// Option kinds that are read.
    pub(crate) kinds: Vec<u8>,
    /// Whose options are believed; empty is everyone's.
    pub(crate) trusted: Vec<Prefix>,
    /// Connections that have a client address stored.
    pub(crate) entries: Option<u32>,
}

/// What `toa --kinds ... --trust ...` changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ToaChange {
    /// The new kinds.
    pub(crate) kinds: Option<Vec<u8>>,
    /// The new list; empty believes everyone.
    pub(crate) trusted: Option<Vec<Prefix>>,
}
