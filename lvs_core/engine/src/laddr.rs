// SPDX-License-Identifier: GPL-2.0

//! Local addresses: which can be one, and of which pool a connection takes one.

use lvs_wire::addr::{Address, AnyAddr, Family};
use lvs_wire::netlink::lvs::laddr_flags;

use crate::config::ConfigError;
use crate::service::ServiceKey;

/// A netlink request about a local address: what was there, unchecked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LocalRequest<'a> {
    /// Address family.
    pub af: Option<u16>,
    /// Address as it came.
    pub addr: Option<&'a [u8]>,
    /// Flags ([`laddr_flags`](mod@laddr_flags)); absent is none.
    pub flags: Option<u32>,
}

/// What a local address is set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalConfig {
    /// The address.
    pub addr: AnyAddr,
    /// The host does not use the address itself: connections may leave from every port.
    pub dedicated: bool,
}

impl LocalRequest<'_> {
    /// Which address is meant.
    ///
    /// # Errors
    ///
    /// [`ConfigError::LocalAddressMissing`], [`ConfigError::Family`], [`ConfigError::AddressLength`].
    ///
    /// ```
    /// # use lvs_engine::{config::ConfigError, laddr::LocalRequest};
    /// let request = LocalRequest { af: Some(2), addr: Some(&[10, 0, 0, 1]), flags: None };
    /// assert_eq!(request.addr()?, core::net::Ipv4Addr::new(10, 0, 0, 1));
    /// # Ok::<(), ConfigError>(())
    /// ```
    pub fn addr(&self) -> Result<AnyAddr, ConfigError> {
        let (Some(af), Some(bytes)) = (self.af, self.addr) else {
            return Err(ConfigError::LocalAddressMissing);
        };
        let family = Family::from_af(af).ok_or(ConfigError::Family)?;
        family.read(bytes).ok_or(ConfigError::AddressLength)
    }

    /// What an address that is added is to be.
    ///
    /// # Errors
    ///
    /// As [`Self::addr`], and [`ConfigError::LocalAddressFlags`].
    pub fn config(&self) -> Result<LocalConfig, ConfigError> {
        let addr = self.addr()?;
        let flags = self.flags.unwrap_or(0);
        if flags & !laddr_flags::ALL != 0 {
            return Err(ConfigError::LocalAddressFlags);
        }
        Ok(LocalConfig {
            addr,
            dedicated: flags & laddr_flags::DEDICATED != 0,
        })
    }
}

/// Checks that `addr` can be a local address: of the service `key`, or of the
/// namespace's default pool if there is none.
///
/// The services that exist (and, when a service is added, the addresses of all
/// pools) the caller passes to [`conflicts`], one by one.
///
/// # Errors
///
/// [`ConfigError::LocalAddressNotUnicast`], [`ConfigError::LocalAddressFamily`],
/// [`ConfigError::LocalAddressIsVirtual`], [`ConfigError::LocalAddressExists`].
pub fn check(addr: AnyAddr, key: Option<&ServiceKey>, exists: bool) -> Result<(), ConfigError> {
    if !is_usable(addr) {
        return Err(ConfigError::LocalAddressNotUnicast);
    }
    if let Some(key) = key {
        // Servers may be of IPv4 where clients are of IPv6, not the other way round.
        if matches!((key.family(), Family::of(&addr)), (Family::V4, Family::V6)) {
            return Err(ConfigError::LocalAddressFamily);
        }
        if conflicts(addr, key) {
            return Err(ConfigError::LocalAddressIsVirtual);
        }
    }
    if exists {
        return Err(ConfigError::LocalAddressExists);
    }
    Ok(())
}

/// Whether `addr` is the virtual address of the service `key`: as a local
/// address for it, replies could not be told from requests.
#[must_use]
pub fn conflicts(addr: AnyAddr, key: &ServiceKey) -> bool {
    match key {
        ServiceKey::Address { addr: virt, .. } => *virt == addr,
        ServiceKey::Fwmark { .. } => false,
    }
}

/// The pool that a service's connections take their local address from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pool {
    /// The service's own.
    Service,
    /// The namespace's default.
    Default,
}

/// The pool in use: the service's own if it has an address there that is not
/// being drained, else the default one; `None` if both are dry.
///
/// ```
/// # use lvs_engine::laddr::{pool, Pool};
/// assert_eq!(pool(1, 5), Some(Pool::Service));
/// assert_eq!(pool(0, 5), Some(Pool::Default));
/// assert_eq!(pool(0, 0), None);
/// ```
#[inline]
#[must_use]
pub const fn pool(own: usize, default: usize) -> Option<Pool> {
    match (own, default) {
        (0, 0) => None,
        (0, _) => Some(Pool::Default),
        _ => Some(Pool::Service),
    }
}

fn is_usable(addr: AnyAddr) -> bool {
    match addr {
        AnyAddr::V4(addr) => addr.is_host() && !addr.is_loopback(),
        // Link-local ones say nothing without their link, and hosts drop
        // packets from IPv4 addresses in IPv6's clothes.
        AnyAddr::V6(addr) => {
            addr.is_host()
                && !addr.is_loopback()
                && !addr.is_unicast_link_local()
                && addr.to_ipv4_mapped().is_none()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Errno;
    use core::net::{Ipv4Addr, Ipv6Addr};

    fn key(last: u8) -> ServiceKey {
        ServiceKey::Address {
            protocol: 6,
            addr: Ipv4Addr::new(10, 0, 0, last).into(),
            port: 80,
        }
    }

    const MARK: ServiceKey = ServiceKey::Fwmark {
        family: Family::V4,
        mark: 1,
    };

    #[test]
    fn a_services_own_addresses_come_before_the_default_pool() {
        assert_eq!(pool(1, 0), Some(Pool::Service));
        assert_eq!(pool(1, 5), Some(Pool::Service));
        assert_eq!(pool(0, 5), Some(Pool::Default));
        assert_eq!(pool(0, 0), None);
    }

    #[test]
    fn what_is_missing_or_odd_is_named() {
        let request = |af, addr| {
            let flags = None;
            LocalRequest { af, addr, flags }.addr()
        };
        let four: &[u8] = &[10, 0, 0, 1];
        assert_eq!(
            request(None, Some(four)),
            Err(ConfigError::LocalAddressMissing)
        );
        assert_eq!(
            request(Some(2), None),
            Err(ConfigError::LocalAddressMissing)
        );
        assert_eq!(request(Some(3), Some(four)), Err(ConfigError::Family));
        assert_eq!(
            request(Some(10), Some(four)),
            Err(ConfigError::AddressLength)
        );
        assert_eq!(
            request(Some(2), Some(&four[..3])),
            Err(ConfigError::AddressLength)
        );
        assert_eq!(
            request(Some(10), Some(&[0; 16])),
            Ok(Ipv6Addr::UNSPECIFIED.into())
        );
    }

    #[test]
    fn a_flag_that_does_not_exist_is_refused() {
        let config = |flags| {
            let addr: &[u8] = &[10, 0, 0, 1];
            let (af, addr) = (Some(2), Some(addr));
            LocalRequest { af, addr, flags }.config()
        };
        let addr = Ipv4Addr::new(10, 0, 0, 1).into();
        for (flags, dedicated) in [(None, false), (Some(0), false), (Some(1), true)] {
            assert_eq!(config(flags), Ok(LocalConfig { addr, dedicated }));
        }
        assert_eq!(config(Some(2)), Err(ConfigError::LocalAddressFlags));
        assert_eq!(config(Some(3)), Err(ConfigError::LocalAddressFlags));
    }

    #[test]
    fn only_an_address_that_servers_can_answer_to_is_local() {
        for bad in [
            "0.0.0.0",
            "127.0.0.1",
            "224.0.0.18",
            "255.255.255.255",
            "::",
            "::1",
            "ff02::1",
            "fe80::1",
            "::ffff:10.0.0.9",
        ] {
            assert_eq!(
                check(bad.parse().unwrap(), None, false),
                Err(ConfigError::LocalAddressNotUnicast),
                "{bad}"
            );
        }
        let v4: AnyAddr = Ipv4Addr::new(10, 0, 0, 9).into();
        assert_eq!(check(v4, None, false), Ok(()));
        assert_eq!(check(v4, Some(&key(1)), false), Ok(()));
        assert_eq!(check(v4, Some(&MARK), false), Ok(()));
        assert_eq!(
            check(v4, Some(&key(1)), true),
            Err(ConfigError::LocalAddressExists)
        );
        let v6: AnyAddr = "2001:db8::1".parse().unwrap();
        assert_eq!(check(v6, None, false), Ok(()));
        assert_eq!(
            check(v6, Some(&key(1)), false),
            Err(ConfigError::LocalAddressFamily)
        );
    }

    #[test]
    fn a_virtual_address_is_not_local_to_its_own_service() {
        let addr = Ipv4Addr::new(10, 0, 0, 1).into();
        let error = check(addr, Some(&key(1)), false).unwrap_err();
        assert_eq!(error, ConfigError::LocalAddressIsVirtual);
        assert_eq!(error.errno(), Errno::AddrInUse);
        assert!(!conflicts(addr, &key(2)) && !conflicts(addr, &MARK));
    }
}
