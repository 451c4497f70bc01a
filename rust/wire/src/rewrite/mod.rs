// SPDX-License-Identifier: GPL-2.0

//! The one place where header bytes are changed.
//!
//! A [`Plan`] says what a packet is to become; [`apply()`] writes it into the
//! headers and keeps every checksum as right, or as wrong, as it was. Where TCP
//! options change, three steps belong together:
//!
//! ```text
//! options::plan(old options, edit, ...)        what the options become
//!   longer:  the caller makes room: [IP][TCP][old options][gap][payload]
//! apply(headers, place, plan, Some(&new))      fixed headers, options, checksums
//!   shorter: the caller closes the gap: [IP][TCP][new options][gap][payload]
//! ```
//!
//! Most packets need neither the first step nor room: see
//! [`TcpEdit::changes_options`]. Errors of ICMP are in [`icmp`]. Between a client
//! and a server of different families a packet is changed by [`mod@translate`].

mod apply;
pub mod icmp;
pub mod options;
mod sack;
pub mod translate;
mod writer;

pub use apply::apply;

use crate::addr::Endpoint;
use crate::ip::{self, TtlStep};
use crate::kinds::KindSet;
use crate::toa::Toa;

/// What a packet is to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan<A> {
    /// The new source.
    pub src: Endpoint<A>,
    /// The new destination.
    pub dst: Endpoint<A>,
    /// What happens to the TTL.
    pub ttl: TtlStep,
    /// What changes in a TCP header besides ports; `None` for UDP, and for TCP
    /// whose numbers stay.
    pub tcp: Option<TcpEdit>,
}

/// What changes in a TCP header besides ports.
///
/// The default changes nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpEdit {
    /// Added, wrapping, to the sequence number.
    pub seq_add: u32,
    /// Added, wrapping, to the acknowledgment number of a segment with ACK.
    pub ack_add: u32,
    /// Added, wrapping, to both edges of every SACK block.
    pub sack_add: u32,
    /// The client to be told to the server.
    pub toa: Option<Toa>,
    /// The kind under which it is told.
    pub toa_kind: u8,
    /// Kinds of which the sender's own options are removed.
    pub strip: KindSet,
    /// Timestamps are removed, on a SYN only.
    pub strip_timestamps: bool,
    /// A Fast Open cookie (RFC 7413), or the request for one, is removed, on a
    /// SYN only.
    pub strip_fast_open: bool,
    /// Taken off the MSS, on a SYN or SYN-ACK only.
    pub mss_lower: u16,
    /// The most that the MSS may be before it is lowered, on a SYN or SYN-ACK
    /// only.
    pub mss_cap: Option<u16>,
}

impl TcpEdit {
    /// Whether [`options::plan`] is needed: whether more may change in the
    /// options than SACK edges, which [`apply()`] shifts where they stand.
    #[inline]
    pub fn changes_options(&self) -> bool {
        self.toa.is_some()
            || !self.strip.is_empty()
            || self.strip_timestamps
            || self.strip_fast_open
            || self.mss_lower != 0
            || self.mss_cap.is_some()
    }
}

/// The transport whose header is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP
    Tcp,
    /// UDP
    Udp,
}

impl Transport {
    /// The transport of a protocol number, `None` for any but 6 and 17.
    #[inline]
    pub const fn from_protocol(protocol: u8) -> Option<Self> {
        match protocol {
            6 => Some(Transport::Tcp),
            17 => Some(Transport::Udp),
            _ => None,
        }
    }

    /// The protocol number.
    #[inline]
    pub const fn protocol(self) -> u8 {
        match self {
            Transport::Tcp => 6,
            Transport::Udp => 17,
        }
    }
}

/// What the transport's checksum field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CsumState {
    /// The sum of the pseudo header alone, folded and not complemented: the
    /// device adds the rest (`CHECKSUM_PARTIAL`).
    Partial,
    /// A checksum. In UDP 0 means that there is none, and stays.
    Full,
    /// Nothing that is to be kept: the field is left alone.
    None,
}

/// Where in the bytes the transport header is, and what is known of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Bytes from the start of the IP header to the transport header, see
    /// [`ip::Packet::l4_offset`].
    pub l4_offset: usize,
    /// Which header it is.
    pub transport: Transport,
    /// What its checksum field holds.
    pub csum: CsumState,
}

/// Why headers cannot be changed. Nothing has been written then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Fewer bytes than the headers need, or than the new options take.
    Truncated,
    /// The TTL is used up: the sender is to be told by ICMP.
    TtlExpired,
    /// The packet would be longer than its length field can say.
    TooLong,
    /// A TCP data offset under 20 bytes.
    DataOffset,
    /// The message is no ICMP error.
    NotAnError,
    /// The packet in an ICMP error has no IP header.
    Embedded(ip::Error),
    /// The packet in an ICMP error is a later fragment, or neither TCP nor UDP,
    /// or has fewer than 8 bytes of these.
    EmbeddedTransport,
}

impl From<ip::HeadError> for Error {
    #[inline]
    fn from(error: ip::HeadError) -> Self {
        match error {
            ip::HeadError::Truncated => Error::Truncated,
            ip::HeadError::TtlExpired => Error::TtlExpired,
            ip::HeadError::TooLong => Error::TooLong,
        }
    }
}
