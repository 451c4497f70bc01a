// SPDX-License-Identifier: GPL-2.0

//! [`Tunnel`]: how packets to a destination are wrapped, and what that costs of
//! the MTU.

use lvs_wire::addr::Family;
use lvs_wire::netlink::ipvs::tun;

use crate::config::ConfigError;

/// What a packet to a server is wrapped in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tunnel {
    /// An IP header (RFC 2003, RFC 2473).
    #[default]
    Ipip,
    /// UDP and GUE headers (draft-ietf-intarea-gue).
    Gue {
        /// The server's UDP port, not 0.
        port: u16,
        /// What the outer checksum covers.
        checksum: GueChecksum,
    },
    /// A GRE header (RFC 2784).
    Gre {
        /// With the optional checksum.
        checksum: bool,
    },
}

/// The outer checksum of a GUE tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GueChecksum {
    /// None.
    #[default]
    None,
    /// The whole datagram.
    Full,
    /// The whole datagram; a checksum that the packet inside still lacks is
    /// left to the receiver (remote checksum offload).
    Remote,
}

impl Tunnel {
    /// What a request asks for; `port` in host order.
    ///
    /// # Errors
    ///
    /// [`ConfigError::TunnelPort`], [`ConfigError::TunnelType`], [`ConfigError::TunnelFlags`].
    ///
    /// ```
    /// # use lvs_engine::{config::ConfigError, tunnel::{GueChecksum, Tunnel}};
    /// assert_eq!(Tunnel::new(0, 0, 0), Ok(Tunnel::Ipip));
    /// let checksum = GueChecksum::Full;
    /// assert_eq!(Tunnel::new(1, 6080, 1), Ok(Tunnel::Gue { port: 6080, checksum }));
    /// assert_eq!(Tunnel::new(1, 0, 1), Err(ConfigError::TunnelPort));
    /// assert_eq!(Tunnel::new(2, 0, 2), Err(ConfigError::TunnelFlags));
    /// ```
    pub const fn new(kind: u8, port: u16, flags: u16) -> Result<Self, ConfigError> {
        match (kind, flags) {
            (tun::IPIP, 0) => Ok(Self::Ipip),
            (tun::GUE, _) if port == 0 => Err(ConfigError::TunnelPort),
            (tun::GUE, 0) => Ok(gue(port, GueChecksum::None)),
            (tun::GUE, tun::CSUM) => Ok(gue(port, GueChecksum::Full)),
            (tun::GUE, tun::REMCSUM) => Ok(gue(port, GueChecksum::Remote)),
            (tun::GRE, 0) => Ok(Self::Gre { checksum: false }),
            (tun::GRE, tun::CSUM) => Ok(Self::Gre { checksum: true }),
            (tun::IPIP | tun::GUE | tun::GRE, _) => Err(ConfigError::TunnelFlags),
            _ => Err(ConfigError::TunnelType),
        }
    }

    /// The type in netlink messages.
    #[must_use]
    pub const fn kind(self) -> u8 {
        match self {
            Self::Ipip => tun::IPIP,
            Self::Gue { .. } => tun::GUE,
            Self::Gre { .. } => tun::GRE,
        }
    }

    /// The port in netlink messages, 0 where there is none.
    #[must_use]
    pub const fn port(self) -> u16 {
        match self {
            Self::Gue { port, .. } => port,
            _ => 0,
        }
    }

    /// The flags in netlink messages.
    #[must_use]
    pub const fn flags(self) -> u16 {
        match self {
            Self::Gue {
                checksum: GueChecksum::Full,
                ..
            }
            | Self::Gre { checksum: true } => tun::CSUM,
            Self::Gue {
                checksum: GueChecksum::Remote,
                ..
            } => tun::REMCSUM,
            _ => 0,
        }
    }

    /// Bytes that wrapping adds at most, the outer IP header of `outer` included.
    ///
    /// ```
    /// # use lvs_engine::tunnel::{GueChecksum, Tunnel};
    /// # use lvs_wire::addr::Family;
    /// assert_eq!(Tunnel::Ipip.overhead(Family::V4), 20);
    /// assert_eq!(Tunnel::Gre { checksum: true }.overhead(Family::V6), 48);
    /// let checksum = GueChecksum::Remote;
    /// assert_eq!(Tunnel::Gue { port: 6080, checksum }.overhead(Family::V4), 20 + 8 + 4 + 8);
    /// ```
    #[must_use]
    pub const fn overhead(self, outer: Family) -> u32 {
        let header: u32 = match outer {
            Family::V4 => 20,
            Family::V6 => 40,
        };
        header.saturating_add(match self {
            Self::Ipip => 0,
            // UDP, GUE, and the private flags and option of remote checksums.
            Self::Gue {
                checksum: GueChecksum::Remote,
                ..
            } => 8 + 4 + 8,
            Self::Gue { .. } => 8 + 4,
            Self::Gre { checksum: false } => 4,
            Self::Gre { checksum: true } => 8,
        })
    }

    /// Whether the outer headers can say how long they and a packet of `len`
    /// bytes are.
    ///
    /// ```
    /// # use lvs_engine::tunnel::Tunnel;
    /// # use lvs_wire::addr::Family;
    /// assert!(Tunnel::Ipip.holds(Family::V4, 65_515));
    /// assert!(!Tunnel::Ipip.holds(Family::V4, 65_516));
    /// ```
    #[must_use]
    pub const fn holds(self, outer: Family, len: u32) -> bool {
        let most = match outer {
            Family::V4 => 65_535,
            // It does not count its own header.
            Family::V6 => 40 + 65_535,
        };
        len.saturating_add(self.overhead(outer)) <= most
    }
}

const fn gue(port: u16, checksum: GueChecksum) -> Tunnel {
    Tunnel::Gue { port, checksum }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_shown() {
        for kind in 0..=2 {
            for flags in 0..=2 {
                if let Ok(tunnel) = Tunnel::new(kind, 6080, flags) {
                    let port = if kind == tun::GUE { 6080 } else { 0 };
                    assert_eq!(
                        (tunnel.kind(), tunnel.port(), tunnel.flags()),
                        (kind, port, flags)
                    );
                }
            }
        }
    }

    #[test]
    fn each_way_of_wrapping_needs_its_room() {
        let gue = |checksum| Tunnel::Gue { port: 1, checksum };
        for (tunnel, more) in [
            (Tunnel::Ipip, 0),
            (Tunnel::Gre { checksum: false }, 4),
            (Tunnel::Gre { checksum: true }, 8),
            (gue(GueChecksum::None), 12),
            (gue(GueChecksum::Full), 12),
            (gue(GueChecksum::Remote), 20),
        ] {
            assert_eq!(tunnel.overhead(Family::V4), 20 + more);
            assert_eq!(tunnel.overhead(Family::V6), 40 + more);
        }
    }

    #[test]
    fn the_longest_packet_fills_the_field_of_the_outer_header() {
        for (outer, header) in [(Family::V4, 0), (Family::V6, 40)] {
            for (kind, flags) in [(0, 0), (1, 0), (1, 1), (1, 2), (2, 0), (2, 1)] {
                let tunnel = Tunnel::new(kind, 1, flags).unwrap();
                let longest = header + 65_535 - tunnel.overhead(outer);
                assert!(tunnel.holds(outer, longest));
                assert!(!tunnel.holds(outer, longest + 1));
                assert!(!tunnel.holds(outer, u32::MAX));
            }
        }
    }

    #[test]
    fn types_and_flags_that_do_not_exist_are_refused() {
        for kind in [3, 4, 255] {
            assert_eq!(Tunnel::new(kind, 1, 0), Err(ConfigError::TunnelType));
        }
        for (kind, flags) in [(0, 1), (0, 2), (1, 3), (1, 4), (2, 2), (2, 0x8001)] {
            assert_eq!(Tunnel::new(kind, 1, flags), Err(ConfigError::TunnelFlags));
        }
    }
}
