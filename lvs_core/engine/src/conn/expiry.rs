// SPDX-License-Identifier: GPL-2.0

//! How a connection that nobody closed is ended for both its ends.
//!
//! An established connection, or one whose client has said all and waits for
//! the answer, that falls silent for longer than its timeout is forgotten here,
//! while both ends still believe in it. They are told by a RST. Linux obeys one
//! only at exactly the number it expects (RFC 5961 section 3.2), and the stored numbers may be a little old: so the entry
//! stays for a moment, and the ACK with which an end states its number is
//! answered with a RST at that number.

use super::snapshot::{CLIENT_SEQ, LINGERING, SERVER_SEQ};
use super::{Address, Conn, Dir, Endpoint, Protocol, Segment, Snapshot};
use crate::tcp::TcpState;

/// A RST to be sent (flags RST and ACK, no options, no payload).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reset<A> {
    /// Who it seems to come from.
    pub src: Endpoint<A>,
    /// Who is reset.
    pub dst: Endpoint<A>,
    /// Its sequence number.
    pub seq: u32,
    /// Its acknowledgement number.
    pub ack: u32,
}

impl<A> Reset<A> {
    /// The number of a bare ACK that makes the receiver state what it expects.
    ///
    /// A RST *below* the window is dropped without a word, but an ACK there is
    /// always answered (RFC 9293 section 3.10.7.4), as keepalive uses it. Sent
    /// beside the RST it ends connections whose stored numbers are old.
    #[inline]
    #[must_use]
    pub const fn probe_seq(&self) -> u32 {
        self.seq.wrapping_sub(1)
    }
}

/// The RST that answers an end's challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer<C, S> {
    /// To the client.
    ToClient(Reset<C>),
    /// To the server.
    ToServer(Reset<S>),
}

impl<C: Address, S: Address> Conn<C, S> {
    /// The RSTs for client and server if the connection expires now: only where
    /// both may still wait for something, and the numbers are known.
    #[must_use]
    pub fn expiry_resets(&self, snap: Snapshot) -> Option<(Reset<C>, Reset<S>)> {
        let state = snap.state;
        let known = state.has(CLIENT_SEQ) && state.has(SERVER_SEQ);
        if !matches!(self.protocol, Protocol::Tcp)
            || !matches!(state.tcp(), TcpState::Established | TcpState::CloseWait)
            || !known
        {
            return None;
        }
        let (client, server) = (snap.seqs.client_next(), snap.seqs.server_next());
        Some((
            self.reset_client(server, client),
            self.reset_server(client.wrapping_add(self.isn_delta), server),
        ))
    }

    /// The answer to a segment that meets a lingering entry. The segment itself goes no further.
    ///
    /// `None` if the connection does not linger or the segment asks for nothing.
    #[inline]
    #[must_use]
    pub fn linger_answer(&self, snap: Snapshot, segment: &Segment) -> Option<Answer<C, S>> {
        if !snap.state.has(LINGERING) || segment.flags.rst() || !segment.flags.ack() {
            return None;
        }
        Some(match segment.dir {
            Dir::In => Answer::ToClient(self.reset_client(segment.ack, segment.end())),
            Dir::Out => Answer::ToServer(self.reset_server(segment.ack, segment.end())),
        })
    }

    /// The last number of the client that the server has acknowledged, as the
    /// server counts: above it the port's next connection must start (see
    /// [`crate::isn::choose`]). `None` for UDP.
    ///
    /// Before the first acknowledgement it is the SYN's. While a connection is
    /// established it may lag. But what a server remembers of a connection,
    /// its TIME_WAIT, follows a FIN, and from a FIN on each packet counts.
    #[inline]
    #[must_use]
    pub fn last_acked(&self, snap: Snapshot) -> Option<u32> {
        snap.state
            .has(CLIENT_SEQ)
            .then(|| snap.seqs.client_next().wrapping_add(self.isn_delta))
    }

    fn reset_client(&self, seq: u32, ack: u32) -> Reset<C> {
        Reset {
            src: self.virt,
            dst: self.client,
            seq,
            ack,
        }
    }

    fn reset_server(&self, seq: u32, ack: u32) -> Reset<S> {
        Reset {
            src: self.local,
            dst: self.real,
            seq,
            ack,
        }
    }
}
