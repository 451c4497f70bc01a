// SPDX-License-Identifier: GPL-2.0

//! The family `IPVS` version 1, number for number as Linux 7.3 has it.
//!
//! C header: `include/uapi/linux/ip_vs.h`. Integers are in host order unless
//! a line says otherwise. Never an attribute more than Linux sends: strict
//! clients break on unknown ones; ours are in [`super::lvs`].

/// Name of the family.
pub const NAME: &str = "IPVS";
/// Version of the family.
pub const VERSION: u8 = 1;
/// What `GET_INFO` reports: the version 1.2.1 of IPVS, major to minor byte.
pub const IPVS_VERSION: u32 = 0x01_02_01;
/// Longest name of a scheduler, the ending NUL not counted.
pub const SCHED_NAME_MAX: usize = 15;
/// Longest name of a persistence engine, the ending NUL not counted.
pub const PE_NAME_MAX: usize = 16;
/// Longest name of a network interface, the ending NUL not counted.
pub const IFNAME_MAX: usize = 15;

/// Commands (`IPVS_CMD_*`).
pub mod cmd {
    /// Adds a service; also the command of a service in a reply.
    pub const NEW_SERVICE: u8 = 1;
    /// Edits a service.
    pub const SET_SERVICE: u8 = 2;
    /// Deletes a service.
    pub const DEL_SERVICE: u8 = 3;
    /// Reads one service or dumps all.
    pub const GET_SERVICE: u8 = 4;
    /// Adds a destination; also the command of one in a reply.
    pub const NEW_DEST: u8 = 5;
    /// Edits a destination.
    pub const SET_DEST: u8 = 6;
    /// Deletes a destination.
    pub const DEL_DEST: u8 = 7;
    /// Dumps the destinations of a service.
    pub const GET_DEST: u8 = 8;
    /// Starts a sync daemon; also the command of one in a reply.
    pub const NEW_DAEMON: u8 = 9;
    /// Stops a sync daemon.
    pub const DEL_DAEMON: u8 = 10;
    /// Dumps the sync daemons.
    pub const GET_DAEMON: u8 = 11;
    /// Sets the timeouts; also the command of the reply to `GET_CONFIG`.
    pub const SET_CONFIG: u8 = 12;
    /// Reads the timeouts.
    pub const GET_CONFIG: u8 = 13;
    /// The command of the reply to `GET_INFO`; no request.
    pub const SET_INFO: u8 = 14;
    /// Reads version and table size.
    pub const GET_INFO: u8 = 15;
    /// Zeroes counters.
    pub const ZERO: u8 = 16;
    /// Deletes every service.
    pub const FLUSH: u8 = 17;
}

/// Top-level attributes (`IPVS_CMD_ATTR_*`).
pub mod attr {
    /// Nest of [`super::svc`](mod@super::svc).
    pub const SERVICE: u16 = 1;
    /// Nest of [`super::dest`](mod@super::dest).
    pub const DEST: u16 = 2;
    /// Nest of [`super::daemon`](mod@super::daemon).
    pub const DAEMON: u16 = 3;
    /// `u32`, seconds.
    pub const TIMEOUT_TCP: u16 = 4;
    /// `u32`, seconds.
    pub const TIMEOUT_TCP_FIN: u16 = 5;
    /// `u32`, seconds.
    pub const TIMEOUT_UDP: u16 = 6;
    /// The highest number.
    pub const MAX: u16 = 6;
}

/// Attributes of the reply to `GET_INFO`, at the top level in place of [`attr`].
pub mod info {
    /// `u32`, see [`IPVS_VERSION`](super::IPVS_VERSION).
    pub const VERSION: u16 = 1;
    /// `u32`, buckets of the connection table.
    pub const CONN_TAB_SIZE: u16 = 2;
}

/// Attributes of a service (`IPVS_SVC_ATTR_*`).
pub mod svc {
    /// `u16`: 2 or 10.
    pub const AF: u16 = 1;
    /// `u16`.
    pub const PROTOCOL: u16 = 2;
    /// Binary, 4 or 16 bytes in, 16 bytes out.
    pub const ADDR: u16 = 3;
    /// `u16` in network order.
    pub const PORT: u16 = 4;
    /// `u32`; stands in place of protocol, address and port.
    pub const FWMARK: u16 = 5;
    /// String of at most 15 bytes.
    pub const SCHED_NAME: u16 = 6;
    /// Binary, `u32` flags and `u32` mask: see [`super::svc_flags`].
    pub const FLAGS: u16 = 7;
    /// `u32`, seconds of persistence.
    pub const TIMEOUT: u16 = 8;
    /// `u32`: for IPv4 a mask in network order, for IPv6 a prefix length in host order.
    pub const NETMASK: u16 = 9;
    /// Nest of [`super::stats`], 32 bits but for bytes.
    pub const STATS: u16 = 10;
    /// String of at most 16 bytes.
    pub const PE_NAME: u16 = 11;
    /// Nest of [`super::stats`], all 64 bits.
    pub const STATS64: u16 = 12;
    /// The highest number.
    pub const MAX: u16 = 12;
}

/// Bits of a service's flags (`IP_VS_SVC_F_*`).
pub mod svc_flags {
    /// A client stays with its server.
    pub const PERSISTENT: u32 = 0x0001;
    /// Owned by the kernel: the service is in the table.
    pub const HASHED: u32 = 0x0002;
    /// Each UDP packet is scheduled by itself.
    pub const ONE_PACKET: u32 = 0x0004;
    /// First flag of the scheduler (sh, mh: fallback).
    pub const SCHED1: u32 = 0x0008;
    /// Second flag of the scheduler (sh, mh: port).
    pub const SCHED2: u32 = 0x0010;
    /// Third flag of the scheduler.
    pub const SCHED3: u32 = 0x0020;
}

/// Attributes of a destination (`IPVS_DEST_ATTR_*`).
pub mod dest {
    /// Binary, 4 or 16 bytes in, 16 bytes out.
    pub const ADDR: u16 = 1;
    /// `u16` in network order; 0 is the service's own.
    pub const PORT: u16 = 2;
    /// `u32`, see [`super::fwd`].
    pub const FWD_METHOD: u16 = 3;
    /// `u32`, read as signed.
    pub const WEIGHT: u16 = 4;
    /// `u32`, connections above which it is overloaded; 0 is none.
    pub const U_THRESH: u16 = 5;
    /// `u32`, connections below which it no longer is.
    pub const L_THRESH: u16 = 6;
    /// `u32`.
    pub const ACTIVE_CONNS: u16 = 7;
    /// `u32`.
    pub const INACT_CONNS: u16 = 8;
    /// `u32`.
    pub const PERSIST_CONNS: u16 = 9;
    /// Nest of [`super::stats`], 32 bits but for bytes.
    pub const STATS: u16 = 10;
    /// `u16`; absent or 0 is the service's.
    pub const ADDR_FAMILY: u16 = 11;
    /// Nest of [`super::stats`], all 64 bits.
    pub const STATS64: u16 = 12;
    /// `u8`, see [`super::tun`].
    pub const TUN_TYPE: u16 = 13;
    /// `u16` in network order.
    pub const TUN_PORT: u16 = 14;
    /// `u16`: bit 0 checksum, bit 1 remote checksum.
    pub const TUN_FLAGS: u16 = 15;
    /// The highest number.
    pub const MAX: u16 = 15;
}

/// Forwarding methods (`IP_VS_CONN_F_*` under the mask 7).
pub mod fwd {
    /// NAT; also how a FULLNAT destination reads in this family.
    pub const MASQ: u32 = 0;
    /// The director itself.
    pub const LOCALNODE: u32 = 1;
    /// Wrapped.
    pub const TUNNEL: u32 = 2;
    /// Only the MAC changes.
    pub const DROUTE: u32 = 3;
    /// Past the balancer.
    pub const BYPASS: u32 = 4;
    /// Source and destination change. Alibaba's number, not in Linux; accepted on input.
    pub const FULLNAT: u32 = 5;
    /// The bits that hold the method.
    pub const MASK: u32 = 0x7;
}

/// Types of tunnel (`IP_VS_CONN_F_TUNNEL_TYPE_*`).
pub mod tun {
    /// IP in IP.
    pub const IPIP: u8 = 0;
    /// Generic UDP encapsulation.
    pub const GUE: u8 = 1;
    /// Generic routing encapsulation.
    pub const GRE: u8 = 2;
    /// Flag: the outer header has a checksum.
    pub const CSUM: u16 = 0x1;
    /// Flag: a checksum that is still to be made inside is left to the receiver.
    pub const REMCSUM: u16 = 0x2;
}

/// Attributes of a sync daemon (`IPVS_DAEMON_ATTR_*`).
pub mod daemon {
    /// `u32`: 1 master, 2 backup.
    pub const STATE: u16 = 1;
    /// String of at most 15 bytes.
    pub const MCAST_IFN: u16 = 2;
    /// `u32`, of which the low byte is sent.
    pub const SYNC_ID: u16 = 3;
    /// `u16`.
    pub const SYNC_MAXLEN: u16 = 4;
    /// `u32` in network order.
    pub const MCAST_GROUP: u16 = 5;
    /// Binary, 16 bytes.
    pub const MCAST_GROUP6: u16 = 6;
    /// `u16` in host order.
    pub const MCAST_PORT: u16 = 7;
    /// `u8`.
    pub const MCAST_TTL: u16 = 8;
    /// The highest number.
    pub const MAX: u16 = 8;
}

/// Attributes of statistics (`IPVS_STATS_ATTR_*`).
pub mod stats {
    /// Connections made.
    pub const CONNS: u16 = 1;
    /// Packets towards servers.
    pub const INPKTS: u16 = 2;
    /// Packets towards clients.
    pub const OUTPKTS: u16 = 3;
    /// Bytes towards servers.
    pub const INBYTES: u16 = 4;
    /// Bytes towards clients.
    pub const OUTBYTES: u16 = 5;
    /// Connections a second.
    pub const CPS: u16 = 6;
    /// Packets towards servers a second.
    pub const INPPS: u16 = 7;
    /// Packets towards clients a second.
    pub const OUTPPS: u16 = 8;
    /// Bytes towards servers a second.
    pub const INBPS: u16 = 9;
    /// Bytes towards clients a second.
    pub const OUTBPS: u16 = 10;
    /// Empty, aligns the next 64-bit value.
    pub const PAD: u16 = 11;
    /// The highest number.
    pub const MAX: u16 = 11;
}
