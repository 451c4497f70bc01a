// SPDX-License-Identifier: GPL-2.0

//! ICMP errors of this host's own.
//!
//! C headers: [`include/net/icmp.h`](srctree/include/net/icmp.h),
//! [`include/linux/icmpv6.h`](srctree/include/linux/icmpv6.h)

use super::Packet;
use crate::bindings;
use lvs_wire::addr::Address;

/// What to tell the sender of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nobody serves that port.
    PortUnreachable,
    /// Too long for the next link, and not to be fragmented.
    TooBig {
        /// What passes, in bytes of IP.
        mtu: u32,
    },
    /// It has crossed too many routers.
    TimeExceeded,
}

impl Packet {
    /// Sends `answer` to the packet's sender, as far as this host's limits on
    /// ICMP allow. The packet must still be as it came, of family `A`. Any
    /// context.
    pub fn answer<A: Address>(&mut self, answer: Answer) {
        let (answer, info) = match answer {
            Answer::PortUnreachable => (bindings::lvs_answer_LVS_ANSWER_PORT_UNREACHABLE, 0),
            Answer::TooBig { mtu } => (bindings::lvs_answer_LVS_ANSWER_TOO_BIG, mtu),
            Answer::TimeExceeded => (bindings::lvs_answer_LVS_ANSWER_TIME_EXCEEDED, 0),
        };
        // SAFETY: Owned by the type invariant, data at the IP header.
        unsafe { bindings::lvs_skb_answer(self.as_ptr(), A::FAMILY.af(), answer, info) };
    }
}
