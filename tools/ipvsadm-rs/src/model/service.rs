// SPDX-License-Identifier: GPL-2.0

//! Virtual services: what names one, and what one is made of.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use lvs_wire::netlink::ipvs::svc_flags;

use super::stats::Stats;

/// Address family of a service, as the kernel numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Family {
    /// `AF_INET`
    V4,
    /// `AF_INET6`
    V6,
}

impl Family {
    /// The number used in netlink attributes.
    pub(crate) fn number(self) -> u16 {
        match self {
            Self::V4 => 2,
            Self::V6 => 10,
        }
    }

    /// The family of a netlink number, if it is one of the two.
    pub(crate) fn from_number(number: u16) -> Option<Self> {
        match number {
            2 => Some(Self::V4),
            10 => Some(Self::V6),
            _ => None,
        }
    }

    /// The family an address is of.
    pub(crate) fn of(addr: IpAddr) -> Self {
        match addr {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// The all-zero address of this family.
    pub(crate) fn any(self) -> IpAddr {
        match self {
            Self::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            Self::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        }
    }
}

/// IP protocol number of a service or connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Protocol(pub(crate) u16);

impl Protocol {
    /// `IPPROTO_TCP`
    pub(crate) const TCP: Self = Self(6);
    /// `IPPROTO_UDP`
    pub(crate) const UDP: Self = Self(17);
    /// `IPPROTO_SCTP`
    pub(crate) const SCTP: Self = Self(132);

    /// The name in stock's tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::TCP => "TCP",
            Self::UDP => "UDP",
            Self::SCTP => "SCTP",
            _ => "?",
        }
    }

    /// The option that names a service of this protocol on the command line.
    pub(crate) fn switch(self) -> &'static str {
        match self {
            Self::TCP => "-t",
            Self::UDP => "-u",
            Self::SCTP => "--sctp-service",
            _ => "--xxx-service",
        }
    }

    /// The protocol a table or /proc calls `name`; 0 (any) for others, as stock has it.
    pub(crate) fn from_name(name: &str) -> Self {
        match name {
            "TCP" => Self::TCP,
            "UDP" => Self::UDP,
            "SCTP" => Self::SCTP,
            _ => Self(0),
        }
    }
}

/// What tells one service from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ServiceKey {
    /// A protocol, address and port.
    Address {
        /// TCP, UDP or SCTP.
        protocol: Protocol,
        /// The virtual address.
        addr: IpAddr,
        /// The virtual port; 0 is any port.
        port: u16,
    },
    /// A firewall mark.
    Mark {
        /// The mark, not zero.
        mark: u32,
        /// Whose packets: IPv4's or IPv6's.
        family: Family,
    },
}

impl ServiceKey {
    /// The family of the service's packets.
    pub(crate) fn family(&self) -> Family {
        match self {
            Self::Address { addr, .. } => Family::of(*addr),
            Self::Mark { family, .. } => *family,
        }
    }

    /// The port that a destination without one inherits.
    pub(crate) fn port(&self) -> u16 {
        match self {
            Self::Address { port, .. } => *port,
            Self::Mark { .. } => 0,
        }
    }

    /// The protocol that port names are looked up for.
    pub(crate) fn protocol(&self) -> Protocol {
        match self {
            Self::Address { protocol, .. } => *protocol,
            Self::Mark { .. } => Protocol(0),
        }
    }
}

/// Which client addresses share a persistence template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mask {
    /// A dotted mask.
    V4(Ipv4Addr),
    /// A prefix length.
    V6(u32),
}

impl Mask {
    /// The mask that keeps every address apart.
    pub(crate) fn full(family: Family) -> Self {
        match family {
            Family::V4 => Self::V4(Ipv4Addr::BROADCAST),
            Family::V6 => Self::V6(128),
        }
    }
}

/// All the scheduler's flags.
pub(crate) const SCHED_FLAGS: u32 = svc_flags::SCHED1 | svc_flags::SCHED2 | svc_flags::SCHED3;

/// What `-A` and `-E` set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Scheduler's name, at most 15 bytes.
    pub(crate) scheduler: String,
    /// Bits of [`svc_flags`].
    pub(crate) flags: u32,
    /// Persistence timeout in seconds.
    pub(crate) timeout: u32,
    /// Persistence granularity.
    pub(crate) mask: Mask,
    /// Persistence engine, if one is set.
    pub(crate) engine: Option<String>,
}

/// A service as the kernel lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Service {
    /// What names it.
    pub(crate) key: ServiceKey,
    /// What was configured.
    pub(crate) settings: Settings,
    /// Its counters.
    pub(crate) stats: Stats,
    /// What only the `LVS` family tells; absent with stock ip_vs.
    pub(crate) extra: Option<Extra>,
}

/// What the `LVS` family adds to a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extra {
    /// NAT destinations stay NAT although there are local addresses.
    pub(crate) masq_only: bool,
    /// How many local addresses the service has of its own.
    pub(crate) local_addresses: u32,
}
