// SPDX-License-Identifier: GPL-2.0

//! [`Planted`]: faults that a director can be given, each of which a run has to
//! find: what finds none of them would prove nothing by finding nothing else.
//!
//! They stand where the engine's answers are taken up, so that to the rest of
//! the simulation the engine seems to be wrong.

use lvs_wire::{
    addr::Address,
    ip::TtlStep,
    kinds::KindSet,
    rewrite::{icmp::ErrorPlan, Plan},
};

/// A fault of a director.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// The transport's checksum is off by one.
    Checksum,
    /// Replies come from another port than the service's.
    Source,
    /// The TTL stays.
    Hop,
    /// A byte of what an end says is another one.
    Byte,
    /// Acknowledgements of the server are in its own numbers.
    Ack,
    /// So are selective ones.
    Sack,
    /// No room for TOA is made in the MSS.
    Mss,
    /// Servers are not told who the client is.
    Untold,
    /// Servers are told what clients say of themselves.
    Believed,
    /// The number in an ICMP error is the server's.
    Embedded,
    /// A server's FIN is lost, without a reason.
    Swallowed,
    /// A connection gets a port that another one has.
    SharedPort,
    /// A port whose connection began anew is not given back.
    LostPort,
    /// A reset connection still counts as active.
    Active,
    /// What shortens a timeout does not.
    Late,
    /// A connection's time is that of its first packets.
    Early,
    /// What a server has seen of a port is not heeded by the port's next
    /// connection.
    OldNumber,
    /// A new connection shows the timestamps of another client.
    OldStamps,
    /// The scheduler does not remember whose turn it was.
    Turn,
    /// A client comes to any server, whatever its template says.
    Template,
    /// A RST after a silence has the other end's numbers.
    CrossedReset,
    /// Who asks after a reset gets no answer.
    Unanswered,
}

impl Planted {
    /// Each, and what is said by the check that has to find it.
    pub const ALL: [(Self, &'static str); 22] = [
        (Self::Checksum, "the checksum is Wrong"),
        (Self::Source, "source and destination is"),
        (Self::Hop, "the TTL is"),
        (Self::Byte, "the payload is"),
        (Self::Ack, "the acknowledgement is"),
        (Self::Sack, "the options is"),
        (Self::Mss, "the options is"),
        (Self::Untold, "TOA is false"),
        (Self::Believed, "TOA is true"),
        (Self::Embedded, "the embedded number is"),
        (Self::Swallowed, "nothing becomes of the packet"),
        (Self::SharedPort, "both are"),
        (Self::LostPort, "are in use"),
        (Self::Active, "connections, all and active, of"),
        (Self::Late, "in silence"),
        (Self::Early, "expired after"),
        (Self::OldNumber, "ms ago it was at"),
        (Self::OldStamps, "in TIME_WAIT refuses the SYN"),
        (Self::Turn, "rr chose"),
        (Self::Template, "beside"),
        (Self::CrossedReset, "its own packet has number"),
        (Self::Unanswered, "was reset, and is in"),
    ];

    /// Spoils what a packet is to become. `is_reply`: on its way to a client.
    pub(crate) fn spoil<A: Address>(self, plan: &mut Plan<A>, is_reply: bool) {
        match self {
            Self::Source if is_reply => plan.src.port ^= 1,
            Self::Hop => plan.ttl = TtlStep::Keep,
            _ => {}
        }
        let Some(edit) = &mut plan.tcp else { return };
        match self {
            Self::Ack if is_reply => edit.ack_add = 0,
            Self::Sack => edit.sack_add = 0,
            Self::Mss => edit.mss_lower = 0,
            Self::Untold => edit.toa = None,
            Self::Believed => edit.strip = KindSet::EMPTY,
            _ => {}
        }
    }

    /// Spoils what an ICMP error is to become.
    pub(crate) fn spoil_error<A>(self, plan: &mut ErrorPlan<A>) {
        if self == Self::Embedded {
            plan.seq_add = 0;
        }
    }

    /// Spoils a packet that is about to leave: its transport header begins at
    /// `l4`, what is in it at `payload`.
    pub(crate) fn spoil_bytes(self, bytes: &mut [u8], l4: usize, payload: usize) {
        let len = bytes.len();
        match self {
            // TCP's field.
            Self::Checksum if payload >= l4 + 20 => bytes[l4 + 17] ^= 1,
            // Twice the same change of even bytes: the sum stays.
            Self::Byte if len > payload + 2 && bytes[payload] < 0xff && bytes[payload + 2] > 0 => {
                bytes[payload] += 1;
                bytes[payload + 2] -= 1;
            }
            _ => {}
        }
    }
}
