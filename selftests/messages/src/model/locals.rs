// SPDX-License-Identifier: GPL-2.0

//! Local addresses, and the filter over connections.

use std::{collections::BTreeMap, net::IpAddr};

use lvs_engine::config::ConfigError;
use lvs_wire::netlink::lvs::{self, conn, laddr, laddr_flags};

use super::{named, nested, services, Key, State, Verdict};
use crate::attrs::{Attrs, Policy, Strictness};

/// Local addresses by whose they are, oldest first.
pub(crate) type Pools = BTreeMap<Option<Key>, Vec<Local>>;

/// A local address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Local {
    pub(crate) addr: IpAddr,
    pub(crate) dedicated: bool,
}

/// What the family `LVS` lets through of a local address.
const POLICY: [Policy; 9] = [
    Policy::None,
    Policy::Number(2),
    Policy::Binary(16),
    Policy::None,
    Policy::None,
    Policy::None,
    Policy::None,
    Policy::None,
    Policy::Number(4),
];

/// What it lets through of a filter.
const FILTER: [Policy; 12] = [
    Policy::None,
    Policy::Number(2),
    Policy::Number(2),
    Policy::Binary(16),
    Policy::Number(2),
    Policy::Binary(16),
    Policy::Number(2),
    Policy::Number(2),
    Policy::Binary(16),
    Policy::Number(2),
    Policy::Binary(16),
    Policy::Number(2),
];

fn request<'a>(attrs: &Attrs<'a>) -> Verdict<Attrs<'a>> {
    let nest = attrs
        .bytes(lvs::attr::LADDR)
        .ok_or(ConfigError::LocalAddressMissing)?;
    rule(nest)
}

/// Of a rule.
pub(super) fn rule(nest: &[u8]) -> Verdict<Attrs<'_>> {
    named(nest, &POLICY, Strictness::Strict)
}

fn address(attrs: &Attrs<'_>) -> Verdict<IpAddr> {
    let pair = attrs.u16(laddr::AF).zip(attrs.bytes(laddr::ADDR));
    let (af, bytes) = pair.ok_or(ConfigError::LocalAddressMissing)?;
    Ok(services::address(bytes, services::family(af)?)?)
}

/// What an address that is added is to be.
pub(super) fn config(attrs: &Attrs<'_>) -> Verdict<Local> {
    let addr = address(attrs)?;
    let flags = attrs.u32(laddr::FLAGS).unwrap_or(0);
    if flags & !laddr_flags::ALL != 0 {
        return Err(ConfigError::LocalAddressFlags.into());
    }
    let dedicated = flags & laddr_flags::DEDICATED != 0;
    Ok(Local { addr, dedicated })
}

/// Whether a filter is one.
pub(super) fn filter(attrs: &Attrs<'_>) -> Verdict {
    let Some(nest) = attrs.bytes(lvs::attr::FILTER) else {
        return Ok(());
    };
    let attrs = nested(nest, &FILTER, Strictness::Strict)?;
    let addresses = [conn::CADDR, conn::VADDR, conn::LADDR, conn::DADDR];
    let lengths = addresses.map(|number| attrs.bytes(number).map(<[u8]>::len));
    if lengths
        .iter()
        .all(|length| matches!(length, None | Some(4 | 16)))
    {
        Ok(())
    } else {
        Err(ConfigError::AddressLength.into())
    }
}

/// Whether servers can answer to the address.
fn is_usable(addr: IpAddr) -> bool {
    let is_odd = match addr {
        IpAddr::V4(addr) => addr.is_broadcast(),
        IpAddr::V6(addr) => {
            addr.to_ipv4_mapped().is_some() || addr.segments()[0] & 0xffc0 == 0xfe80
        }
    };
    !is_odd && !addr.is_unspecified() && !addr.is_loopback() && !addr.is_multicast()
}

impl State {
    pub(super) fn add_local(&mut self, attrs: &Attrs<'_>) -> Verdict {
        let local = config(&request(attrs)?)?;
        self.put_local(services::owner(attrs)?, local)
    }

    pub(super) fn put_local(&mut self, owner: Option<Key>, local: Local) -> Verdict {
        let addr = local.addr;
        if !is_usable(addr) {
            return Err(ConfigError::LocalAddressNotUnicast.into());
        }
        if let Some(key) = &owner {
            if addr.is_ipv6() && !key.is_v6() {
                return Err(ConfigError::LocalAddressFamily.into());
            }
            if key.addr() == Some(addr) {
                return Err(ConfigError::LocalAddressIsVirtual.into());
            }
        }
        let is_virtual = |service: &super::Service| service.key.addr() == Some(addr);
        let is_taken = self.services.iter().any(is_virtual);
        let pool = self.pools.entry(owner).or_default();
        if pool.iter().any(|local| local.addr == addr) {
            return Err(ConfigError::LocalAddressExists.into());
        }
        if is_taken {
            return Err(ConfigError::LocalAddressIsVirtual.into());
        }
        pool.push(local);
        Ok(())
    }

    pub(super) fn delete_local(&mut self, attrs: &Attrs<'_>) -> Verdict {
        let addr = address(&request(attrs)?)?;
        let pool = self.pools.entry(services::owner(attrs)?).or_default();
        let place = pool.iter().position(|local| local.addr == addr);
        pool.remove(place.ok_or(ConfigError::LocalAddressUnknown)?);
        Ok(())
    }
}
