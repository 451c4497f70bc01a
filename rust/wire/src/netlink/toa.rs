// SPDX-License-Identifier: GPL-2.0

//! The family `TOA` version 1: what `toa.ko` counts and accepts.
//!
//! Described in `Documentation/netlink/specs/toa.yaml`. `SET_CONFIG` needs
//! CAP_NET_ADMIN.

/// Name of the family.
pub const NAME: &str = "TOA";
/// Version of the family.
pub const VERSION: u8 = 1;

/// Commands.
pub mod cmd {
    /// Reads the counters.
    pub const GET_STATS: u8 = 1;
    /// Reads kinds and trusted sources.
    pub const GET_CONFIG: u8 = 2;
    /// Sets kinds and trusted sources.
    pub const SET_CONFIG: u8 = 3;
}

/// Top-level attributes.
pub mod attr {
    /// Nest of [`super::counter`](mod@super::counter), repeated.
    pub const COUNTER: u16 = 1;
    /// Binary, one to four option kinds.
    pub const KINDS: u16 = 2;
    /// Nest of [`super::trusted`](mod@super::trusted), repeated.
    pub const TRUSTED: u16 = 3;
    /// `u32`, live entries.
    pub const ENTRIES: u16 = 4;
    /// Flag: the list given replaces the list kept.
    pub const TRUSTED_RESET: u16 = 5;
    /// The highest number.
    pub const MAX: u16 = 5;
}

/// Attributes of one counter.
pub mod counter {
    /// String, one word.
    pub const NAME: u16 = 1;
    /// `u64`.
    pub const VALUE: u16 = 2;
    /// String, what it means.
    pub const HINT: u16 = 3;
    /// The highest number.
    pub const MAX: u16 = 3;
}

/// Attributes of one trusted source.
pub mod trusted {
    /// Binary, 4 or 16 bytes.
    pub const ADDR: u16 = 1;
    /// `u8`, bits that count.
    pub const PREFIX: u16 = 2;
    /// The highest number.
    pub const MAX: u16 = 2;
}
