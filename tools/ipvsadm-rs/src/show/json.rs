// SPDX-License-Identifier: GPL-2.0

//! The same for programs. Names never stand in for numbers here; a key that
//! this kernel cannot tell is absent, not null.

use serde_json::{json, Map, Value};

use lvs_wire::netlink::ipvs::svc_flags;

use super::conn::{flag_names, protocol_name};
use crate::args::values::sched_flag_names;
use crate::model::conn::{Conn, Endpoint, ProcConn};
use crate::model::daemon::Daemon;
use crate::model::dest::{Dest, Method};
use crate::model::info::{Drop, Info, Timeouts};
use crate::model::laddr::LocalAddress;
use crate::model::service::{Family, Mask, Service, ServiceKey};
use crate::model::stats::Stats;
use crate::model::toa::Toa;

/// A value as text, with a newline.
pub(crate) fn text(value: &Value) -> String {
    format!("{value:#}\n")
}

/// Services with their destinations.
pub(crate) fn services(info: &Info, list: &[(Service, Vec<Dest>)]) -> Value {
    json!({
        "version": info.version_text(),
        "size": info.size,
        "services": list.iter().map(|(s, d)| service(s, d)).collect::<Vec<_>>(),
    })
}

fn service(service: &Service, dests: &[Dest]) -> Value {
    let settings = &service.settings;
    let mut map = key(&service.key);
    map.insert("scheduler".into(), json!(settings.scheduler));
    map.insert("scheduler_flags".into(), json!(sched_flags(service)));
    map.insert(
        "one_packet".into(),
        json!(settings.flags & svc_flags::ONE_PACKET != 0),
    );
    if settings.flags & svc_flags::PERSISTENT != 0 {
        map.insert("persistence".into(), persistence(service));
    }
    if let Some(extra) = service.extra {
        map.insert("masq_only".into(), json!(extra.masq_only));
        map.insert("local_addresses".into(), json!(extra.local_addresses));
    }
    map.insert("stats".into(), totals(&service.stats));
    map.insert("rates".into(), rates(&service.stats));
    map.insert(
        "destinations".into(),
        dests.iter().map(dest).collect::<Vec<_>>().into(),
    );
    Value::Object(map)
}

fn sched_flags(service: &Service) -> Vec<String> {
    let settings = &service.settings;
    sched_flag_names(settings.flags, &settings.scheduler)
        .split(',')
        .filter(|name| !name.is_empty())
        .map(str::to_string)
        .collect()
}

fn persistence(service: &Service) -> Value {
    let settings = &service.settings;
    let mut map = Map::new();
    map.insert("timeout".into(), json!(settings.timeout));
    match settings.mask {
        Mask::V4(mask) => map.insert("netmask".into(), json!(mask.to_string())),
        Mask::V6(prefix) => map.insert("prefix_length".into(), json!(prefix)),
    };
    if let Some(engine) = &settings.engine {
        map.insert("engine".into(), json!(engine));
    }
    Value::Object(map)
}

/// What names a service.
fn key(key: &ServiceKey) -> Map<String, Value> {
    let mut map = Map::new();
    match key {
        ServiceKey::Address {
            protocol,
            addr,
            port,
        } => {
            map.insert("protocol".into(), json!(protocol_name(*protocol)));
            map.insert("address".into(), json!(addr.to_string()));
            map.insert("port".into(), json!(port));
        }
        ServiceKey::Mark { mark, .. } => {
            map.insert("fwmark".into(), json!(mark));
        }
    }
    map.insert("family".into(), json!(family(key.family())));
    map
}

fn family(family: Family) -> &'static str {
    match family {
        Family::V4 => "ipv4",
        Family::V6 => "ipv6",
    }
}

fn dest(dest: &Dest) -> Value {
    let settings = &dest.settings;
    let mut map = Map::new();
    map.insert("address".into(), json!(dest.key.addr.to_string()));
    map.insert("port".into(), json!(dest.key.port));
    map.insert("method".into(), json!(dest.method_in_effect().name()));
    map.insert(
        "configured_method".into(),
        json!(dest.method_configured().name()),
    );
    map.insert("weight".into(), json!(settings.weight));
    map.insert("upper_threshold".into(), json!(settings.upper));
    map.insert("lower_threshold".into(), json!(settings.lower));
    map.insert("active_connections".into(), json!(dest.active));
    map.insert("inactive_connections".into(), json!(dest.inactive));
    map.insert("persistent_connections".into(), json!(dest.persistent));
    if settings.method == Method::TUNNEL {
        map.insert("tunnel".into(), tunnel(dest));
    }
    map.insert("stats".into(), totals(&dest.stats));
    map.insert("rates".into(), rates(&dest.stats));
    Value::Object(map)
}

fn tunnel(dest: &Dest) -> Value {
    let tunnel = &dest.settings.tunnel;
    json!({
        "type": tunnel.kind_name(),
        "port": tunnel.port,
        "checksum": tunnel.flags & 1 != 0,
        "remote_checksum": tunnel.flags & 2 != 0,
    })
}

fn totals(stats: &Stats) -> Value {
    json!({
        "connections": stats.conns,
        "in_packets": stats.in_packets,
        "out_packets": stats.out_packets,
        "in_bytes": stats.in_bytes,
        "out_bytes": stats.out_bytes,
    })
}

fn rates(stats: &Stats) -> Value {
    json!({
        "connections": stats.conns_rate,
        "in_packets": stats.in_packets_rate,
        "out_packets": stats.out_packets_rate,
        "in_bytes": stats.in_bytes_rate,
        "out_bytes": stats.out_bytes_rate,
    })
}

/// Connections with both legs.
pub(crate) fn conns(list: &[Conn]) -> Value {
    json!({ "connections": list.iter().map(conn).collect::<Vec<_>>() })
}

fn conn(conn: &Conn) -> Value {
    let mut map = Map::new();
    map.insert("protocol".into(), json!(protocol_name(conn.protocol)));
    map.insert("state".into(), json!(conn.state));
    map.insert("expires".into(), json!(conn.expires));
    map.insert("client".into(), endpoint(&conn.client));
    map.insert("virtual".into(), endpoint(&conn.virt));
    if let Some(local) = &conn.local {
        map.insert("local".into(), endpoint(local));
    }
    map.insert("server".into(), endpoint(&conn.dest));
    if let Some(method) = conn.method {
        map.insert("method".into(), json!(method.name()));
    }
    map.insert("flags".into(), json!(flag_names(conn.flags)));
    Value::Object(map)
}

/// Connections as /proc tells them.
pub(crate) fn proc_conns(list: &[ProcConn]) -> Value {
    json!({ "connections": list.iter().map(proc_conn).collect::<Vec<_>>() })
}

fn proc_conn(conn: &ProcConn) -> Value {
    let mut map = Map::new();
    map.insert("protocol".into(), json!(conn.protocol));
    map.insert("state".into(), json!(conn.state));
    map.insert("expires".into(), json!(conn.expires));
    map.insert("client".into(), endpoint(&conn.client));
    map.insert("virtual".into(), endpoint(&conn.virt));
    map.insert("server".into(), endpoint(&conn.dest));
    if let Some((name, data)) = &conn.engine {
        map.insert("engine".into(), json!({ "name": name, "data": data }));
    }
    Value::Object(map)
}

fn endpoint(endpoint: &Endpoint) -> Value {
    json!({ "address": endpoint.addr.to_string(), "port": endpoint.port })
}

/// Local addresses; those without a service are the default pool.
pub(crate) fn locals(list: &[LocalAddress]) -> Value {
    json!({ "local_addresses": list.iter().map(local).collect::<Vec<_>>() })
}

fn local(local: &LocalAddress) -> Value {
    let mut map = Map::new();
    if let Some(service) = &local.service {
        map.insert("service".into(), Value::Object(key(service)));
    }
    map.insert("default_pool".into(), json!(local.service.is_none()));
    map.insert("address".into(), json!(local.addr.to_string()));
    map.insert("connections".into(), json!(local.conns));
    map.insert("ports".into(), json!(local.ports));
    map.insert("exhausted".into(), json!(local.exhausted));
    map.insert("draining".into(), json!(local.draining));
    map.insert("dedicated".into(), json!(local.dedicated));
    map.insert("stats".into(), totals(&local.stats));
    map.insert("rates".into(), rates(&local.stats));
    Value::Object(map)
}

/// Drop counters, and those of what else was done to packets.
pub(crate) fn drops(drops: &[Drop], events: &[Drop]) -> Value {
    let one = |d: &Drop| json!({ "id": d.id, "name": d.name, "count": d.count, "hint": d.hint });
    let all = |list: &[Drop]| list.iter().map(one).collect::<Vec<_>>();
    json!({ "drops": all(drops), "events": all(events) })
}

/// The three timeouts.
pub(crate) fn timeouts(t: &Timeouts) -> Value {
    json!({ "timeouts": { "tcp": t.tcp, "tcp_fin": t.tcp_fin, "udp": t.udp } })
}

/// Sync daemons.
pub(crate) fn daemons(list: &[Daemon]) -> Value {
    let one = |d: &Daemon| {
        json!({
            "role": d.role.name(),
            "interface": d.interface,
            "syncid": d.syncid,
            "maxlen": d.maxlen,
            "group": d.group.map(|g| g.to_string()),
            "port": d.port,
            "ttl": d.ttl,
        })
    };
    json!({ "daemons": list.iter().map(one).collect::<Vec<_>>() })
}

/// toa.ko's settings and counters.
pub(crate) fn toa(toa: &Toa) -> Value {
    let counter = |c: &crate::model::toa::Counter| json!({ "name": c.name, "value": c.value, "hint": c.hint });
    json!({
        "kinds": toa.kinds,
        "trusted": toa.trusted.iter().map(super::toa::prefix).collect::<Vec<_>>(),
        "entries": toa.entries,
        "counters": toa.counters.iter().map(counter).collect::<Vec<_>>(),
    })
}
