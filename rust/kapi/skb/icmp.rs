// SPDX-License-Identifier: GPL-2.0

//! ICMP errors of this host's own.
//!
//! C header: [`include/net/icmp.h`](srctree/include/net/icmp.h)

use super::Packet;
use crate::bindings;

/// What to tell the sender of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nobody serves that port.
    PortUnreachable,
    /// Too long for the next link, and not to be fragmented.
    FragmentationNeeded {
        /// What passes, in bytes of IP.
        mtu: u32,
    },
    /// It has crossed too many routers.
    TimeExceeded,
}

impl Packet {
    /// Sends `answer` to the packet's sender, as far as this host's limits on
    /// ICMP allow. The packet must still be as it came. Any context.
    pub fn answer(&mut self, answer: Answer) {
        let (kind, code, info) = match answer {
            Answer::PortUnreachable => {
                (bindings::ICMP_DEST_UNREACH, bindings::ICMP_PORT_UNREACH, 0)
            }
            Answer::FragmentationNeeded { mtu } => {
                (bindings::ICMP_DEST_UNREACH, bindings::ICMP_FRAG_NEEDED, mtu)
            }
            Answer::TimeExceeded => (bindings::ICMP_TIME_EXCEEDED, bindings::ICMP_EXC_TTL, 0),
        };
        // SAFETY: Owned by the type invariant, data at the IP header.
        if unsafe { bindings::lvs_ip4_input_route(self.as_ptr()) } == 0 {
            // CAST: Constants of one byte.
            // SAFETY: As above; the packet has a route now.
            unsafe { bindings::lvs_icmp4_send(self.as_ptr(), kind as i32, code as i32, info) };
        }
    }
}
