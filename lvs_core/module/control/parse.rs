// SPDX-License-Identifier: GPL-2.0

//! Requests as the engine checks them: attributes in, values out.

use super::refuse::refusal;
use crate::{conns::Connection, family::Family};
use kernel::prelude::*;
use lvs_engine::{
    config::ConfigError,
    dest::DestRequest,
    laddr::LocalRequest,
    service::ServiceRequest, //
};
use lvs_kapi::genl::{Attrs, Policy, Refusal, Request, Strictness};
use lvs_wire::{
    addr::AnyAddr,
    netlink::{ipvs, lvs},
};

/// The attributes of the nest `number`.
///
/// # Errors
///
/// `missing` when it is not there, `EINVAL` with the core's own words when it
/// cannot be parsed.
pub(super) fn nest<'a>(
    request: &Request<'a>,
    number: u16,
    policy: &'static [Policy],
    strictness: Strictness,
    missing: ConfigError,
) -> Result<Attrs<'a>, Refusal> {
    nest_of(
        request,
        request.attrs(),
        number,
        policy,
        strictness,
        missing,
    )
}

/// As [`nest`], of the nest `number` among `attrs`.
pub(super) fn nest_of<'a>(
    request: &Request<'a>,
    attrs: &Attrs<'a>,
    number: u16,
    policy: &'static [Policy],
    strictness: Strictness,
    missing: ConfigError,
) -> Result<Attrs<'a>, Refusal> {
    let nest = attrs.get(number).ok_or(refusal(missing))?;
    request
        .nest(nest, policy, strictness)
        .map_err(|_| EINVAL.into())
}

/// What attributes of a service the family `IPVS` lets through.
static IPVS_SERVICE: [Policy; 13] = [
    Policy::NONE,
    Policy::U16,
    Policy::U16,
    Policy::binary(16),
    Policy::U16,
    Policy::U32,
    Policy::string(15),
    Policy::binary(8),
    Policy::U32,
    Policy::U32,
    Policy::NEST,
    Policy::string(16),
    Policy::NONE,
];

/// The service that a request of the family `IPVS` is about.
pub(super) fn ipvs_service<'a>(request: &Request<'a>) -> Result<ServiceRequest<'a>, Refusal> {
    let attrs = nest(
        request,
        ipvs::attr::SERVICE,
        &IPVS_SERVICE,
        Strictness::Lenient,
        ConfigError::ServiceMissing,
    )?;
    Ok(service(&attrs))
}

/// A service with all that the family `IPVS` says of one.
pub(super) fn service<'a>(attrs: &Attrs<'a>) -> ServiceRequest<'a> {
    use ipvs::svc;
    ServiceRequest {
        af: attrs.u16(svc::AF),
        protocol: attrs.u16(svc::PROTOCOL),
        addr: attrs.bytes(svc::ADDR),
        port: attrs.be16(svc::PORT),
        fwmark: attrs.u32(svc::FWMARK),
        sched: text(attrs.string(svc::SCHED_NAME)),
        flags: attrs.bytes(svc::FLAGS).map(flags_and_mask),
        timeout: attrs.u32(svc::TIMEOUT),
        netmask: attrs.be32(svc::NETMASK),
        pe: text(attrs.string(svc::PE_NAME)),
    }
}

/// A name; one that is no UTF-8 is nobody's.
fn text(bytes: Option<&[u8]>) -> Option<&str> {
    bytes.map(|bytes| core::str::from_utf8(bytes).unwrap_or("?"))
}

/// Two numbers in host order; what is missing is zero.
fn flags_and_mask(bytes: &[u8]) -> (u32, u32) {
    let mut whole = [0; 8];
    for (to, from) in whole.iter_mut().zip(bytes) {
        *to = *from;
    }
    let [a, b, c, d, e, f, g, h] = whole;
    (
        u32::from_ne_bytes([a, b, c, d]),
        u32::from_ne_bytes([e, f, g, h]),
    )
}

/// What attributes of a service the family `LVS` lets through.
static LVS_SERVICE: [Policy; 9] = [
    Policy::NONE,
    Policy::U16,
    Policy::U16,
    Policy::binary(16),
    Policy::U16,
    Policy::U32,
    Policy::U32,
    Policy::NONE,
    Policy::NONE,
];

/// The service that a request of the family `LVS` is about, and its flags;
/// `None` when the request names none.
pub(super) fn lvs_service<'a>(
    request: &Request<'a>,
) -> Result<Option<(ServiceRequest<'a>, Option<u32>)>, Refusal> {
    use lvs::svc;
    if !request.attrs().has(lvs::attr::SERVICE) {
        return Ok(None);
    }
    let attrs = nest(
        request,
        lvs::attr::SERVICE,
        &LVS_SERVICE,
        Strictness::Strict,
        ConfigError::ServiceMissing,
    )?;
    let service = ServiceRequest {
        af: attrs.u16(svc::AF),
        protocol: attrs.u16(svc::PROTOCOL),
        addr: attrs.bytes(svc::ADDR),
        port: attrs.be16(svc::PORT),
        fwmark: attrs.u32(svc::FWMARK),
        ..ServiceRequest::default()
    };
    Ok(Some((service, attrs.u32(svc::FLAGS))))
}

/// What attributes of a destination the family `IPVS` lets through.
static IPVS_DEST: [Policy; 16] = [
    Policy::NONE,
    Policy::binary(16),
    Policy::U16,
    Policy::U32,
    Policy::U32,
    Policy::U32,
    Policy::U32,
    Policy::U32,
    Policy::U32,
    Policy::U32,
    Policy::NEST,
    Policy::U16,
    Policy::NONE,
    Policy::U8,
    Policy::U16,
    Policy::U16,
];

/// The destination that a request of the family `IPVS` is about.
pub(super) fn ipvs_dest<'a>(request: &Request<'a>) -> Result<DestRequest<'a>, Refusal> {
    let attrs = nest(
        request,
        ipvs::attr::DEST,
        &IPVS_DEST,
        Strictness::Lenient,
        ConfigError::DestMissing,
    )?;
    Ok(dest(&attrs))
}

/// A destination with all that the family `IPVS` says of one.
pub(super) fn dest<'a>(attrs: &Attrs<'a>) -> DestRequest<'a> {
    use ipvs::dest;
    DestRequest {
        addr: attrs.bytes(dest::ADDR),
        port: attrs.be16(dest::PORT),
        af: attrs.u16(dest::ADDR_FAMILY),
        method: attrs.u32(dest::FWD_METHOD),
        weight: attrs.u32(dest::WEIGHT),
        upper: attrs.u32(dest::U_THRESH),
        lower: attrs.u32(dest::L_THRESH),
        tunnel_type: attrs.u8(dest::TUN_TYPE),
        tunnel_port: attrs.be16(dest::TUN_PORT),
        tunnel_flags: attrs.u16(dest::TUN_FLAGS),
    }
}

/// What attributes of a sync daemon the family `IPVS` lets through.
static IPVS_DAEMON: [Policy; 9] = [
    Policy::NONE,
    Policy::U32,
    Policy::string(15),
    Policy::U32,
    Policy::U16,
    Policy::U32,
    Policy::binary(16),
    Policy::U16,
    Policy::U8,
];

/// The attributes of the sync daemon that a request is about.
pub(super) fn ipvs_daemon<'a>(request: &Request<'a>) -> Result<Attrs<'a>, Refusal> {
    let nest = (request.attrs().get(ipvs::attr::DAEMON))
        .ok_or(Refusal::new(EINVAL, c"The request names no sync daemon."))?;
    request
        .nest(nest, &IPVS_DAEMON, Strictness::Lenient)
        .map_err(|_| EINVAL.into())
}

/// What attributes of a local address a request may have.
pub(super) static LVS_LOCAL: [Policy; 9] = [
    Policy::NONE,
    Policy::U16,
    Policy::binary(16),
    Policy::NONE,
    Policy::NONE,
    Policy::NONE,
    Policy::NONE,
    Policy::NONE,
    Policy::U32,
];

/// The local address that a request is about.
pub(super) fn lvs_local<'a>(request: &Request<'a>) -> Result<LocalRequest<'a>, Refusal> {
    let attrs = nest(
        request,
        lvs::attr::LADDR,
        &LVS_LOCAL,
        Strictness::Strict,
        ConfigError::LocalAddressMissing,
    )?;
    Ok(local(&attrs))
}

pub(super) fn local<'a>(attrs: &Attrs<'a>) -> LocalRequest<'a> {
    use lvs::laddr;
    LocalRequest {
        af: attrs.u16(laddr::AF),
        addr: attrs.bytes(laddr::ADDR),
        flags: attrs.u32(laddr::FLAGS),
    }
}

/// What attributes of a connection a filter may have.
static LVS_FILTER: [Policy; 12] = [
    Policy::NONE,
    Policy::U16,
    Policy::U16,
    Policy::binary(16),
    Policy::U16,
    Policy::binary(16),
    Policy::U16,
    Policy::U16,
    Policy::binary(16),
    Policy::U16,
    Policy::binary(16),
    Policy::U16,
];

/// Which connections a request wants to see: those that have every attribute
/// that it gives.
pub(super) struct Filter<'a>(Option<Attrs<'a>>);

/// The filter of a request; without one, every connection.
pub(super) fn lvs_filter<'a>(request: &Request<'a>) -> Result<Filter<'a>, Refusal> {
    use lvs::conn;
    let Some(given) = request.attrs().get(lvs::attr::FILTER) else {
        return Ok(Filter(None));
    };
    let attrs = request.nest(given, &LVS_FILTER, Strictness::Strict)?;
    for number in [conn::CADDR, conn::VADDR, conn::LADDR, conn::DADDR] {
        if !matches!(attrs.bytes(number).map(<[u8]>::len), None | Some(4 | 16)) {
            return Err(refusal(ConfigError::AddressLength));
        }
    }
    Ok(Filter(Some(attrs)))
}

impl Filter<'_> {
    pub(super) fn matches<C: Family, S: Family>(&self, connection: &Connection<C, S>) -> bool {
        use lvs::conn;
        let Some(attrs) = &self.0 else {
            return true;
        };
        let c = &connection.conn;
        let ends = [
            (conn::CADDR, conn::CPORT, c.client.any()),
            (conn::VADDR, conn::VPORT, c.virt.any()),
            (conn::LADDR, conn::LPORT, c.local.any()),
            (conn::DADDR, conn::DPORT, connection.real()),
        ];
        let numbers = [
            (conn::PROTOCOL, u16::from(c.protocol.number())),
            (conn::CAF, C::FAMILY.af()),
            (conn::LAF, S::FAMILY.af()),
        ];
        numbers
            .iter()
            .all(|(number, value)| attrs.u16(*number).is_none_or(|given| given == *value))
            && ends.iter().all(|(addr, port, end)| {
                let same = |given: &[u8]| match end.addr {
                    AnyAddr::V4(addr) => given == addr.octets(),
                    AnyAddr::V6(addr) => given == addr.octets(),
                };
                attrs.bytes(*addr).is_none_or(same)
                    && attrs.be16(*port).is_none_or(|given| given == end.port)
            })
    }
}
