// SPDX-License-Identifier: GPL-2.0

//! [`Conn`]: one balanced connection, between a client's and a server's family.
//!
//! ```text
//!             in:  client ──────► virt  becomes  local ─────► real
//!             out: client ◄────── virt  becomes  local ◄───── real
//!                  (family C)                    (family S)
//! ```
//!
//! With NAT the server sees the client itself: `local` then *is* the client's
//! endpoint, and everything below is the same code for both methods.
//!
//! What is in [`Conn`] never changes. What changes is a [`Snapshot`], two
//! words that the caller keeps and replaces as a whole when [`Conn::step`]
//! returns another one.

mod admit;
mod expiry;
mod plan;
mod snapshot;
mod step;

pub use admit::{Admission, DestStatus, ReusePolicy};
pub use expiry::{Answer, Reset};
pub use plan::ToaKinds;
pub use snapshot::{Seqs, Snapshot, State};
pub use step::{Activity, Segment, Step};

use lvs_wire::addr::{Address, Endpoint};

use crate::isn;
use crate::tcp::TcpState;
use crate::time::Ticks;
use crate::timeouts::Table;

/// Silence after which a UDP flow gives up its port if no other is free, in
/// seconds: as long as `nf_conntrack` keeps a question and its answer.
pub const UDP_QUIET_SECONDS: u32 = 30;

/// The same where nobody has answered, in seconds: an answer that comes later
/// would go to the port's next client.
pub const UDP_LOST_SECONDS: u32 = 5;

/// Transport protocols that are balanced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Protocol {
    /// TCP, IP protocol 6.
    Tcp = 6,
    /// UDP, IP protocol 17.
    Udp = 17,
}

impl Protocol {
    /// The protocol with this IP protocol number, if it is balanced.
    ///
    /// ```
    /// # use lvs_engine::conn::Protocol;
    /// assert_eq!(Protocol::from_number(17), Some(Protocol::Udp));
    /// assert_eq!(Protocol::from_number(132), None);
    /// ```
    #[inline]
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            6 => Some(Self::Tcp),
            17 => Some(Self::Udp),
            _ => None,
        }
    }

    /// The IP protocol number.
    #[inline]
    #[must_use]
    pub const fn number(self) -> u8 {
        // CAST: the enum is a u8.
        self as u8
    }

    /// The name that listings print.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        }
    }
}

/// How packets reach the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Method {
    /// The destination is rewritten.
    Nat = 0,
    /// The server is this host: packets stay as they are.
    Local = 1,
    /// Packets are wrapped in another header.
    Tunnel = 2,
    /// Packets stay as they are and go to the server's MAC address (direct routing).
    Droute = 3,
    /// Packets go where they would without a balancer; made when a service by
    /// firewall mark has no server (`cache_bypass`).
    Bypass = 4,
    /// Source and destination are rewritten.
    Fullnat = 5,
}

impl Method {
    /// The method with this number, see [`fwd`](lvs_wire::netlink::ipvs::fwd).
    #[inline]
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::Nat,
            1 => Self::Local,
            2 => Self::Tunnel,
            3 => Self::Droute,
            4 => Self::Bypass,
            5 => Self::Fullnat,
            _ => return None,
        })
    }

    /// The number in netlink messages.
    #[inline]
    #[must_use]
    pub const fn number(self) -> u8 {
        // CAST: the enum is a u8.
        self as u8
    }

    /// Whether replies pass the balancer; if not, half of the TCP states must be guessed.
    #[inline]
    #[must_use]
    pub const fn sees_replies(self) -> bool {
        match self {
            Self::Nat | Self::Fullnat => true,
            Self::Local | Self::Tunnel | Self::Droute | Self::Bypass => false,
        }
    }

    /// The timeouts connections of this method live by.
    #[inline]
    #[must_use]
    pub const fn timeouts(self) -> Table {
        match self {
            Self::Fullnat => Table::Fullnat,
            _ => Table::Ipvs,
        }
    }
}

/// Where a packet of a connection goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dir {
    /// From the client to the server.
    In,
    /// From the server to the client.
    Out,
}

/// What is done to a FULLNAT connection besides its addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Features {
    /// The server is told the client's endpoint by a TCP option.
    pub toa: bool,
    /// The client's MSS is lowered to leave room for that option.
    pub lower_mss: bool,
    /// The timestamps of the client's SYN are removed.
    pub strip_timestamps: bool,
    /// A client's SYN may use Fast Open (RFC 7413). A server's cookie is of the
    /// address that it sees, the local one: whoever has got one once may send
    /// data in the name of any client.
    pub fast_open: bool,
}

/// A client's initial sequence number, and the one the server sees instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Numbers {
    /// What the client's SYN carries.
    pub client_isn: u32,
    /// What the server gets.
    pub isn: u32,
}

/// What never changes in a connection.
///
/// ```
/// # use core::net::Ipv4Addr;
/// # use lvs_engine::conn::{Conn, Features, Numbers, Protocol};
/// # use lvs_wire::addr::Endpoint;
/// let end = |last, port| Endpoint::new(Ipv4Addr::new(192, 0, 2, last), port);
/// let conn = Conn::fullnat(
///     Protocol::Tcp,
///     end(1, 40000), end(2, 80), end(3, 1024), end(4, 8080),
///     Numbers { client_isn: 7, isn: 5 },
///     Features { toa: true, ..Features::default() },
/// );
/// assert_eq!(conn.isn_delta, u32::MAX - 1);
/// assert!(size_of_val(&conn) <= 40);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conn<C, S> {
    /// The client.
    pub client: Endpoint<C>,
    /// The virtual service as the client addresses it.
    pub virt: Endpoint<C>,
    /// The source that the server sees: a local address, or the client with NAT.
    pub local: Endpoint<S>,
    /// The server.
    pub real: Endpoint<S>,
    /// Added (wrapping) to the client's sequence numbers on the way to the server.
    pub isn_delta: u32,
    /// The sequence number of the SYN that opened the connection, the client's own.
    pub client_isn: u32,
    /// Transport protocol.
    pub protocol: Protocol,
    /// Forwarding method.
    pub method: Method,
    features: u8,
    /// Subtracted from the MSS that the server announces to the client; 0 leaves it.
    pub mss_lower: u8,
}

const _: () = {
    use core::net::{Ipv4Addr, Ipv6Addr};
    assert!(size_of::<Conn<Ipv4Addr, Ipv4Addr>>() <= 40);
    assert!(size_of::<Conn<Ipv6Addr, Ipv6Addr>>() <= 88);
};

const TOA: u8 = 1;
const STRIP_TIMESTAMPS: u8 = 2;
const STRIP_FAST_OPEN: u8 = 4;

impl<C: Address, S: Address> Conn<C, S> {
    /// A connection that reaches `real` from the local endpoint `local`.
    #[inline]
    #[must_use]
    pub fn fullnat(
        protocol: Protocol,
        client: Endpoint<C>,
        virt: Endpoint<C>,
        local: Endpoint<S>,
        real: Endpoint<S>,
        numbers: Numbers,
        features: Features,
    ) -> Self {
        let tcp = matches!(protocol, Protocol::Tcp);
        let toa = tcp && features.toa;
        let mut bits = 0;
        if toa {
            bits |= TOA;
        }
        if tcp && features.strip_timestamps {
            bits |= STRIP_TIMESTAMPS;
        }
        if tcp && !features.fast_open {
            bits |= STRIP_FAST_OPEN;
        }
        Self {
            client,
            virt,
            local,
            real,
            isn_delta: isn::delta(numbers.isn, numbers.client_isn),
            client_isn: numbers.client_isn,
            protocol,
            method: Method::Fullnat,
            features: bits,
            mss_lower: if toa && features.lower_mss {
                Self::TOA_LEN
            } else {
                0
            },
        }
    }

    /// Bytes that a TOA option with this client takes (kind, length, port, address).
    // CAST: 8 or 20.
    pub const TOA_LEN: u8 = C::LEN as u8 + 4;

    /// The server is told the client's endpoint at the connection's start.
    #[inline]
    #[must_use]
    pub const fn has_toa(&self) -> bool {
        self.features & TOA != 0
    }

    /// The SYN towards the server carries no timestamps.
    #[inline]
    #[must_use]
    pub const fn strips_timestamps(&self) -> bool {
        self.features & STRIP_TIMESTAMPS != 0
    }

    /// The SYN towards the server carries no Fast Open.
    #[inline]
    #[must_use]
    pub const fn strips_fast_open(&self) -> bool {
        self.features & STRIP_FAST_OPEN != 0
    }

    /// Whether client segments carry the TOA option now: until the server has
    /// acknowledged client data or sent some, for then it has surely seen one.
    #[inline]
    #[must_use]
    pub const fn inserts_toa(&self, snap: Snapshot) -> bool {
        self.has_toa() && !snap.state.server_answered()
    }

    /// The state as `/proc/net/ip_vs_conn` prints it.
    #[must_use]
    pub const fn state_name(&self, snap: Snapshot) -> &'static str {
        match self.protocol {
            Protocol::Tcp => snap.state.tcp().name(),
            Protocol::Udp => "UDP",
        }
    }

    /// Whether the connection counts as inactive (InActConn); UDP always does.
    #[inline]
    #[must_use]
    pub const fn is_inactive(&self, snap: Snapshot) -> bool {
        !snap.state.is_active()
    }

    /// Whether the connection may give up its port to another one of the same
    /// server at `now`: TCP that is over but for its wait; UDP that has been
    /// silent for [`UDP_QUIET_SECONDS`] or, if no server has answered, for
    /// [`UDP_LOST_SECONDS`], for whether it is over nobody says.
    #[inline]
    #[must_use]
    pub fn yields_port(&self, snap: Snapshot, now: Ticks) -> bool {
        match self.protocol {
            Protocol::Tcp => matches!(snap.state.tcp(), TcpState::TimeWait | TcpState::Close),
            Protocol::Udp => {
                let seconds = match snap.state.is_replied() {
                    true => UDP_QUIET_SECONDS,
                    false => UDP_LOST_SECONDS,
                };
                !snap.state.last_seen().after_seconds(seconds).is_after(now)
            }
        }
    }
}

impl<C: Address, S: Address> Conn<C, S> {
    /// A connection whose server sees the client's own endpoint: any but FULLNAT.
    /// `None` where that cannot be, because client and server are of different
    /// families.
    #[inline]
    #[must_use]
    pub fn plain(
        protocol: Protocol,
        method: Method,
        client: Endpoint<C>,
        virt: Endpoint<C>,
        real: Endpoint<S>,
        client_isn: u32,
    ) -> Option<Self> {
        Some(Self {
            client,
            virt,
            local: Endpoint::from_any(client.any())?,
            real,
            isn_delta: 0,
            client_isn,
            protocol,
            method,
            features: 0,
            mss_lower: 0,
        })
    }
}

#[cfg(test)]
mod tests;
