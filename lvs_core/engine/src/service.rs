// SPDX-License-Identifier: GPL-2.0

//! Virtual services: what names one, what it is set to, and which requests
//! for one are refused.
//!
//! The order of the checks is that of IPVS, so that a request with two faults
//! gets the same answer. What IPVS accepts but we cannot do is refused last.

use core::fmt;

use lvs_wire::addr::{AnyAddr, Endpoint, Family};
use lvs_wire::netlink::ipvs::svc_flags;
use lvs_wire::shown::ShownEnd;

use crate::config::{ConfigError, Unsupported};
use crate::conn::Protocol;
use crate::persist;
use crate::sched::Scheduler;

/// What names a service. The order is of no meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServiceKey {
    /// By what packets are addressed to.
    Address {
        /// IP protocol number.
        protocol: u16,
        /// Virtual address.
        addr: AnyAddr,
        /// Virtual port, host order; 0 for all that have no service of their own.
        port: u16,
    },
    /// By the mark that the firewall gave packets.
    Fwmark {
        /// Family of the packets.
        family: Family,
        /// The mark.
        mark: u32,
    },
}

impl ServiceKey {
    /// Family of the clients.
    #[must_use]
    pub const fn family(&self) -> Family {
        match self {
            Self::Address { addr, .. } => Family::of(addr),
            Self::Fwmark { family, .. } => *family,
        }
    }

    /// Whether it is FTP's, to which data connections belong besides its own.
    #[must_use]
    pub const fn is_ftp(&self) -> bool {
        matches!(
            self,
            Self::Address {
                port: persist::FTP_PORT,
                ..
            }
        )
    }
}

/// As people write it: `TCP 192.0.2.1:80`, `FWM 7`.
impl fmt::Display for ServiceKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fwmark { mark, .. } => write!(out, "FWM {mark}"),
            Self::Address {
                protocol,
                addr,
                port,
            } => {
                let known = u8::try_from(*protocol).ok().and_then(Protocol::from_number);
                let name = known.map_or("IP", Protocol::name);
                let end = ShownEnd(Endpoint::new(*addr, *port));
                write!(out, "{name} {end}")
            }
        }
    }
}

/// A netlink request about a service: what was there, unchecked.
///
/// Byte arrays that were too short or too long are for the caller to refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ServiceRequest<'a> {
    /// Address family (AF), host order.
    pub af: Option<u16>,
    /// IP protocol, host order.
    pub protocol: Option<u16>,
    /// Virtual address as it came.
    pub addr: Option<&'a [u8]>,
    /// Virtual port, host order.
    pub port: Option<u16>,
    /// Firewall mark.
    pub fwmark: Option<u32>,
    /// Name of the scheduler.
    pub sched: Option<&'a str>,
    /// Flags and the mask of those that are meant.
    pub flags: Option<(u32, u32)>,
    /// Persistence timeout, seconds.
    pub timeout: Option<u32>,
    /// Persistence netmask: the four bytes of the attribute read in network
    /// order, though for IPv6 they are a prefix length in the machine's order.
    pub netmask: Option<u32>,
    /// Name of the persistence engine.
    pub pe: Option<&'a str>,
}

/// What a service is set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceConfig {
    /// How destinations are chosen.
    pub scheduler: Scheduler,
    /// Flags as listings show them, without the kernel's own HASHED.
    pub flags: u32,
    /// Persistence timeout, seconds.
    pub timeout: u32,
    /// Persistence netmask as it came.
    pub netmask: u32,
}

impl ServiceConfig {
    /// A client stays with its server.
    #[inline]
    #[must_use]
    pub const fn is_persistent(&self) -> bool {
        self.flags & svc_flags::PERSISTENT != 0
    }

    /// Each datagram is scheduled by itself; TCP has connections all the same.
    #[inline]
    #[must_use]
    pub const fn is_one_packet(&self, protocol: Protocol) -> bool {
        self.flags & svc_flags::ONE_PACKET != 0 && matches!(protocol, Protocol::Udp)
    }
}

impl ServiceRequest<'_> {
    /// Which service is meant.
    ///
    /// A mark stands above protocol, address and port. Mark 0 is, as in IPVS,
    /// the odd service TCP 0.0.0.0:0.
    ///
    /// # Errors
    ///
    /// [`ConfigError::ServiceMissing`], [`ConfigError::Family`], [`ConfigError::AddressLength`].
    pub fn key(&self) -> Result<ServiceKey, ConfigError> {
        let af = self.af.ok_or(ConfigError::ServiceMissing)?;
        let named = match (self.fwmark, self.protocol, self.addr, self.port) {
            (Some(mark), ..) => Named::Mark(mark),
            (None, Some(protocol), Some(bytes), Some(port)) => {
                Named::Address(protocol, bytes, port)
            }
            _ => return Err(ConfigError::ServiceMissing),
        };
        let family = Family::from_af(af).ok_or(ConfigError::Family)?;
        Ok(match named {
            Named::Mark(0) => ServiceKey::Address {
                protocol: u16::from(Protocol::Tcp.number()),
                addr: unspecified(family),
                port: 0,
            },
            Named::Mark(mark) => ServiceKey::Fwmark { family, mark },
            Named::Address(protocol, bytes, port) => ServiceKey::Address {
                protocol,
                addr: family.read(bytes).ok_or(ConfigError::AddressLength)?,
                port,
            },
        })
    }

    /// Checks a request to add the service `key`; `exists` says whether it is there already.
    ///
    /// # Errors
    ///
    /// The first that applies, in the order of IPVS.
    pub fn add(&self, key: ServiceKey, exists: bool) -> Result<ServiceConfig, ConfigError> {
        let full = self.full()?;
        if exists {
            return Err(ConfigError::ServiceExists);
        }
        full.config(key, 0)
    }

    /// Checks a request to edit the service `key`, which is set to `current` if it is there.
    ///
    /// # Errors
    ///
    /// The first that applies, in the order of IPVS.
    pub fn edit(
        &self,
        key: ServiceKey,
        current: Option<&ServiceConfig>,
    ) -> Result<ServiceConfig, ConfigError> {
        let full = self.full()?;
        let current = current.ok_or(ConfigError::ServiceUnknown)?;
        full.config(key, current.flags)
    }

    fn full(&self) -> Result<Full<'_>, ConfigError> {
        match (self.sched, self.flags, self.timeout, self.netmask) {
            (Some(sched), Some(flags), Some(timeout), Some(netmask)) => Ok(Full {
                sched,
                flags,
                timeout,
                netmask,
                pe: self.pe.unwrap_or(""),
            }),
            _ => Err(ConfigError::ServiceIncomplete),
        }
    }
}

/// By what a request names its service.
enum Named<'a> {
    Mark(u32),
    Address(u16, &'a [u8], u16),
}

/// A request in which everything is there.
struct Full<'a> {
    sched: &'a str,
    flags: (u32, u32),
    timeout: u32,
    netmask: u32,
    pe: &'a str,
}

impl Full<'_> {
    fn config(&self, key: ServiceKey, old_flags: u32) -> Result<ServiceConfig, ConfigError> {
        let scheduler = Scheduler::from_name(self.sched)?;
        if !self.pe.is_empty() {
            return Err(match self.pe {
                "sip" => Unsupported::PersistenceEngine.into(),
                _ => ConfigError::PersistenceEngineUnknown,
            });
        }
        let prefix_length = persist::prefix_length(self.netmask);
        if matches!(key.family(), Family::V6) && !(1..=128).contains(&prefix_length) {
            return Err(ConfigError::PrefixLength);
        }
        let (flags, mask) = self.flags;
        let flags = ((old_flags & !mask) | (flags & mask)) & !svc_flags::HASHED;
        supported_key(key)?;
        supported_flags(key, flags, scheduler)?;
        let is_persistent = flags & svc_flags::PERSISTENT != 0;
        if is_persistent && matches!(key.family(), Family::V4) && !persist::is_mask(self.netmask) {
            return Err(ConfigError::Netmask);
        }
        Ok(ServiceConfig {
            scheduler,
            flags,
            timeout: self.timeout,
            netmask: self.netmask,
        })
    }
}

fn unspecified(family: Family) -> AnyAddr {
    match family {
        Family::V4 => AnyAddr::V4(core::net::Ipv4Addr::UNSPECIFIED),
        Family::V6 => AnyAddr::V6(core::net::Ipv6Addr::UNSPECIFIED),
    }
}

fn supported_key(key: ServiceKey) -> Result<(), Unsupported> {
    let ServiceKey::Address { protocol, .. } = key else {
        return Ok(());
    };
    let known = u8::try_from(protocol).ok().and_then(Protocol::from_number);
    known.map(|_| ()).ok_or(Unsupported::Protocol)
}

fn supported_flags(key: ServiceKey, flags: u32, scheduler: Scheduler) -> Result<(), ConfigError> {
    let own = svc_flags::PERSISTENT | svc_flags::ONE_PACKET;
    if flags & !own & !scheduler.flags() != 0 {
        return Err(Unsupported::Flags.into());
    }
    let tcp = u16::from(Protocol::Tcp.number());
    let is_tcp = matches!(key, ServiceKey::Address { protocol, .. } if protocol == tcp);
    if flags & svc_flags::ONE_PACKET != 0 && is_tcp {
        return Err(ConfigError::OnePacketTcp);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
