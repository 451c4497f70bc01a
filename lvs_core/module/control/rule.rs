// SPDX-License-Identifier: GPL-2.0

//! Rules of a set of services, as the family `LVS` has them: attributes in,
//! requests out.

use super::parse::{dest, local, nest_of, service, LVS_LOCAL};
use kernel::prelude::*;
use lvs_engine::{
    config::ConfigError,
    dest::DestRequest,
    laddr::LocalRequest,
    service::ServiceRequest, //
};
use lvs_kapi::genl::{Attr, Policy, Refusal, Request, Strictness};
use lvs_wire::netlink::{ipvs::svc, lvs};

/// What attributes a rule may have.
static RULE: [Policy; 5] = [
    Policy::NONE,
    Policy::NEST,
    Policy::NEST,
    Policy::NEST,
    Policy::U32,
];

/// What attributes of a service that it adds a rule may have: those of the
/// family `IPVS` that say what it is set to.
static ADDED_SERVICE: [Policy; 12] = [
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
    Policy::NONE,
    Policy::string(16),
];

/// What attributes of a service that it names a rule may have: the first ones.
static NAMED_SERVICE: &[Policy] = ADDED_SERVICE.split_at(1 + svc::FWMARK as usize).0;

/// As [`ADDED_SERVICE`], of a destination.
static ADDED_DEST: [Policy; 16] = [
    Policy::NONE,
    Policy::binary(16),
    Policy::U16,
    Policy::U32,
    Policy::U32,
    Policy::U32,
    Policy::U32,
    Policy::NONE,
    Policy::NONE,
    Policy::NONE,
    Policy::NONE,
    Policy::U16,
    Policy::NONE,
    Policy::U8,
    Policy::U16,
    Policy::U16,
];

/// What a rule adds to a set.
pub(super) enum Rule<'a> {
    /// A service, and its flags.
    Service(ServiceRequest<'a>, Option<u32>),
    /// A destination, to the service that is named.
    Dest(ServiceRequest<'a>, DestRequest<'a>),
    /// A local address, to that of a service, if one is named, or the default
    /// pool.
    Local(Option<ServiceRequest<'a>>, LocalRequest<'a>),
}

/// The rule that an attribute is.
pub(super) fn parse<'a>(request: &Request<'a>, rule: Attr<'a>) -> Result<Rule<'a>, Refusal> {
    use lvs::rule::{DEST, FLAGS, LADDR, SERVICE};
    let strict = Strictness::Strict;
    let rule = request
        .nest(rule, &RULE, strict)
        .map_err(|_| Refusal::from(EINVAL))?;
    let of = |number, policy: &'static [Policy], missing| {
        nest_of(request, &rule, number, policy, strict, missing)
    };
    let named = |policy: &'static [Policy]| {
        let attrs = of(SERVICE, policy, ConfigError::ServiceMissing);
        attrs.map(|attrs| service(&attrs))
    };
    match (rule.has(DEST), rule.has(LADDR), rule.u32(FLAGS)) {
        (false, false, flags) => Ok(Rule::Service(named(&ADDED_SERVICE)?, flags)),
        (true, false, None) => {
            let attrs = of(DEST, &ADDED_DEST, ConfigError::DestMissing)?;
            Ok(Rule::Dest(named(NAMED_SERVICE)?, dest(&attrs)))
        }
        (false, true, None) => {
            let attrs = of(LADDR, &LVS_LOCAL, ConfigError::LocalAddressMissing)?;
            let owner = rule.has(SERVICE).then(|| named(NAMED_SERVICE));
            let owner = owner.transpose()?;
            Ok(Rule::Local(owner, local(&attrs)))
        }
        _ => Err(Refusal::new(
            EINVAL,
            c"A rule adds a service with its flags, a destination, or a local address: one of them.",
        )),
    }
}
