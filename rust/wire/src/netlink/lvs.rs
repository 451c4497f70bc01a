// SPDX-License-Identifier: GPL-2.0

//! The family `LVS` version 1: what the family `IPVS` has no room for.
//!
//! Described in `Documentation/netlink/specs/lvs.yaml`. Integers are in host
//! order unless a line says otherwise. Replies carry the command of the
//! request. Writing (`SET_SERVICE`, `NEW_LADDR`, `DEL_LADDR`) needs
//! CAP_NET_ADMIN in the user namespace that owns the network namespace,
//! `REPLACE` in the initial one, since it makes services.

/// Name of the family.
pub const NAME: &str = "LVS";
/// Version of the family.
pub const VERSION: u8 = 1;

/// Commands.
pub mod cmd {
    /// Reads version, table size and totals.
    pub const GET_INFO: u8 = 1;
    /// Reads one service or dumps all.
    pub const GET_SERVICE: u8 = 2;
    /// Sets the flags of a service.
    pub const SET_SERVICE: u8 = 3;
    /// Dumps the destinations of a service.
    pub const GET_DEST: u8 = 4;
    /// Adds a local address to a service or to the default pool.
    pub const NEW_LADDR: u8 = 5;
    /// Removes a local address; its connections finish.
    pub const DEL_LADDR: u8 = 6;
    /// Dumps local addresses.
    pub const GET_LADDR: u8 = 7;
    /// Dumps connections that match a filter.
    pub const GET_CONN: u8 = 8;
    /// Reads the drop counters.
    pub const GET_DROPS: u8 = 9;
    /// Counts of what happened to packets that were not dropped (do); a reply
    /// like that of [`GET_DROPS`].
    pub const GET_EVENTS: u8 = 10;
    /// Puts the services, destinations and local addresses of all rules in
    /// place of those that there are, at once or, when one is refused, not at all.
    pub const REPLACE: u8 = 11;
}

/// Top-level attributes, all nests.
pub mod attr {
    /// [`super::svc`](mod@super::svc)
    pub const SERVICE: u16 = 1;
    /// [`super::dest`](mod@super::dest)
    pub const DEST: u16 = 2;
    /// [`super::laddr`](mod@super::laddr)
    pub const LADDR: u16 = 3;
    /// [`super::conn`](mod@super::conn)
    pub const CONN: u16 = 4;
    /// [`super::drop`](mod@super::drop), repeated
    pub const DROP: u16 = 5;
    /// [`super::info`](mod@super::info)
    pub const INFO: u16 = 6;
    /// [`super::conn`](mod@super::conn), numbers 1 and 3 to 11: all given must match
    pub const FILTER: u16 = 7;
    /// [`super::rule`](mod@super::rule), repeated
    pub const RULE: u16 = 8;
    /// The highest number.
    pub const MAX: u16 = 8;
}

/// Attributes of a rule of `REPLACE`. It adds a service, which `SERVICE` then is
/// all of; or, with `DEST` or `LADDR`, something to the service that `SERVICE`
/// names; or, with `LADDR` alone, to the default pool.
pub mod rule {
    /// [`ipvs::svc`](mod@super::super::ipvs::svc)
    pub const SERVICE: u16 = 1;
    /// [`ipvs::dest`](mod@super::super::ipvs::dest); its service comes before it.
    pub const DEST: u16 = 2;
    /// [`super::laddr`](mod@super::laddr)
    pub const LADDR: u16 = 3;
    /// `u32`, see [`super::svc_flags`]; of a service that is added, none if absent.
    pub const FLAGS: u16 = 4;
    /// The highest number.
    pub const MAX: u16 = 4;
}

/// Attributes of the reply to `GET_INFO`.
pub mod info {
    /// String.
    pub const VERSION: u16 = 1;
    /// `u32`, buckets of the connection table.
    pub const CONN_TAB_SIZE: u16 = 2;
    /// `u32`, live connections.
    pub const CONNS: u16 = 3;
    /// `u32`.
    pub const SERVICES: u16 = 4;
    /// `u32`, local addresses of the default pool.
    pub const DEFAULT_LADDRS: u16 = 5;
    /// The highest number.
    pub const MAX: u16 = 5;
}

/// Attributes of a service; it is named by `AF` and either `FWMARK` or `PROTOCOL`, `ADDR` and `PORT`.
pub mod svc {
    /// `u16`: 2 or 10.
    pub const AF: u16 = 1;
    /// `u16`.
    pub const PROTOCOL: u16 = 2;
    /// Binary, 4 or 16 bytes.
    pub const ADDR: u16 = 3;
    /// `u16` in network order.
    pub const PORT: u16 = 4;
    /// `u32`.
    pub const FWMARK: u16 = 5;
    /// `u32`, see [`super::svc_flags`].
    pub const FLAGS: u16 = 6;
    /// `u32`, number of local addresses, in replies.
    pub const LADDRS: u16 = 7;
    /// String, in replies.
    pub const SCHED: u16 = 8;
    /// The highest number.
    pub const MAX: u16 = 8;
}

/// Bits of a service's flags.
pub mod svc_flags {
    /// NAT destinations stay NAT though there are local addresses.
    pub const MASQ_ONLY: u32 = 0x1;
    /// Every bit that exists.
    pub const ALL: u32 = 0x1;
}

/// Attributes of a destination.
pub mod dest {
    /// `u16`: 2 or 10.
    pub const AF: u16 = 1;
    /// Binary, 4 or 16 bytes.
    pub const ADDR: u16 = 2;
    /// `u16` in network order.
    pub const PORT: u16 = 3;
    /// `u32`, in effect: see [`ipvs::fwd`](super::super::ipvs::fwd).
    pub const METHOD: u16 = 4;
    /// `u32`, as it was configured.
    pub const CONFIGURED: u16 = 5;
    /// `u32`, read as signed.
    pub const WEIGHT: u16 = 6;
    /// `u32`, active connections.
    pub const ACTIVE: u16 = 7;
    /// `u32`, inactive connections.
    pub const INACTIVE: u16 = 8;
    /// Nest of [`ipvs::stats`](super::super::ipvs::stats), all `u64`.
    pub const STATS: u16 = 9;
    /// The highest number.
    pub const MAX: u16 = 9;
}

/// Attributes of a local address. Without a service beside it: the default pool's.
pub mod laddr {
    /// `u16`: 2 or 10.
    pub const AF: u16 = 1;
    /// Binary, 4 or 16 bytes.
    pub const ADDR: u16 = 2;
    /// `u32`, live connections.
    pub const CONNS: u16 = 3;
    /// `u32`, ports that one server's port may be reached from.
    pub const PORTS: u16 = 4;
    /// `u64`, times that no port was free.
    pub const EXHAUSTED: u16 = 5;
    /// `u8`: removed, and waiting for its connections to end.
    pub const DRAINING: u16 = 6;
    /// Nest of [`ipvs::stats`](super::super::ipvs::stats), all `u64`.
    pub const STATS: u16 = 7;
    /// `u32`, see [`super::laddr_flags`].
    pub const FLAGS: u16 = 8;
    /// The highest number.
    pub const MAX: u16 = 8;
}

/// Bits of a local address's flags.
pub mod laddr_flags {
    /// The host itself leaves the address alone, so that every port from 1024 on may be used.
    pub const DEDICATED: u32 = 0x1;
    /// Every bit that exists.
    pub const ALL: u32 = 0x1;
}

/// Attributes of a connection, and of the filter over connections.
pub mod conn {
    /// `u16`.
    pub const PROTOCOL: u16 = 1;
    /// `u16`, family of client and virtual service.
    pub const CAF: u16 = 2;
    /// Binary, the client's address.
    pub const CADDR: u16 = 3;
    /// `u16` in network order.
    pub const CPORT: u16 = 4;
    /// Binary, the virtual service's address.
    pub const VADDR: u16 = 5;
    /// `u16` in network order.
    pub const VPORT: u16 = 6;
    /// `u16`, family of local address and destination.
    pub const LAF: u16 = 7;
    /// Binary, the local address.
    pub const LADDR: u16 = 8;
    /// `u16` in network order.
    pub const LPORT: u16 = 9;
    /// Binary, the destination's address.
    pub const DADDR: u16 = 10;
    /// `u16` in network order.
    pub const DPORT: u16 = 11;
    /// String.
    pub const STATE: u16 = 12;
    /// `u32`, seconds.
    pub const EXPIRES: u16 = 13;
    /// `u32`, see [`ipvs::fwd`](super::super::ipvs::fwd).
    pub const METHOD: u16 = 14;
    /// `u32`, see [`super::conn_flags`].
    pub const FLAGS: u16 = 15;
    /// The highest number.
    pub const MAX: u16 = 15;
}

/// Bits of a connection's flags.
pub mod conn_flags {
    /// The client's address is being inserted.
    pub const TOA: u32 = 0x1;
    /// The server has acknowledged data of the client.
    pub const ACKNOWLEDGED: u32 = 0x2;
    /// Counted as inactive.
    pub const INACTIVE: u32 = 0x4;
}

/// Attributes of one drop counter.
pub mod drop {
    /// `u32`.
    pub const ID: u16 = 1;
    /// String, one word.
    pub const NAME: u16 = 2;
    /// String, what to do about it.
    pub const HINT: u16 = 3;
    /// `u64`.
    pub const COUNT: u16 = 4;
    /// The highest number.
    pub const MAX: u16 = 4;
}
