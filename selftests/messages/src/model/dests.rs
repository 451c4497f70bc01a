// SPDX-License-Identifier: GPL-2.0

//! Destinations: which requests for one are taken, and how packets reach it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use lvs_engine::config::ConfigError;
use lvs_wire::netlink::ipvs::{self, dest, fwd, tun};

use super::{named, services, Key, Service, State, Verdict};
use crate::attrs::{Attrs, Policy, Strictness};

pub(crate) use fwd::FULLNAT;

/// A destination.
#[derive(Clone, Debug)]
pub(crate) struct Dest {
    pub(crate) addr: IpAddr,
    pub(crate) port: u16,
    /// As configured.
    pub(crate) method: u32,
    pub(crate) weight: u32,
    pub(crate) upper: u32,
    pub(crate) lower: u32,
    /// Type, port and flags.
    pub(crate) tunnel: (u8, u16, u16),
    /// The method in effect, as the kernel says it; of the model it follows from the rest.
    pub(crate) in_effect: Option<u32>,
}

/// What the family `IPVS` lets through of a destination.
const POLICY: [Policy; 16] = [
    Policy::None,
    Policy::Binary(16),
    Policy::Number(2),
    Policy::Number(4),
    Policy::Number(4),
    Policy::Number(4),
    Policy::Number(4),
    Policy::Number(4),
    Policy::Number(4),
    Policy::Number(4),
    Policy::Nest,
    Policy::Number(2),
    Policy::None,
    Policy::Number(1),
    Policy::Number(2),
    Policy::Number(2),
];

/// What a rule may have of a destination.
const RULE: [Policy; 16] = [
    Policy::None,
    Policy::Binary(16),
    Policy::Number(2),
    Policy::Number(4),
    Policy::Number(4),
    Policy::Number(4),
    Policy::Number(4),
    Policy::None,
    Policy::None,
    Policy::None,
    Policy::None,
    Policy::Number(2),
    Policy::None,
    Policy::Number(1),
    Policy::Number(2),
    Policy::Number(2),
];

/// Of a rule.
pub(super) fn rule(nest: &[u8]) -> Verdict<Attrs<'_>> {
    named(nest, &RULE, Strictness::Strict)
}

struct Request<'a> {
    attrs: Attrs<'a>,
    service_is_v6: bool,
}

impl Request<'_> {
    fn named(&self) -> Result<(&[u8], u16), ConfigError> {
        let pair = self
            .attrs
            .bytes(dest::ADDR)
            .zip(self.attrs.be16(dest::PORT));
        pair.ok_or(ConfigError::DestMissing)
    }

    fn is_v6(&self) -> Result<bool, ConfigError> {
        match self.attrs.u16(dest::ADDR_FAMILY) {
            None | Some(0) => Ok(self.service_is_v6),
            Some(af) => services::family(af),
        }
    }

    fn key(&self) -> Result<(IpAddr, u16), ConfigError> {
        let (bytes, port) = self.named()?;
        Ok((services::address(bytes, self.is_v6()?)?, port))
    }

    /// As asked for: method, weight, thresholds.
    fn numbers(&self) -> Result<[u32; 4], ConfigError> {
        let numbers = [
            dest::FWD_METHOD,
            dest::WEIGHT,
            dest::U_THRESH,
            dest::L_THRESH,
        ];
        let [method, weight, upper, lower] = numbers.map(|number| self.attrs.u32(number));
        match (method, weight, upper, lower) {
            (Some(method), Some(weight), Some(upper), Some(lower)) => {
                Ok([method & fwd::MASK, weight, upper, lower])
            }
            _ => Err(ConfigError::DestIncomplete),
        }
    }

    fn full_key(&self) -> Result<(IpAddr, u16), ConfigError> {
        self.named()?;
        let [method, ..] = self.numbers()?;
        let v6 = self.is_v6()?;
        let may_differ = match method {
            fwd::TUNNEL => true,
            fwd::MASQ | fwd::FULLNAT => self.service_is_v6,
            _ => false,
        };
        if v6 != self.service_is_v6 && !may_differ {
            return Err(ConfigError::DestFamilyMixed);
        }
        self.key()
    }

    /// The numbers, if they are possible.
    fn checked(&self) -> Result<[u32; 4], ConfigError> {
        let numbers = self.numbers()?;
        let [_, weight, upper, lower] = numbers;
        if i32::try_from(weight).is_err() {
            return Err(ConfigError::Weight);
        }
        if lower > upper {
            return Err(ConfigError::ThresholdOrder);
        }
        if i32::try_from(upper).is_err() {
            return Err(ConfigError::ThresholdRange);
        }
        let (kind, port, _) = self.tunnel();
        if kind == tun::GUE && port == 0 {
            return Err(ConfigError::TunnelPort);
        }
        Ok(numbers)
    }

    fn tunnel(&self) -> (u8, u16, u16) {
        (
            self.attrs.u8(dest::TUN_TYPE).unwrap_or(0),
            self.attrs.be16(dest::TUN_PORT).unwrap_or(0),
            self.attrs.u16(dest::TUN_FLAGS).unwrap_or(0),
        )
    }

    /// What the destination is to be.
    fn dest(
        &self,
        (addr, port): (IpAddr, u16),
        numbers: [u32; 4],
        old: Option<&Dest>,
    ) -> Verdict<Dest> {
        let [method, weight, upper, lower] = numbers;
        if matches!(method, 4 | 6 | 7) {
            return Err(ConfigError::MethodUnknown.into());
        }
        let (kind, tunnel_port, flags) = self.tunnel();
        let tunnel = match (kind, flags) {
            (tun::IPIP, 0) => (kind, 0, 0),
            (tun::GUE, 0..=2) => (kind, tunnel_port, flags),
            (tun::GRE, 0..=1) => (kind, 0, flags),
            (0..=2, _) => return Err(ConfigError::TunnelFlags.into()),
            _ => return Err(ConfigError::TunnelType.into()),
        };
        // Who asks for NAT of what is FULLNAT leaves it as it is.
        let stays = method == fwd::MASQ && old.is_some_and(|old| old.method == fwd::FULLNAT);
        let method = if stays { fwd::FULLNAT } else { method };
        Ok(Dest {
            addr,
            port,
            method,
            weight,
            upper,
            lower,
            tunnel,
            in_effect: None,
        })
    }
}

/// Whether a host can have the address, seen from the namespace that the case
/// makes (`selftests/lib/messages.sh`).
fn is_host(addr: IpAddr) -> bool {
    match addr {
        IpAddr::V4(addr) => {
            let [a, ..] = addr.octets();
            let is_broadcast =
                [[255; 4], [10, 2, 0, 255], [127, 255, 255, 255]].contains(&addr.octets());
            a != 0 && !addr.is_multicast() && !is_broadcast
        }
        IpAddr::V6(addr) => {
            let is_mapped = addr.to_ipv4_mapped().is_some();
            !addr.is_unspecified() && !addr.is_multicast() && !is_mapped && !is_link_local(addr)
        }
    }
}

fn is_link_local(addr: Ipv6Addr) -> bool {
    addr.segments()[0] & 0xffc0 == 0xfe80
}

/// Whether that namespace has a route to the address.
fn is_routed(addr: IpAddr) -> bool {
    match addr {
        IpAddr::V4(addr) => addr.octets().starts_with(&[10, 2, 0]) || addr.is_loopback(),
        IpAddr::V6(addr) => addr.segments().starts_with(&[0xfd00, 2, 0, 0]) || addr.is_loopback(),
    }
}

impl Service {
    fn dest(&self, key: (IpAddr, u16)) -> Option<&Dest> {
        self.dests.iter().find(|dest| (dest.addr, dest.port) == key)
    }
}

impl State {
    fn dest_request<'a>(&mut self, attrs: &Attrs<'a>) -> Verdict<(&mut Service, Request<'a>)> {
        let service = self.known(attrs)?;
        let nest = attrs
            .bytes(ipvs::attr::DEST)
            .ok_or(ConfigError::DestMissing)?;
        let attrs = named(nest, &POLICY, Strictness::Lenient)?;
        let service_is_v6 = service.key.is_v6();
        Ok((
            service,
            Request {
                attrs,
                service_is_v6,
            },
        ))
    }

    pub(super) fn add_dest(&mut self, attrs: &Attrs<'_>) -> Verdict {
        let (service, request) = self.dest_request(attrs)?;
        add(service, request.attrs, None)
    }

    pub(super) fn edit_dest(&mut self, attrs: &Attrs<'_>) -> Verdict {
        let (service, request) = self.dest_request(attrs)?;
        let key = request.full_key()?;
        let numbers = request.checked()?;
        let old = service.dest(key).ok_or(ConfigError::DestUnknown)?;
        let dest = request.dest(key, numbers, Some(old))?;
        if old.method != dest.method {
            has_way(&dest)?;
        }
        let place = service
            .dests
            .iter()
            .position(|dest| (dest.addr, dest.port) == key);
        service.dests[place.expect("it was found")] = dest;
        Ok(())
    }

    pub(super) fn delete_dest(&mut self, attrs: &Attrs<'_>) -> Verdict {
        let (service, request) = self.dest_request(attrs)?;
        let key = request.key()?;
        service.dest(key).ok_or(ConfigError::DestUnknown)?;
        service.dests.retain(|dest| (dest.addr, dest.port) != key);
        Ok(())
    }

    /// How packets reach a destination: NAT with local addresses, or between families, is FULLNAT.
    pub(crate) fn in_effect(&self, service: &Service, dest: &Dest) -> u32 {
        if let Some(method) = dest.in_effect {
            return method;
        }
        let v6 = dest.addr.is_ipv6();
        let has = |owner: Option<Key>| {
            let pool = self.pools.get(&owner).into_iter().flatten();
            pool.into_iter().any(|local| local.addr.is_ipv6() == v6)
        };
        let some = has(Some(service.key.clone())) || has(None);
        let wanted = some && !service.masq_only;
        if dest.method == fwd::MASQ && (v6 != service.key.is_v6() || wanted) {
            fwd::FULLNAT
        } else {
            dest.method
        }
    }
}

/// Adds a destination to a service that takes the place of another. One that
/// serves that one already is not asked for its way again.
pub(super) fn add(service: &mut Service, attrs: Attrs<'_>, old: Option<&Service>) -> Verdict {
    let service_is_v6 = service.key.is_v6();
    let request = Request {
        attrs,
        service_is_v6,
    };
    let key = request.full_key()?;
    let numbers = request.checked()?;
    if service.dest(key).is_some() {
        return Err(ConfigError::DestExists.into());
    }
    // What no host ever can have is seen before the rest, what this host knows after it.
    let (addr, _) = key;
    let unspecified = [
        IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    ];
    let never = unspecified.contains(&addr) || addr.is_multicast() || addr == Ipv4Addr::BROADCAST;
    if never {
        return Err(ConfigError::DestAddress.into());
    }
    let dest = request.dest(key, numbers, None)?;
    let serving = old.and_then(|old| old.dest(key));
    if serving.is_none_or(|serving| serving.method != dest.method) {
        if !is_host(addr) {
            return Err(ConfigError::DestAddress.into());
        }
        has_way(&dest)?;
    }
    service.dests.push(dest);
    Ok(())
}

fn has_way(dest: &Dest) -> Result<(), ConfigError> {
    if dest.method == fwd::TUNNEL && !is_routed(dest.addr) {
        return Err(ConfigError::TunnelRoute);
    }
    Ok(())
}
