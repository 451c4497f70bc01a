// SPDX-License-Identifier: GPL-2.0

//! What a packet of a connection is to become.
//!
//! ```text
//!        client ─► virt      local ─► real      client ◄─ virt      local ◄─ real
//! in:    seq                 seq + delta
//!        ack                 ack
//!                            TOA until the server has answered, never the
//!                            client's own
//! out:                                          seq                 seq
//!                                               ack, SACK - delta   ack, SACK
//!                                               MSS lowered on the SYN-ACK
//! ```
//!
//! Where client and server are of different families, `lvs_wire`'s translation
//! carries the plan out. It knows by itself what another IP header means for a
//! length or an MTU; what it is told here is what a client may send at once.

use lvs_wire::addr::Family;
use lvs_wire::ip::TtlStep;
use lvs_wire::kinds::KindSet;
use lvs_wire::options::kind;
use lvs_wire::rewrite::icmp::ErrorPlan;
use lvs_wire::rewrite::translate::MAX_MSS;
use lvs_wire::rewrite::{Plan, TcpEdit};
use lvs_wire::toa::Toa;

use super::{Address, Conn, Method, Protocol, Segment, Snapshot};
use crate::tcp::{Flags, TcpState};

/// Which TCP option kinds mean TOA in a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToaKinds {
    /// The kind that tells a v4 client.
    pub v4: u8,
    /// The kind that tells a v6 client.
    pub v6: u8,
    /// The kinds that servers believe: a client's own options of these are removed.
    pub strip: KindSet,
}

impl ToaKinds {
    /// Kind 254 for both families.
    pub const DEFAULT: Self = Self {
        v4: kind::EXPERIMENT_2,
        v6: kind::EXPERIMENT_2,
        strip: KindSet::TOA,
    };
}

impl<C: Address, S: Address> Conn<C, S> {
    /// What a packet from the client becomes in the state `snap` that it met:
    /// what [`Conn::step`] made of the packets before it.
    #[inline]
    #[must_use]
    pub fn plan_in(&self, snap: Snapshot, segment: &Segment, kinds: &ToaKinds) -> Plan<S> {
        Plan {
            src: self.local,
            dst: self.real,
            ttl: TtlStep::Decrement,
            tcp: self.edit_in(snap, segment, kinds).filter(changes),
        }
    }

    /// What a packet from the server becomes.
    #[inline]
    #[must_use]
    pub fn plan_out(&self, flags: Flags) -> Plan<C> {
        Plan {
            src: self.virt,
            dst: self.client,
            ttl: TtlStep::Decrement,
            tcp: self.edit_out(flags).filter(changes),
        }
    }

    /// What an ICMP error about a packet *to the server* becomes on its way to the client.
    ///
    /// It seems to come from the virtual service: the client knows none of the
    /// routers and servers behind it. While the TOA option is inserted the
    /// client must leave room for it. Of what another family's IP header is
    /// longer or shorter nothing is said: the translation counts it.
    #[inline]
    #[must_use]
    pub fn icmp_to_client(&self, snap: Snapshot) -> ErrorPlan<C> {
        ErrorPlan {
            src: self.virt.addr,
            dst: self.client.addr,
            ttl: TtlStep::Decrement,
            embedded_src: self.client,
            embedded_dst: self.virt,
            seq_add: self.isn_delta.wrapping_neg(),
            ack_add: 0,
            mtu_lower: if self.inserts_toa(snap) {
                u16::from(Self::TOA_LEN)
            } else {
                0
            },
        }
    }

    /// What an ICMP error about a packet *to the client* becomes on its way to the server.
    ///
    /// With FULLNAT it seems to come from the local address, since the server
    /// may have no route to anyone else; with NAT `reporter`, who sent it, stays.
    #[inline]
    #[must_use]
    pub fn icmp_to_server(&self, reporter: S) -> ErrorPlan<S> {
        ErrorPlan {
            src: match self.method {
                Method::Fullnat => self.local.addr,
                _ => reporter,
            },
            dst: self.real.addr,
            ttl: TtlStep::Decrement,
            embedded_src: self.real,
            embedded_dst: self.local,
            seq_add: 0,
            ack_add: self.isn_delta,
            mtu_lower: 0,
        }
    }

    /// Who says who a client is, is us: whatever the method, and as long as the
    /// connection lives, no client's own option passes. A server may begin anew
    /// at any time without a word: one that has forgotten takes a SYN, and with
    /// SYN cookies it takes a handshake's last segment alone.
    #[inline]
    fn edit_in(&self, snap: Snapshot, segment: &Segment, kinds: &ToaKinds) -> Option<TcpEdit> {
        if !matches!(self.protocol, Protocol::Tcp) {
            return None;
        }
        let mut edit = TcpEdit {
            seq_add: self.isn_delta,
            ..TcpEdit::default()
        };
        let flags = segment.flags;
        let knows = snap.state.server_answered() && self.is_past_handshake(snap, segment);
        // By far the most frequent case ends here.
        if knows && !segment.rare_options {
            return Some(edit);
        }
        edit.strip = kinds.strip;
        if self.has_toa() && !flags.rst() && !knows {
            edit.toa = Some(Toa::from(self.client));
            edit.toa_kind = match C::LEN {
                4 => kinds.v4,
                _ => kinds.v6,
            };
        }
        edit.strip_timestamps = self.strips_timestamps() && flags.syn();
        edit.strip_fast_open = self.strips_fast_open() && flags.syn();
        Some(edit)
    }

    /// Whether no server takes the segment for one of a handshake: it is no SYN,
    /// and both ends go on talking, or the client has said more before it. After
    /// a reset nobody honest says anything.
    #[inline]
    fn is_past_handshake(&self, snap: Snapshot, segment: &Segment) -> bool {
        if segment.flags.syn() {
            return false;
        }
        let first = self.client_isn.wrapping_add(1);
        snap.state.is_steady()
            || (segment.seq != first && !matches!(snap.state.tcp(), TcpState::Close))
    }

    #[inline]
    fn edit_out(&self, flags: Flags) -> Option<TcpEdit> {
        if !matches!(self.protocol, Protocol::Tcp) {
            return None;
        }
        let back = self.isn_delta.wrapping_neg();
        let mut edit = TcpEdit {
            ack_add: back,
            sack_add: back,
            ..TcpEdit::default()
        };
        if flags.syn() {
            edit.mss_lower = u16::from(self.mss_lower);
            edit.mss_cap = Self::mss_cap(edit.mss_lower);
        }
        Some(edit)
    }

    /// The most that a server's MSS may be before it is lowered by `lower`. An
    /// IPv4 server does not count the longer header on the client's side.
    #[inline]
    fn mss_cap(lower: u16) -> Option<u16> {
        match (C::FAMILY, S::FAMILY) {
            (Family::V6, Family::V4) => Some(MAX_MSS.saturating_add(lower)),
            _ => None,
        }
    }
}

/// Whether an edit is one.
#[inline]
fn changes(edit: &TcpEdit) -> bool {
    edit.seq_add != 0 || edit.ack_add != 0 || edit.sack_add != 0 || edit.changes_options()
}
