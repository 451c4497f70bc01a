// SPDX-License-Identifier: GPL-2.0

//! What the family `LVS` shows.

use super::{
    ipvs_genl::table_size,
    ipvs_reply::behind,
    parse::Filter,
    refuse::refusal,
    stats::Figures, //
};
use crate::{
    conns::{now, Connection, Conns, Flows},
    family::Family,
    locals::{Local, Pool},
    ns::Ns,
    service::Service,
    version::Backend,
};
use core::{net::IpAddr, sync::atomic::Ordering::Relaxed};
use kernel::{prelude::*, sync::Arc};
use lvs_engine::{
    config::ConfigError,
    conn::Method,
    drop_reason::{DropReason, Event},
    service::ServiceKey, //
};
use lvs_kapi::{
    cursor::Cursor,
    genl::{Dump, Halt, Writer},
    rcu::ReadLock, //
};
use lvs_wire::{
    addr::{AnyEndpoint, Family as AnyFamily},
    netlink::lvs::{
        attr, cmd, conn, conn_flags, dest, drop, info, laddr, laddr_flags, svc, svc_flags,
    },
};

/// The module's version.
const VERSION: &str = "0.1.0";

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn index(place: u64) -> usize {
    usize::try_from(place).unwrap_or(usize::MAX)
}

/// An address in as many bytes as its family has.
fn addr(out: &mut Writer<'_>, number: u16, addr: IpAddr) -> Result {
    match addr {
        IpAddr::V4(addr) => out.bytes(number, &addr.octets()),
        IpAddr::V6(addr) => out.bytes(number, &addr.octets()),
    }
}

/// Numbers of the namespace.
pub(super) fn info(ns: &Ns, out: &mut Writer<'_>) -> Result {
    let conns = ns.conns().map_or(0, Conns::len);
    let locals = ns.services.default_locals();
    out.nest(attr::INFO, |out| {
        out.string(info::VERSION, VERSION)?;
        out.u32(info::CONN_TAB_SIZE, count(table_size(ns)))?;
        out.u32(info::CONNS, count(conns))?;
        out.u32(info::SERVICES, count(ns.services.len()))?;
        out.u32(info::DEFAULT_LADDRS, count(locals))
    })
}

/// Why packets were dropped, and how many.
pub(super) fn drops(ns: &Ns, out: &mut Writer<'_>) -> Result {
    for (reason, dropped) in DropReason::ALL.iter().zip(ns.drops()) {
        counter(reason.id(), reason.name(), reason.hint(), dropped, out)?;
    }
    Ok(())
}

/// What happened to packets that were not dropped, and to how many.
pub(super) fn events(ns: &Ns, out: &mut Writer<'_>) -> Result {
    for (event, seen) in Event::ALL.iter().zip(ns.events()) {
        counter(event.id(), event.name(), event.hint(), seen, out)?;
    }
    Ok(())
}

fn counter(id: usize, name: &str, hint: &str, value: u64, out: &mut Writer<'_>) -> Result {
    out.nest(attr::DROP, |out| {
        out.u32(drop::ID, count(id))?;
        out.string(drop::NAME, name)?;
        out.string(drop::HINT, hint)?;
        out.bytes(drop::COUNT, &value.to_ne_bytes())
    })
}

/// What names a service.
fn name(key: &ServiceKey, out: &mut Writer<'_>) -> Result {
    out.u16(svc::AF, key.family().af())?;
    match *key {
        ServiceKey::Fwmark { mark, .. } => out.u32(svc::FWMARK, mark),
        ServiceKey::Address {
            protocol,
            addr: virt,
            port,
        } => {
            out.u16(svc::PROTOCOL, protocol)?;
            addr(out, svc::ADDR, virt)?;
            out.be16(svc::PORT, port)
        }
    }
}

/// One service, with its nest.
pub(super) fn service(service: &Service, out: &mut Writer<'_>) -> Result {
    let rcu = ReadLock::new();
    let flags = if service.is_masq_only() {
        svc_flags::MASQ_ONLY
    } else {
        0
    };
    out.nest(attr::SERVICE, |out| {
        name(&service.key, out)?;
        out.u32(svc::FLAGS, flags)?;
        out.u32(svc::LADDRS, count(service.pool.members(&rcu).len()))?;
        out.string(svc::SCHED, service.config().scheduler.name())
    })
}

/// The rest of the services; the cursor is the number of the next one.
pub(super) fn services(ns: &Ns, cursor: &mut Cursor, out: &mut Dump<'_>) -> Result<(), Halt> {
    let Cursor([next, ..]) = cursor;
    let mut result = Ok(());
    ns.services.for_each(*next, |each| {
        result = out.message(cmd::GET_SERVICE, |out| service(each, out));
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
    let service = ns
        .services
        .find(key)
        .ok_or(refusal(ConfigError::ServiceUnknown))?;
    let rcu = ReadLock::new();
    let Cursor([last, ..]) = cursor;
    for each in service.version(&rcu).behind(*last) {
        let method = service.method(each, &rcu);
        out.message(cmd::GET_DEST, |out| dest(each, method, out))?;
        *last = behind(*last, &each.dest);
    }
    Ok(())
}

fn dest(backend: &Backend, method: Method, out: &mut Writer<'_>) -> Result {
    let (each, config) = (&backend.dest, backend.config);
    let (active, inactive) = each.conns();
    out.nest(attr::DEST, |out| {
        out.u16(dest::AF, AnyFamily::of(&each.real.addr).af())?;
        addr(out, dest::ADDR, each.real.addr)?;
        out.be16(dest::PORT, each.real.port)?;
        out.u32(dest::METHOD, method.number().into())?;
        out.u32(dest::CONFIGURED, config.method.number().into())?;
        out.u32(dest::WEIGHT, config.weight)?;
        out.u32(dest::ACTIVE, active)?;
        out.u32(dest::INACTIVE, inactive)?;
        let figures = Figures::of(&each.stats);
        out.nest(dest::STATS, |out| figures.write(out))
    })
}

/// The rest of the local addresses: of one service or, without a key, of the
/// default pool and then of all services. The cursor is the number of a pool,
/// whether its members are done, and the number of the last address. One that
/// is removed meanwhile may come twice: as a member, and as one that leaves.
pub(super) fn locals(
    ns: &Ns,
    key: Option<ServiceKey>,
    cursor: &mut Cursor,
    out: &mut Dump<'_>,
) -> Result<(), Halt> {
    let Cursor([next, members_done, last, ..]) = cursor;
    let mut result = Ok(());
    ns.services.for_each_pool(|owner, pool| {
        if result.is_err() || pool.serial < *next {
            return;
        }
        if key.is_none() || owner == key {
            // Another one than that in which the listing was.
            if pool.serial > *next {
                (*members_done, *last) = (0, 0);
            }
            *next = pool.serial;
            result = pool_members(ns, owner, pool, (members_done, last), out);
        }
        if result.is_ok() {
            (*next, *members_done, *last) = (pool.serial.wrapping_add(1), 0, 0);
        }
    });
    result
}

fn pool_members(
    ns: &Ns,
    owner: Option<ServiceKey>,
    pool: &Pool,
    (members_done, last): (&mut u64, &mut u64),
    out: &mut Dump<'_>,
) -> Result<(), Halt> {
    let rcu = ReadLock::new();
    let mut list = |all: &[Arc<Local>], last: &mut u64| {
        let from = *last;
        for each in all.iter().filter(|each| each.serial > from) {
            out.message(cmd::GET_LADDR, |out| {
                if let Some(key) = &owner {
                    out.nest(attr::SERVICE, |out| name(key, out))?;
                }
                local(ns, each, out)
            })?;
            *last = each.serial;
        }
        Ok(())
    };
    // Those that have been removed and still have connections come last.
    if *members_done == 0 {
        list(pool.members(&rcu), last)?;
        (*members_done, *last) = (1, 0);
    }
    list(pool.leaving(&rcu), last)
}

fn local(ns: &Ns, each: &Local, out: &mut Writer<'_>) -> Result {
    out.nest(attr::LADDR, |out| {
        out.u16(laddr::AF, AnyFamily::of(&each.addr).af())?;
        addr(out, laddr::ADDR, each.addr)?;
        out.u32(laddr::CONNS, each.conns())?;
        out.u32(laddr::PORTS, each.ports(ns.settings.ports()).count())?;
        out.bytes(laddr::EXHAUSTED, &each.exhausted().to_ne_bytes())?;
        out.u8(laddr::DRAINING, each.draining.load(Relaxed).into())?;
        let figures = Figures::of(&each.stats);
        out.nest(laddr::STATS, |out| figures.write(out))?;
        let dedicated = laddr_flags::DEDICATED;
        out.u32(
            laddr::FLAGS,
            if each.is_dedicated() { dedicated } else { 0 },
        )
    })
}

/// The rest of the connections that `filter` lets through. The cursor is a
/// family's table, a chain of it and a place in that; when the table grows, or
/// one of the same chain ends meanwhile, a connection may come twice or not at
/// all.
pub(super) fn conns(
    ns: &Ns,
    filter: &Filter<'_>,
    cursor: &mut Cursor,
    out: &mut Dump<'_>,
) -> Result<(), Halt> {
    let Some(conns) = ns.conns() else {
        return Ok(());
    };
    let Cursor([table, chain, place, ..]) = cursor;
    let of_v4 = conns.v4.as_ref().filter(|_| *table == 0);
    of_v4.map_or(Ok(()), |flows| {
        of_pair(ns, flows, filter, (chain, place), out)
    })?;
    if *table == 0 {
        (*table, *chain, *place) = (1, 0, 0);
    }
    let of_v6 = conns.v6.as_ref().filter(|_| *table == 1);
    of_v6.map_or(Ok(()), |flows| {
        of_pair(ns, flows, filter, (chain, place), out)
    })?;
    if *table == 1 {
        (*table, *chain, *place) = (2, 0, 0);
    }
    let of_v64 = conns.v64.as_ref();
    of_v64.map_or(Ok(()), |flows| {
        of_pair(ns, flows, filter, (chain, place), out)
    })
}

fn of_pair<C: Family, S: Family>(
    ns: &Ns,
    flows: &Flows<C, S>,
    filter: &Filter<'_>,
    (chain, place): (&mut u64, &mut u64),
    out: &mut Dump<'_>,
) -> Result<(), Halt> {
    loop {
        let (mut at, mut result) = (0u64, Ok(()));
        // One section for each chain: a long table must not hold up others.
        let rcu = ReadLock::new();
        let exists = flows.for_each_in(&rcu, index(*chain), |connection| {
            let here = at;
            at = here.wrapping_add(1);
            if result.is_err() || here < *place {
                return;
            }
            if filter.matches(connection) {
                result = out.message(cmd::GET_CONN, |out| conn(ns, connection, out));
            }
            if result.is_ok() {
                *place = at;
            }
        });
        result?;
        if !exists {
            return Ok(());
        }
        *chain = chain.wrapping_add(1);
        *place = 0;
    }
}

fn endpoint(out: &mut Writer<'_>, numbers: [u16; 2], end: AnyEndpoint) -> Result {
    let [number, port] = numbers;
    addr(out, number, end.addr)?;
    out.be16(port, end.port)
}

fn conn<C: Family, S: Family>(ns: &Ns, each: &Connection<C, S>, out: &mut Writer<'_>) -> Result {
    let (c, snapshot) = (&each.conn, each.snapshot());
    let expires = each.expires_in(now(), ns.settings.timeouts(&ReadLock::new()));
    let mut flags = 0;
    for (bit, is_set) in [
        (conn_flags::TOA, c.inserts_toa(snapshot)),
        (conn_flags::ACKNOWLEDGED, snapshot.state.server_answered()),
        (conn_flags::INACTIVE, c.is_inactive(snapshot)),
    ] {
        flags |= if is_set { bit } else { 0 };
    }
    out.nest(attr::CONN, |out| {
        out.u16(conn::PROTOCOL, c.protocol.number().into())?;
        out.u16(conn::CAF, C::FAMILY.af())?;
        endpoint(out, [conn::CADDR, conn::CPORT], c.client.any())?;
        endpoint(out, [conn::VADDR, conn::VPORT], c.virt.any())?;
        // A server behind a tunnel may be of another family than its client.
        let real = each.real();
        out.u16(conn::LAF, AnyFamily::of(&real.addr).af())?;
        // With NAT the server sees the client itself.
        if c.method == Method::Fullnat {
            endpoint(out, [conn::LADDR, conn::LPORT], c.local.any())?;
        }
        endpoint(out, [conn::DADDR, conn::DPORT], real)?;
        out.string(conn::STATE, c.state_name(snapshot))?;
        out.u32(conn::EXPIRES, expires)?;
        out.u32(conn::METHOD, c.method.number().into())?;
        out.u32(conn::FLAGS, flags)
    })
}
