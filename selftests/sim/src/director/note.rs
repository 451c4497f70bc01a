// SPDX-License-Identifier: GPL-2.0

//! [`Note`]: what a director says that it did.

use crate::inet::End;
use lvs_engine::{
    conn::{Dir, Method, Snapshot},
    drop_reason::DropReason,
    tcp::TcpState,
};

/// How a connection left the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum How {
    Expired,
    /// Another one needed its port.
    Evicted,
    /// A packet started it over.
    Restarted,
}

/// A connection as it begins.
#[derive(Clone, Debug)]
pub(crate) struct Opened {
    pub(crate) serial: u64,
    pub(crate) is_tcp: bool,
    pub(crate) method: Method,
    pub(crate) client: End,
    pub(crate) virt: End,
    pub(crate) local: End,
    pub(crate) real: End,
    pub(crate) dest: usize,
    pub(crate) local_number: Option<usize>,
    pub(crate) has_toa: bool,
    pub(crate) mss_lower: u8,
}

/// What the director did, in the order in which it did it.
pub(crate) enum Note {
    /// A service's scheduler was asked.
    Scheduled {
        service: usize,
        client: End,
        chosen: Option<usize>,
        /// Each server with its weight and its connections, active and others.
        candidates: Vec<(usize, u32, (u32, u32))>,
    },
    Opened(Box<Opened>),
    /// A packet went through the state machine.
    Stepped {
        serial: u64,
        dir: Dir,
        /// The state that it met.
        met: TcpState,
    },
    /// The packet goes on as another one.
    Forwarded {
        serial: u64,
        dir: Dir,
        after: Vec<u8>,
    },
    /// So does the ICMP error, to the client (`Out`) or to the server.
    Translated {
        serial: u64,
        dir: Dir,
        after: Vec<u8>,
    },
    /// A packet of the director's own, for an end of a connection.
    Made {
        serial: u64,
        bytes: Vec<u8>,
    },
    /// Both ends of a connection are reset, and it lingers.
    Lingers {
        serial: u64,
    },
    Dropped {
        reason: DropReason,
    },
    /// The packet is not for the balancer.
    Passed,
    Ended {
        serial: u64,
        how: How,
        snapshot: Snapshot,
    },
}

impl Note {
    /// The connection that it is about.
    pub(crate) fn serial(&self) -> Option<u64> {
        use Note::{Ended, Forwarded, Lingers, Made, Opened, Stepped, Translated};
        match self {
            Opened(opened) => Some(opened.serial),
            Stepped { serial, .. }
            | Forwarded { serial, .. }
            | Translated { serial, .. }
            | Made { serial, .. }
            | Lingers { serial }
            | Ended { serial, .. } => Some(*serial),
            _ => None,
        }
    }

    /// Whether it says what has become of a packet.
    pub(crate) fn is_an_end(&self) -> bool {
        use Note::{Dropped, Forwarded, Made, Passed, Translated};
        matches!(
            self,
            Forwarded { .. } | Translated { .. } | Made { .. } | Dropped { .. } | Passed
        )
    }
}
