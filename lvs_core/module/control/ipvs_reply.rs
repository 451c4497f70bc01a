// SPDX-License-Identifier: GPL-2.0

//! Services and destinations as the family `IPVS` shows them. The order of
//! the attributes is stock's.

use super::{addr::padded, stats::Figures};
use crate::{dests::Dest, ns::Ns, service::Service, version::Backend};
use kernel::prelude::*;
use lvs_engine::{
    conn::Method,
    dest::DestConfig,
    service::ServiceKey, //
};
use lvs_kapi::{
    cursor::Cursor,
    genl::{Dump, Halt, Writer},
    rcu::ReadLock, //
};
use lvs_wire::{
    addr::Family,
    netlink::ipvs::{attr, cmd, dest, fwd, svc, svc_flags}, //
};

/// The rest of the services; the cursor is the number of the next one.
pub(super) fn services(ns: &Ns, cursor: &mut Cursor, out: &mut Dump<'_>) -> Result<(), Halt> {
    let Cursor([next, ..]) = cursor;
    let mut result = Ok(());
    ns.services.for_each(*next, |each| {
        result = out.message(cmd::NEW_SERVICE, |out| service(each, out));
        if result.is_ok() {
            *next = each.serial.wrapping_add(1);
        }
        result.is_ok()
    });
    result
}

/// The rest of the destinations of a service; the cursor is the number of the
/// last one.
pub(super) fn dests(
    ns: &Ns,
    key: ServiceKey,
    cursor: &mut Cursor,
    out: &mut Dump<'_>,
) -> Result<(), Halt> {
    let Some(service) = ns.services.find(key) else {
        return Ok(());
    };
    let rcu = ReadLock::new();
    let Cursor([last, ..]) = cursor;
    for each in service.version(&rcu).behind(*last) {
        out.message(cmd::NEW_DEST, |out| {
            out.nest_unmarked(attr::DEST, |out| dest(each, out))
        })?;
        *last = behind(*last, &each.dest);
    }
    Ok(())
}

/// How far a listing of destinations has got after `each`. One that is added
/// anew meanwhile has a high number suddenly; that does not lead back.
pub(super) fn behind(last: u64, each: &Dest) -> u64 {
    match last {
        0 => each.serial(),
        _ => last.min(each.serial()),
    }
}

/// One service, with its nest.
pub(super) fn service(service: &Service, out: &mut Writer<'_>) -> Result {
    out.nest_unmarked(attr::SERVICE, |out| {
        let (key, config) = (service.key, service.config());
        out.u16(svc::AF, key.family().af())?;
        match key {
            ServiceKey::Fwmark { mark, .. } => out.u32(svc::FWMARK, mark)?,
            ServiceKey::Address {
                protocol,
                addr,
                port,
            } => {
                out.u16(svc::PROTOCOL, protocol)?;
                out.bytes(svc::ADDR, &padded(&addr))?;
                out.be16(svc::PORT, port)?;
            }
        }
        out.string(svc::SCHED_NAME, config.scheduler.name())?;
        out.bytes(svc::FLAGS, &flags_and_mask(config.flags))?;
        out.u32(svc::TIMEOUT, config.timeout)?;
        out.bytes(svc::NETMASK, &config.netmask.to_be_bytes())?;
        let figures = Figures::of(&service.stats);
        out.nest_unmarked(svc::STATS, |out| figures.write_narrow(out))?;
        out.nest_unmarked(svc::STATS64, |out| figures.write(out))
    })
}

/// The flags, with the kernel's own, and a mask of all.
fn flags_and_mask(flags: u32) -> [u8; 8] {
    let [a, b, c, d] = (flags | svc_flags::HASHED).to_ne_bytes();
    [a, b, c, d, 0xff, 0xff, 0xff, 0xff]
}

/// One destination. FULLNAT reads as masquerading: strict clients know no
/// other number for it.
fn dest(backend: &Backend, out: &mut Writer<'_>) -> Result {
    let each = &backend.dest;
    let DestConfig {
        method,
        weight,
        thresholds,
        tunnel,
    } = backend.config;
    let (active, inactive) = each.conns();
    out.bytes(dest::ADDR, &padded(&each.real.addr))?;
    out.be16(dest::PORT, each.real.port)?;
    out.u32(
        dest::FWD_METHOD,
        match method {
            Method::Fullnat => fwd::MASQ,
            method => method.number().into(),
        },
    )?;
    out.u32(dest::WEIGHT, weight)?;
    out.u8(dest::TUN_TYPE, tunnel.kind())?;
    out.be16(dest::TUN_PORT, tunnel.port())?;
    out.u16(dest::TUN_FLAGS, tunnel.flags())?;
    out.u32(dest::U_THRESH, thresholds.upper)?;
    out.u32(dest::L_THRESH, thresholds.lower)?;
    out.u32(dest::ACTIVE_CONNS, active)?;
    out.u32(dest::INACT_CONNS, inactive)?;
    out.u32(dest::PERSIST_CONNS, each.persistent())?;
    out.u16(dest::ADDR_FAMILY, Family::of(&each.real.addr).af())?;
    let figures = Figures::of(&each.stats);
    out.nest_unmarked(dest::STATS, |out| figures.write_narrow(out))?;
    out.nest_unmarked(dest::STATS64, |out| figures.write(out))
}
