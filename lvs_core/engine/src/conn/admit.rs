// SPDX-License-Identifier: GPL-2.0

//! Whether a packet belongs to the connection it was found for, or starts a
//! new one with the same ports.

use super::snapshot::{CLIENT_RESET, REPLIED};
use super::{Address, Conn, Dir, Method, Protocol, Segment, Snapshot};
use crate::drop_reason::DropReason;
use crate::tcp::TcpState;

/// What is known of the connection's destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DestStatus {
    /// It still belongs to its service.
    pub available: bool,
    /// Its weight; 0 means that it gets no new connections.
    pub weight: u32,
}

/// The settings that decide about reuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReusePolicy {
    /// sysctl `conn_reuse_mode`: 0 never reschedules (NAT only), any other does for TIME_WAIT and CLOSE.
    pub conn_reuse_mode: u32,
    /// sysctl `fullnat_conn_reused_entry`: a SYN with a number of its own starts a closed FULLNAT connection over,
    /// whatever the mode says.
    pub fullnat_conn_reused: bool,
    /// sysctl `expire_nodest_conn`: connections of a removed destination end at once.
    pub expire_nodest_conn: bool,
}

impl ReusePolicy {
    /// What a namespace starts with.
    pub const DEFAULT: Self = Self {
        conn_reuse_mode: 1,
        fullnat_conn_reused: true,
        expire_nodest_conn: false,
    };
}

/// What to do with a packet that matched a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It belongs to the connection.
    Continue,
    /// End this connection now and treat the packet as if there had been none.
    Reschedule,
    /// Drop the packet and leave the connection and its deadline alone.
    Drop(DropReason),
}

impl<C: Address, S: Address> Conn<C, S> {
    /// Decides about a packet from the client, before [`Conn::step`].
    ///
    /// The rules and their order are IPVS's, plus those for FULLNAT: since its
    /// sequence numbers are shifted by a constant of the connection, a client
    /// that starts over gets a new connection, whatever `conn_reuse_mode` says,
    /// unless `fullnat_conn_reused` is off.
    /// A retransmitted SYN never does.
    #[inline]
    #[must_use]
    pub fn admit(
        &self,
        snap: Snapshot,
        segment: &Segment,
        dest: DestStatus,
        policy: ReusePolicy,
    ) -> Admission {
        if matches!(segment.dir, Dir::Out) {
            return Admission::Continue;
        }
        if segment.flags.syn() && self.starts_over(snap, segment, dest, policy) {
            return Admission::Reschedule;
        }
        match (dest.available, policy.expire_nodest_conn) {
            (true, _) => Admission::Continue,
            (false, true) => Admission::Reschedule,
            (false, false) => Admission::Drop(DropReason::DestinationGone),
        }
    }

    fn starts_over(
        &self,
        snap: Snapshot,
        segment: &Segment,
        dest: DestStatus,
        policy: ReusePolicy,
    ) -> bool {
        if !matches!(self.protocol, Protocol::Tcp) {
            return false;
        }
        if policy.expire_nodest_conn && dest.weight == 0 {
            return true;
        }
        let tcp = snap.state.tcp();
        let one_way = !self.method.sees_replies() && !snap.state.has(REPLIED);
        let by_mode = policy.conn_reuse_mode != 0
            && (tcp.is_over()
                || (policy.conn_reuse_mode & 2 != 0
                    && matches!(tcp, TcpState::FinWait)
                    && one_way));
        let fullnat = policy.fullnat_conn_reused && matches!(self.method, Method::Fullnat);
        by_mode || (fullnat && self.opens_anew(snap, segment))
    }

    /// A SYN with a number of its own, in a state that nothing is lost in.
    fn opens_anew(&self, snap: Snapshot, segment: &Segment) -> bool {
        if !segment.flags.opens() || segment.seq == self.client_isn {
            return false;
        }
        match snap.state.tcp() {
            TcpState::TimeWait | TcpState::Close | TcpState::FinWait => true,
            // A handshake that the client gave up, or that the server never
            // answered. Any other one is left alone: the SYN may be forged.
            TcpState::SynRecv | TcpState::SynAck => {
                snap.state.has(CLIENT_RESET) || !snap.state.has(REPLIED)
            }
            _ => false,
        }
    }
}
