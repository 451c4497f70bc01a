// SPDX-License-Identifier: GPL-2.0

//! [`Snapshot`]: what changes in a connection, in two words of 64 bits.
//!
//! ```text
//! State  0..3   TCP state (IPVS's number)     Seqs   0..31  the client's next sequence number
//!        4..10  flags below                          32..63  the server's next sequence number
//!        32..63 last seen, in ticks                  each in its sender's own numbering
//! ```

use super::{Address, Conn, Protocol};
use crate::tcp::TcpState;
use crate::time::Ticks;

const TCP_MASK: u64 = 0xf;

pub(super) const ANSWERED: u64 = 1 << 4;
pub(super) const ACTIVE: u64 = 1 << 5;
pub(super) const REPLIED: u64 = 1 << 6;
pub(super) const LINGERING: u64 = 1 << 7;
pub(super) const CLIENT_RESET: u64 = 1 << 8;
pub(super) const CLIENT_SEQ: u64 = 1 << 9;
pub(super) const SERVER_SEQ: u64 = 1 << 10;

/// The first word: TCP state, flags and when the connection was last seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State(u64);

impl State {
    /// A bit that is never set here, for whoever keeps the word.
    pub const SPARE: u64 = 1 << 31;

    /// The state in a word that [`State::to_word`] made.
    #[inline]
    #[must_use]
    pub const fn from_word(word: u64) -> Self {
        Self(word)
    }

    /// The word to keep.
    #[inline]
    #[must_use]
    pub const fn to_word(self) -> u64 {
        self.0
    }

    /// The TCP state; [`TcpState::None`] for UDP.
    #[inline]
    #[must_use]
    pub const fn tcp(self) -> TcpState {
        // CAST: four bits are left.
        match TcpState::from_number((self.0 & TCP_MASK) as u8) {
            Some(state) => state,
            // Not one of ours: an end that expires soon.
            None => TcpState::Close,
        }
    }

    /// When the connection was last seen.
    #[inline]
    #[must_use]
    pub const fn last_seen(self) -> Ticks {
        // CAST: the upper half.
        Ticks::new((self.0 >> 32) as u32)
    }

    /// The server has acknowledged client data, or sent some.
    #[inline]
    #[must_use]
    pub const fn server_answered(self) -> bool {
        self.has(ANSWERED)
    }

    /// The connection counts as active (ActiveConn).
    #[inline]
    #[must_use]
    pub const fn is_active(self) -> bool {
        self.has(ACTIVE)
    }

    /// A packet of the server has been seen.
    #[inline]
    #[must_use]
    pub const fn is_replied(self) -> bool {
        self.has(REPLIED)
    }

    /// Both ends were reset; the entry waits for their questions.
    #[inline]
    #[must_use]
    pub const fn is_lingering(self) -> bool {
        self.has(LINGERING)
    }

    /// An established connection that has seen all there is to see: data
    /// changes nothing in it but the time.
    #[inline]
    pub(super) const fn is_steady(self) -> bool {
        const STEADY: u64 = TcpState::Established.number() as u64 | ANSWERED | ACTIVE | REPLIED;
        self.0 & (TCP_MASK | ANSWERED | ACTIVE | REPLIED | LINGERING) == STEADY
    }

    #[inline]
    pub(super) const fn has(self, flag: u64) -> bool {
        self.0 & flag != 0
    }

    #[inline]
    pub(super) const fn with(self, flag: u64) -> Self {
        Self(self.0 | flag)
    }

    #[inline]
    pub(super) const fn without(self, flag: u64) -> Self {
        Self(self.0 & !flag)
    }

    #[inline]
    pub(super) const fn with_tcp(self, state: TcpState) -> Self {
        Self((self.0 & !TCP_MASK) | state.number() as u64)
    }

    #[inline]
    pub(super) const fn with_last_seen(self, now: Ticks) -> Self {
        Self((self.0 & 0xffff_ffff) | ((now.get() as u64) << 32))
    }
}

/// The second word: where each end's numbers stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seqs(u64);

impl Seqs {
    /// The next sequence number of the client, in its own numbering.
    #[inline]
    #[must_use]
    pub const fn client_next(self) -> u32 {
        // CAST: the lower half.
        self.0 as u32
    }

    /// The next sequence number of the server, in its own numbering.
    #[inline]
    #[must_use]
    pub const fn server_next(self) -> u32 {
        // CAST: the upper half.
        (self.0 >> 32) as u32
    }

    #[inline]
    pub(super) const fn new(client_next: u32, server_next: u32) -> Self {
        Self(client_next as u64 | ((server_next as u64) << 32))
    }
}

/// All that changes in a connection, as it was at one moment.
///
/// The two words need not be read or written together: the second one only
/// makes a guess better, the first one decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// The word that decides; replaced by compare-exchange.
    pub state: State,
    /// The word that may be a little older or newer.
    pub seqs: Seqs,
}

impl Snapshot {
    /// The snapshot in two words.
    #[inline]
    #[must_use]
    pub const fn from_words(state: u64, seqs: u64) -> Self {
        Self {
            state: State(state),
            seqs: Seqs(seqs),
        }
    }

    /// The two words to keep: state, sequence numbers.
    #[inline]
    #[must_use]
    pub const fn to_words(self) -> (u64, u64) {
        (self.state.0, self.seqs.0)
    }
}

impl<C: Address, S: Address> Conn<C, S> {
    /// What a connection starts with, before its first packet goes through [`Conn::step`].
    #[inline]
    #[must_use]
    pub fn start(&self, now: Ticks) -> Snapshot {
        let state = State(0).with_last_seen(now);
        if matches!(self.protocol, Protocol::Tcp) && self.method.sees_replies() {
            return Snapshot {
                state: state.with(CLIENT_SEQ),
                seqs: Seqs::new(self.client_isn.wrapping_add(1), 0),
            };
        }
        Snapshot {
            state,
            seqs: Seqs::new(0, 0),
        }
    }
}
