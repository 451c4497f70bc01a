// SPDX-License-Identifier: GPL-2.0

//! Destinations: the real servers of a service.

use std::net::IpAddr;

use lvs_wire::netlink::ipvs::fwd;

use super::stats::Stats;

/// Forwarding method, as the kernel numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Method(pub(crate) u32);

impl Method {
    /// NAT.
    pub(crate) const MASQ: Self = Self(fwd::MASQ);
    /// The director itself.
    pub(crate) const LOCAL: Self = Self(fwd::LOCALNODE);
    /// Tunnelling.
    pub(crate) const TUNNEL: Self = Self(fwd::TUNNEL);
    /// Direct routing.
    pub(crate) const ROUTE: Self = Self(fwd::DROUTE);
    /// Of connections alone: no server can be given it.
    pub(crate) const BYPASS: Self = Self(fwd::BYPASS);
    /// NAT of both addresses.
    pub(crate) const FULLNAT: Self = Self(fwd::FULLNAT);

    /// The bits of a netlink value that are the method.
    pub(crate) fn from_flags(flags: u32) -> Self {
        Self(flags & fwd::MASK)
    }

    /// The name in stock's `Forward` column.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::MASQ => "Masq",
            Self::LOCAL => "Local",
            Self::TUNNEL => "Tunnel",
            Self::ROUTE => "Route",
            Self::BYPASS => "Bypass",
            Self::FULLNAT => "FullNat",
            _ => "?",
        }
    }

    /// The option that sets the method in a rules file.
    pub(crate) fn switch(self) -> &'static str {
        match self {
            Self::TUNNEL => "-i",
            Self::LOCAL | Self::ROUTE => "-g",
            Self::FULLNAT => "--fullnat",
            _ => "-m",
        }
    }
}

/// How packets are wrapped for a tunnelled destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tunnel {
    /// 0 ipip, 1 gue, 2 gre.
    pub(crate) kind: u8,
    /// UDP port of gue; 0 otherwise.
    pub(crate) port: u16,
    /// 0 none, bit 0 checksum, bit 1 remote checksum.
    pub(crate) flags: u16,
}

impl Tunnel {
    /// The kind's name on the command line.
    pub(crate) fn kind_name(&self) -> Option<&'static str> {
        match self.kind {
            0 => Some("ipip"),
            1 => Some("gue"),
            2 => Some("gre"),
            _ => None,
        }
    }

    /// The option that sets the checksum flags.
    pub(crate) fn flags_switch(&self) -> &'static str {
        match self.flags {
            1 => "--tun-csum",
            2 => "--tun-remcsum",
            _ => "--tun-nocsum",
        }
    }

    /// The flags in the `TunnelInfo` column.
    pub(crate) fn flags_mark(&self) -> &'static str {
        match self.flags {
            1 => "+c",
            2 => "r+c",
            _ => "-c",
        }
    }
}

/// What tells one destination of a service from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DestKey {
    /// The server's address.
    pub(crate) addr: IpAddr,
    /// The server's port; 0 is the port the client asked for.
    pub(crate) port: u16,
}

/// What `-a` and `-e` set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DestSettings {
    /// How packets reach the server.
    pub(crate) method: Method,
    /// Share of the connections; 0 takes no new ones.
    pub(crate) weight: i32,
    /// No new connections above this many; 0 is no limit.
    pub(crate) upper: u32,
    /// New connections again below this many.
    pub(crate) lower: u32,
    /// Wrapping, for tunnelling.
    pub(crate) tunnel: Tunnel,
}

/// A destination as the kernel lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dest {
    /// What names it.
    pub(crate) key: DestKey,
    /// What was configured, as the `IPVS` family tells it.
    pub(crate) settings: DestSettings,
    /// Established connections.
    pub(crate) active: u32,
    /// Other connections.
    pub(crate) inactive: u32,
    /// Persistence templates.
    pub(crate) persistent: u32,
    /// Counters.
    pub(crate) stats: Stats,
    /// What only the `LVS` family tells; absent with stock ip_vs.
    pub(crate) methods: Option<Methods>,
}

impl Dest {
    /// The method that new connections get.
    pub(crate) fn method_in_effect(&self) -> Method {
        self.methods.map_or(self.settings.method, |m| m.effective)
    }

    /// The method that a rules file must set again.
    pub(crate) fn method_configured(&self) -> Method {
        self.methods.map_or(self.settings.method, |m| m.configured)
    }
}

/// The methods of a destination, as the `LVS` family tells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Methods {
    /// What new connections get.
    pub(crate) effective: Method,
    /// What was asked for.
    pub(crate) configured: Method,
}
