// SPDX-License-Identifier: GPL-2.0

//! The netlink family `IPVS`, for stock ipvsadm, keepalived and all others:
//! number for number what Linux 7.3 has, and never an attribute more.
//!
//! C source: `net/netfilter/ipvs/ip_vs_ctl.c`. Listings have services in the
//! order they were added and destinations in the reverse order; stock's order
//! of services is random.

use super::{
    ipvs_reply,
    parse,
    refuse::{no_state, refusal, unsupported}, //
};
use crate::ns::{Ns, NS};
use kernel::{
    prelude::*,
    sync::Arc, //
};
use lvs_engine::{
    config::{ConfigError, Unsupported},
    service::ServiceKey,
    timeouts::Setting, //
};
use lvs_kapi::{
    cursor::Cursor,
    errno::eopnotsupp,
    genl::{Does, Dump, Halt, Handler, Op, Policy, Refusal, Request, Right, Strictness},
    rcu::ReadLock, //
};
use lvs_wire::netlink::ipvs::{self, attr, cmd, daemon};

pub(super) struct Ipvs;

/// Every command is for root alone, reading too, and its attributes are
/// checked as they were before there were strict checks.
const fn op(command: u8, does: Does) -> Op {
    Op {
        command,
        does,
        right: Right::Admin,
        strictness: Strictness::Lenient,
    }
}

impl Handler for Ipvs {
    const NAME: &'static str = ipvs::NAME;
    const VERSION: u8 = ipvs::VERSION;
    const STRICT_FROM: u8 = cmd::FLUSH + 1;

    const POLICY: &'static [Policy] = &[
        Policy::NONE,
        Policy::NEST,
        Policy::NEST,
        Policy::NEST,
        Policy::U32,
        Policy::U32,
        Policy::U32,
    ];

    const OPS: &'static [Op] = &[
        op(cmd::NEW_SERVICE, Does::Do),
        op(cmd::SET_SERVICE, Does::Do),
        op(cmd::DEL_SERVICE, Does::Do),
        op(cmd::GET_SERVICE, Does::Both),
        op(cmd::NEW_DEST, Does::Do),
        op(cmd::SET_DEST, Does::Do),
        op(cmd::DEL_DEST, Does::Do),
        op(cmd::GET_DEST, Does::Dump),
        op(cmd::NEW_DAEMON, Does::Do),
        op(cmd::DEL_DAEMON, Does::Do),
        op(cmd::GET_DAEMON, Does::Dump),
        op(cmd::SET_CONFIG, Does::Do),
        op(cmd::GET_CONFIG, Does::Do),
        op(cmd::GET_INFO, Does::Do),
        op(cmd::ZERO, Does::Do),
        op(cmd::FLUSH, Does::Do),
    ];

    fn doit(request: &Request<'_>) -> Result<(), Refusal> {
        let ns = &NS.find(request.net()).ok_or_else(no_state)?;
        match request.command() {
            cmd::NEW_SERVICE | cmd::SET_SERVICE | cmd::DEL_SERVICE => change_service(ns, request),
            cmd::GET_SERVICE => show_service(ns, request),
            cmd::NEW_DEST | cmd::SET_DEST | cmd::DEL_DEST => change_dest(ns, request),
            cmd::NEW_DAEMON => start_daemon(request),
            cmd::DEL_DAEMON => stop_daemon(request),
            cmd::SET_CONFIG => set_timeouts(ns, request),
            cmd::GET_CONFIG => show_timeouts(ns, request),
            cmd::GET_INFO => show_info(ns, request),
            cmd::ZERO => zero(ns, request),
            cmd::FLUSH => {
                ns.flush();
                Ok(())
            }
            _ => Err(eopnotsupp().into()),
        }
    }

    fn dumpit(request: &Request<'_>, cursor: &mut Cursor, out: &mut Dump<'_>) -> Result<(), Halt> {
        let ns = &NS.find(request.net()).ok_or_else(no_state)?;
        match request.command() {
            cmd::GET_SERVICE => ipvs_reply::services(ns, cursor, out),
            cmd::GET_DEST => match key(request) {
                Ok(key) => ipvs_reply::dests(ns, key, cursor, out),
                // As stock: a service that is missing or odd has none.
                Err(_) => Ok(()),
            },
            // There are no daemons.
            _ => Ok(()),
        }
    }
}

/// The service that a request names.
fn key(request: &Request<'_>) -> Result<ServiceKey, Refusal> {
    parse::ipvs_service(request)?.key().map_err(refusal)
}

fn change_service(ns: &Arc<Ns>, request: &Request<'_>) -> Result<(), Refusal> {
    let service = parse::ipvs_service(request)?;
    match request.command() {
        cmd::NEW_SERVICE => Ns::add_service(ns, &service),
        cmd::SET_SERVICE => ns.services.edit(&service),
        _ => service.key().and_then(|key| ns.delete_service(key)),
    }
    .map_err(refusal)
}

fn change_dest(ns: &Arc<Ns>, request: &Request<'_>) -> Result<(), Refusal> {
    let key = key(request)?;
    // Stock looks for the service before it looks at the destination.
    ns.services
        .find(key)
        .ok_or(refusal(ConfigError::ServiceUnknown))?;
    let dest = parse::ipvs_dest(request)?;
    match request.command() {
        cmd::NEW_DEST => Ns::add_dest(ns, request.net(), key, &dest),
        cmd::SET_DEST => ns.services.edit_dest(request.net(), key, &dest),
        _ => ns.delete_dest(key, &dest),
    }
    .map_err(refusal)
}

fn show_service(ns: &Arc<Ns>, request: &Request<'_>) -> Result<(), Refusal> {
    let key = key(request)?;
    let service = ns
        .services
        .find(key)
        .ok_or(refusal(ConfigError::ServiceUnknown))?;
    request.reply(cmd::NEW_SERVICE, |out| ipvs_reply::service(&service, out))
}

fn start_daemon(request: &Request<'_>) -> Result<(), Refusal> {
    let attrs = parse::ipvs_daemon(request)?;
    let complete = [daemon::STATE, daemon::MCAST_IFN, daemon::SYNC_ID];
    if !complete.iter().all(|number| attrs.has(*number)) {
        return Err(Refusal::new(
            EINVAL,
            c"The sync daemon lacks state, interface or sync id: give all three.",
        ));
    }
    Err(unsupported(Unsupported::SyncDaemon))
}

fn stop_daemon(request: &Request<'_>) -> Result<(), Refusal> {
    match parse::ipvs_daemon(request)?.u32(daemon::STATE) {
        Some(1 | 2) => Err(Refusal::new(ESRCH, c"No such sync daemon is running.")),
        _ => Err(Refusal::new(
            EINVAL,
            c"The sync daemon's state must be 1 (master) or 2 (backup).",
        )),
    }
}

/// The settable timeouts, in the order of their attributes.
const TIMEOUTS: [(u16, Setting); 3] = [
    (attr::TIMEOUT_TCP, Setting::Established),
    (attr::TIMEOUT_TCP_FIN, Setting::FinWait),
    (attr::TIMEOUT_UDP, Setting::Udp),
];

/// Chains of the connection table; 0 before the first service.
pub(super) fn table_size(ns: &Ns) -> usize {
    ns.conns().map_or(0, |conns| conns.size(&ReadLock::new()))
}

/// All of them or, when one is out of range, none; 0 leaves one as it is.
fn set_timeouts(ns: &Arc<Ns>, request: &Request<'_>) -> Result<(), Refusal> {
    ns.change_timeouts(|timeouts| {
        for (number, which) in TIMEOUTS {
            let seconds = request.attrs().u32(number).unwrap_or(0);
            if seconds != 0 {
                let set = timeouts.set(which, seconds);
                set.map_err(|error| refusal(error.into()))?;
            }
        }
        Ok(())
    })
}

fn show_timeouts(ns: &Arc<Ns>, request: &Request<'_>) -> Result<(), Refusal> {
    let timeouts = *ns.settings.timeouts(&ReadLock::new());
    request.reply(cmd::SET_CONFIG, |out| {
        for (number, which) in TIMEOUTS {
            out.u32(number, timeouts.get(which))?;
        }
        Ok(())
    })
}

fn show_info(ns: &Arc<Ns>, request: &Request<'_>) -> Result<(), Refusal> {
    let size = u32::try_from(table_size(ns)).unwrap_or(u32::MAX);
    request.reply(cmd::SET_INFO, |out| {
        out.u32(ipvs::info::VERSION, ipvs::IPVS_VERSION)?;
        out.u32(ipvs::info::CONN_TAB_SIZE, size)
    })
}

fn zero(ns: &Arc<Ns>, request: &Request<'_>) -> Result<(), Refusal> {
    let key = (request.attrs().has(attr::SERVICE))
        .then(|| key(request))
        .transpose()?;
    ns.zero(key).map_err(refusal)
}
