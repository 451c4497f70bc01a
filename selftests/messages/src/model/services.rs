// SPDX-License-Identifier: GPL-2.0

//! Services: what names one, and which requests for one are taken.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use lvs_engine::config::{ConfigError, Unsupported};
use lvs_wire::netlink::{
    ipvs::{self, svc, svc_flags},
    lvs,
};

use super::{dests::Dest, named, Refusal, State, Verdict};
use crate::attrs::{Attrs, Policy, Strictness};

/// What names a service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    /// By what packets are addressed to.
    Address(u16, IpAddr, u16),
    /// By a firewall's mark, of packets of IPv6 or not.
    Mark(u32, bool),
}

impl Key {
    /// Whether its clients are of IPv6.
    pub(crate) fn is_v6(&self) -> bool {
        match self {
            Self::Address(_, addr, _) => addr.is_ipv6(),
            Self::Mark(_, v6) => *v6,
        }
    }

    /// Its virtual address.
    pub(crate) fn addr(&self) -> Option<IpAddr> {
        match self {
            Self::Address(_, addr, _) => Some(*addr),
            Self::Mark(..) => None,
        }
    }
}

/// A service.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) key: Key,
    pub(crate) scheduler: String,
    /// Without the kernel's own.
    pub(crate) flags: u32,
    pub(crate) timeout: u32,
    pub(crate) netmask: [u8; 4],
    pub(crate) masq_only: bool,
    /// In the order in which they were added.
    pub(crate) dests: Vec<Dest>,
}

/// What the family `IPVS` lets through of a service.
const IPVS: [Policy; 13] = [
    Policy::None,
    Policy::Number(2),
    Policy::Number(2),
    Policy::Binary(16),
    Policy::Number(2),
    Policy::Number(4),
    Policy::Text(15),
    Policy::Binary(8),
    Policy::Number(4),
    Policy::Number(4),
    Policy::Nest,
    Policy::Text(16),
    Policy::None,
];

/// What the family `LVS` lets through of a service.
const LVS: [Policy; 9] = [
    Policy::None,
    Policy::Number(2),
    Policy::Number(2),
    Policy::Binary(16),
    Policy::Number(2),
    Policy::Number(4),
    Policy::Number(4),
    Policy::None,
    Policy::None,
];

/// What a rule may have of a service that it adds.
const RULE: [Policy; 12] = [
    Policy::None,
    Policy::Number(2),
    Policy::Number(2),
    Policy::Binary(16),
    Policy::Number(2),
    Policy::Number(4),
    Policy::Text(15),
    Policy::Binary(8),
    Policy::Number(4),
    Policy::Number(4),
    Policy::None,
    Policy::Text(16),
];

/// The schedulers there are.
const SCHEDULERS: [&[u8]; 13] = [
    b"rr", b"wrr", b"lc", b"wlc", b"sed", b"nq", b"fo", b"ovf", b"twos", b"sh", b"dh", b"mh",
    b"none",
];

/// The attributes of the service that a request names.
pub(super) struct Request<'a>(Attrs<'a>);

/// Of the family `IPVS`.
pub(super) fn request<'a>(attrs: &Attrs<'a>) -> Verdict<Request<'a>> {
    let nest = attrs
        .bytes(ipvs::attr::SERVICE)
        .ok_or(ConfigError::ServiceMissing)?;
    named(nest, &IPVS, Strictness::Lenient).map(Request)
}

/// Of a rule that adds it.
pub(super) fn rule(nest: &[u8]) -> Verdict<Request<'_>> {
    named(nest, &RULE, Strictness::Strict).map(Request)
}

/// Of a rule that adds something to it: its name, which comes first.
pub(super) fn rule_owner(nest: &[u8]) -> Verdict<Request<'_>> {
    let name = &RULE[..=usize::from(svc::FWMARK)];
    named(nest, name, Strictness::Strict).map(Request)
}

/// Of the family `LVS`, if there is one.
fn strict_request<'a>(attrs: &Attrs<'a>) -> Verdict<Option<Request<'a>>> {
    let Some(nest) = attrs.bytes(lvs::attr::SERVICE) else {
        return Ok(None);
    };
    named(nest, &LVS, Strictness::Strict).map(|attrs| Some(Request(attrs)))
}

/// The service that a request of the family `LVS` names, if it does.
pub(super) fn owner(attrs: &Attrs<'_>) -> Verdict<Option<Key>> {
    strict_request(attrs)?
        .map(|request| request.key())
        .transpose()
}

/// Whether a number is a family's: IPv6's, or not.
pub(super) fn family(af: u16) -> Result<bool, ConfigError> {
    match i32::from(af) {
        libc::AF_INET => Ok(false),
        libc::AF_INET6 => Ok(true),
        _ => Err(ConfigError::Family),
    }
}

/// An address of that family; one of IPv4 may have twelve bytes behind it.
pub(super) fn address(bytes: &[u8], v6: bool) -> Result<IpAddr, ConfigError> {
    match (bytes.len(), v6) {
        (4 | 16, false) => bytes
            .first_chunk::<4>()
            .map(|four| Ipv4Addr::from(*four).into()),
        (16, true) => bytes
            .first_chunk::<16>()
            .map(|all| Ipv6Addr::from(*all).into()),
        _ => None,
    }
    .ok_or(ConfigError::AddressLength)
}

impl Request<'_> {
    /// Which service is meant.
    pub(super) fn key(&self) -> Verdict<Key> {
        let af = self.0.u16(svc::AF).ok_or(ConfigError::ServiceMissing)?;
        if let Some(mark) = self.0.u32(svc::FWMARK) {
            let v6 = family(af)?;
            let unspecified = if v6 {
                Ipv6Addr::UNSPECIFIED.into()
            } else {
                Ipv4Addr::UNSPECIFIED.into()
            };
            // Mark 0 is, as in stock, a service like any other.
            return Ok(match mark {
                0 => Key::Address(6, unspecified, 0),
                mark => Key::Mark(mark, v6),
            });
        }
        let (protocol, port) = (self.0.u16(svc::PROTOCOL), self.0.be16(svc::PORT));
        let (Some(protocol), Some(bytes), Some(port)) = (protocol, self.0.bytes(svc::ADDR), port)
        else {
            return Err(ConfigError::ServiceMissing.into());
        };
        Ok(Key::Address(protocol, address(bytes, family(af)?)?, port))
    }

    /// What the service is to be; `old` is what it is.
    fn service(&self, key: Key, is_new: bool, old: Option<&Service>) -> Verdict<Service> {
        let (scheduler, flags) = (self.0.text(svc::SCHED_NAME), self.0.bytes(svc::FLAGS));
        let (timeout, netmask) = (self.0.u32(svc::TIMEOUT), self.0.bytes(svc::NETMASK));
        let (Some(scheduler), Some(flags), Some(timeout), Some(netmask)) =
            (scheduler, flags, timeout, netmask)
        else {
            return Err(ConfigError::ServiceIncomplete.into());
        };
        match (is_new, old) {
            (true, Some(_)) => return Err(ConfigError::ServiceExists.into()),
            (false, None) => return Err(ConfigError::ServiceUnknown.into()),
            _ => {}
        }
        match scheduler {
            b"lblc" | b"lblcr" => return Err(ConfigError::from(Unsupported::Scheduler).into()),
            name if !SCHEDULERS.contains(&name) => return Err(ConfigError::SchedulerUnknown.into()),
            _ => {}
        }
        match self.0.text(svc::PE_NAME) {
            None | Some(b"") => {}
            Some(b"sip") => return Err(ConfigError::from(Unsupported::PersistenceEngine).into()),
            Some(_) => return Err(ConfigError::PersistenceEngineUnknown.into()),
        }
        let netmask: [u8; 4] = netmask[..4].try_into().expect("the policy says so");
        let (prefix, mask) = (u32::from_ne_bytes(netmask), u32::from_be_bytes(netmask));
        if key.is_v6() && !(1..=128).contains(&prefix) {
            return Err(ConfigError::PrefixLength.into());
        }
        let (wanted, meant) = words(flags);
        let old_flags = old.map_or(0, |old| old.flags);
        let flags = ((old_flags & !meant) | (wanted & meant)) & !svc_flags::HASHED;
        match key {
            Key::Address(6 | 17, ..) | Key::Mark(..) => {}
            Key::Address(..) => return Err(ConfigError::from(Unsupported::Protocol).into()),
        }
        let mut known = svc_flags::PERSISTENT | svc_flags::ONE_PACKET;
        if matches!(scheduler, b"sh" | b"mh") {
            known |= svc_flags::SCHED1 | svc_flags::SCHED2;
        }
        if flags & !known != 0 {
            return Err(ConfigError::from(Unsupported::Flags).into());
        }
        if flags & svc_flags::ONE_PACKET != 0 && matches!(key, Key::Address(6, ..)) {
            return Err(ConfigError::OnePacketTcp.into());
        }
        let is_mask = mask.leading_ones() + mask.trailing_zeros() >= 32;
        if flags & svc_flags::PERSISTENT != 0 && !key.is_v6() && !is_mask {
            return Err(ConfigError::Netmask.into());
        }
        Ok(Service {
            scheduler: String::from_utf8_lossy(scheduler).into_owned(),
            flags,
            timeout,
            netmask,
            masq_only: old.is_some_and(|old| old.masq_only),
            dests: old.map(|old| old.dests.clone()).unwrap_or_default(),
            key,
        })
    }
}

/// Two words; what is missing of them is zero.
fn words(bytes: &[u8]) -> (u32, u32) {
    let word = |from: usize| {
        let mut word = [0; 4];
        word.iter_mut()
            .zip(bytes.iter().skip(from))
            .for_each(|(to, from)| *to = *from);
        u32::from_ne_bytes(word)
    };
    (word(0), word(4))
}

impl State {
    pub(super) fn add_service(&mut self, attrs: &Attrs<'_>) -> Verdict {
        self.add(&request(attrs)?, false)
    }

    pub(super) fn add(&mut self, request: &Request<'_>, masq_only: bool) -> Verdict {
        let key = request.key()?;
        let mut service = request.service(key.clone(), true, self.service(&key))?;
        service.masq_only = masq_only;
        let virt = key.addr();
        let mut locals = self.pools.values().flatten();
        if locals.any(|local| Some(local.addr) == virt) {
            return Err(ConfigError::LocalAddressIsVirtual.into());
        }
        self.services.push(service);
        Ok(())
    }

    pub(super) fn edit_service(&mut self, attrs: &Attrs<'_>) -> Verdict {
        let request = request(attrs)?;
        let key = request.key()?;
        let service = request.service(key.clone(), false, self.service(&key))?;
        if let Some(old) = self.service_mut(&key) {
            *old = service;
        }
        Ok(())
    }

    pub(super) fn delete_service(&mut self, attrs: &Attrs<'_>) -> Verdict {
        let key = self.known(attrs)?.key.clone();
        self.services.retain(|service| service.key != key);
        Ok(())
    }

    pub(super) fn set_flags(&mut self, attrs: &Attrs<'_>) -> Verdict {
        let request = strict_request(attrs)?.ok_or(ConfigError::ServiceMissing)?;
        let flags = request.0.u32(lvs::svc::FLAGS).ok_or(Refusal::said(
            libc::EINVAL,
            "The request has no flags to set.",
        ))?;
        let masq_only = masq_only(flags)?;
        let key = request.key()?;
        let service = self.service_mut(&key).ok_or(ConfigError::ServiceUnknown)?;
        service.masq_only = masq_only;
        Ok(())
    }
}

/// What the flags of the family `LVS` say.
pub(super) fn masq_only(flags: u32) -> Verdict<bool> {
    if flags & !lvs::svc_flags::ALL != 0 {
        return Err(Refusal::said(libc::EINVAL, "A service has no such flag."));
    }
    Ok(flags & lvs::svc_flags::MASQ_ONLY != 0)
}
