// SPDX-License-Identifier: GPL-2.0

//! The netlink family `LVS`: what the family `IPVS` has no room for. Described
//! in `Documentation/netlink/specs/lvs.yaml`.
//!
//! Everybody may read; changing needs CAP_NET_ADMIN in the initial user
//! namespace, as with the family `IPVS`. Attributes are checked strictly.

use super::{
    lvs_reply, parse,
    refuse::{no_state, refusal, Refused},
    rule::{self, Rule},
};
use crate::{
    ns::{Ns, NS},
    services::Next,
};
use kernel::{prelude::*, sync::Arc};
use lvs_engine::{
    config::ConfigError,
    service::{ServiceKey, ServiceRequest},
};
use lvs_kapi::{
    cursor::Cursor,
    errno::eopnotsupp,
    genl::{Does, Dump, Halt, Handler, Op, Policy, Refusal, Request, Right, Strictness},
};
use lvs_wire::netlink::lvs::{self, attr, cmd, svc_flags};

pub(super) struct Lvs;

const fn op(command: u8, does: Does, right: Right) -> Op {
    Op {
        command,
        does,
        right,
        strictness: Strictness::Strict,
    }
}

impl Handler for Lvs {
    const NAME: &'static str = lvs::NAME;
    const VERSION: u8 = lvs::VERSION;

    /// Nothing but nests, in the order of their numbers; what requests have no
    /// use for is refused.
    const POLICY: &'static [Policy] = &[
        Policy::NONE,
        Policy::NEST,
        Policy::NONE,
        Policy::NEST,
        Policy::NONE,
        Policy::NONE,
        Policy::NONE,
        Policy::NEST,
        Policy::NEST,
    ];

    // What changes anything is for who may make services: to others it would be
    // memory and lines in the log, and no use.
    const OPS: &'static [Op] = &[
        op(cmd::GET_INFO, Does::Do, Right::Anyone),
        op(cmd::GET_SERVICE, Does::Both, Right::Anyone),
        op(cmd::SET_SERVICE, Does::Do, Right::Admin),
        op(cmd::GET_DEST, Does::Dump, Right::Anyone),
        op(cmd::NEW_LADDR, Does::Do, Right::Admin),
        op(cmd::DEL_LADDR, Does::Do, Right::Admin),
        op(cmd::GET_LADDR, Does::Dump, Right::Anyone),
        op(cmd::GET_CONN, Does::Dump, Right::Anyone),
        op(cmd::GET_DROPS, Does::Do, Right::Anyone),
        op(cmd::GET_EVENTS, Does::Do, Right::Anyone),
        op(cmd::REPLACE, Does::Do, Right::Admin),
    ];

    fn doit(request: &Request<'_>) -> Result<(), Refusal> {
        let ns = &NS.find(request.net()).ok_or_else(no_state)?;
        match request.command() {
            cmd::GET_INFO => request.reply(cmd::GET_INFO, |out| lvs_reply::info(ns, out)),
            cmd::GET_SERVICE => show_service(ns, request),
            cmd::SET_SERVICE => set_service(ns, request),
            cmd::NEW_LADDR => {
                let local = parse::lvs_local(request)?.config().map_err(refusal)?;
                ns.add_local(owner(request)?, local).map_err(refusal)
            }
            cmd::DEL_LADDR => {
                let addr = parse::lvs_local(request)?.addr().map_err(refusal)?;
                ns.delete_local(owner(request)?, addr).map_err(refusal)
            }
            cmd::GET_DROPS => request.reply(cmd::GET_DROPS, |out| lvs_reply::drops(ns, out)),
            cmd::GET_EVENTS => request.reply(cmd::GET_EVENTS, |out| lvs_reply::events(ns, out)),
            cmd::REPLACE => replace(ns, request),
            _ => Err(eopnotsupp().into()),
        }
    }

    fn dumpit(request: &Request<'_>, cursor: &mut Cursor, out: &mut Dump<'_>) -> Result<(), Halt> {
        let ns = &NS.find(request.net()).ok_or_else(no_state)?;
        match request.command() {
            cmd::GET_SERVICE => lvs_reply::services(ns, cursor, out),
            cmd::GET_DEST => lvs_reply::dests(ns, key(request)?, cursor, out),
            cmd::GET_LADDR => lvs_reply::locals(ns, owner(request)?, cursor, out),
            cmd::GET_CONN => {
                let filter = parse::lvs_filter(request)?;
                lvs_reply::conns(ns, &filter, cursor, out)
            }
            _ => Err(Refusal::from(eopnotsupp()).into()),
        }
    }
}

/// The service that a request names, if it names one.
fn owner(request: &Request<'_>) -> Result<Option<ServiceKey>, Refusal> {
    match parse::lvs_service(request)? {
        Some((service, _)) => service.key().map(Some).map_err(refusal),
        None => Ok(None),
    }
}

/// The service that a request must name.
fn key(request: &Request<'_>) -> Result<ServiceKey, Refusal> {
    owner(request)?.ok_or(refusal(ConfigError::ServiceMissing))
}

fn show_service(ns: &Arc<Ns>, request: &Request<'_>) -> Result<(), Refusal> {
    let key = key(request)?;
    let service = ns
        .services
        .find(key)
        .ok_or(refusal(ConfigError::ServiceUnknown))?;
    request.reply(cmd::GET_SERVICE, |out| lvs_reply::service(&service, out))
}

fn set_service(ns: &Arc<Ns>, request: &Request<'_>) -> Result<(), Refusal> {
    let (service, flags) =
        parse::lvs_service(request)?.ok_or(refusal(ConfigError::ServiceMissing))?;
    let flags = flags.ok_or(Refusal::new(EINVAL, c"The request has no flags to set."))?;
    let masq_only = masq_only(flags)?;
    let key = service.key().map_err(refusal)?;
    ns.services.set_masq_only(key, masq_only).map_err(refusal)
}

/// What a service's flags say.
fn masq_only(flags: u32) -> Result<bool, Refusal> {
    if flags & !svc_flags::ALL != 0 {
        return Err(Refusal::new(EINVAL, c"A service has no such flag."));
    }
    Ok(flags & svc_flags::MASQ_ONLY != 0)
}

/// Lets the rules of a request take the place of all that there is. Without
/// any rule, nothing is left.
fn replace(ns: &Arc<Ns>, request: &Request<'_>) -> Result<(), Refusal> {
    let attrs = request.attrs();
    if [attr::SERVICE, attr::LADDR, attr::FILTER]
        .iter()
        .any(|number| attrs.has(*number))
    {
        return Err(Refusal::new(EINVAL, c"A set is made of rules alone."));
    }
    let replaced = Ns::replace(ns, request.net(), |next| {
        for attr in request.each(attr::RULE) {
            let added = rule::parse(request, attr).and_then(|rule| add(next, &rule));
            added.map_err(|refusal| Refused(request.about(attr, refusal)))?;
        }
        Ok(())
    });
    replaced.map_err(|Refused(refusal)| refusal)
}

fn add(next: &mut Next<'_>, rule: &Rule<'_>) -> Result<(), Refusal> {
    match rule {
        Rule::Service(service, flags) => {
            let masq_only = masq_only(flags.unwrap_or(0))?;
            next.add_service(service, masq_only)
        }
        Rule::Dest(service, dest) => service.key().and_then(|key| next.add_dest(key, dest)),
        Rule::Local(owner, local) => local.config().and_then(|local| {
            let owner = owner.as_ref().map(ServiceRequest::key).transpose()?;
            next.add_local(owner, local)
        }),
    }
    .map_err(refusal)
}
