// SPDX-License-Identifier: GPL-2.0

//! Connections as stock shows them, out of /proc/net/ip_vs_conn.

use std::net::{IpAddr, Ipv4Addr};

use super::conn::minutes;
use super::Style;
use crate::model::conn::{Endpoint, ProcConn};
use crate::model::service::Protocol;

/// The two lines above the connections.
pub(crate) fn title(persistent: bool) -> String {
    let names = if persistent {
        format!(
            "pro expire {:<11} {:<18} {:<18} {:<18} {:<16} pe_data",
            "state", "source", "virtual", "destination", "pe name"
        )
    } else {
        format!(
            "pro expire {:<11} {:<18} {:<18} destination",
            "state", "source", "virtual"
        )
    };
    format!("IPVS connection entries\n{names}\n")
}

/// A connection's line.
pub(crate) fn line(conn: &ProcConn, style: &Style<'_>) -> String {
    let protocol = Protocol::from_name(&conn.protocol);
    let place = |e: &Endpoint| style.namer.place(e.addr, e.port, protocol);
    let head = format!(
        "{:<3} {:<6} {:<11} {:<18} {:<18}",
        conn.protocol,
        minutes(conn.expires),
        conn.state,
        place(&conn.client),
        place(&conn.virt)
    );
    match &conn.engine {
        Some((name, data)) if style.format.persistent => {
            format!("{head} {:<16} {name:<18} {data}\n", place(&conn.dest))
        }
        _ => format!("{head} {}\n", place(&conn.dest)),
    }
}

/// Reads a line of the file; the first line, the names of its columns, is not one.
pub(crate) fn parse(line: &str) -> Option<ProcConn> {
    let mut words = line.split_whitespace();
    let mut next = || words.next();
    let protocol = next()?.to_string();
    let client = endpoint(next()?, next()?)?;
    let virt = endpoint(next()?, next()?)?;
    let dest = endpoint(next()?, next()?)?;
    let state = next()?.to_string();
    let expires = next()?.parse().ok()?;
    let engine = next().map(str::to_string).zip(next().map(str::to_string));
    Some(ProcConn {
        protocol,
        client,
        virt,
        dest,
        state,
        expires,
        engine,
    })
}

/// Addresses are eight hexadecimal digits for IPv4, text for IPv6.
fn endpoint(addr: &str, port: &str) -> Option<Endpoint> {
    let addr = match addr.parse::<IpAddr>() {
        Ok(addr) => addr,
        Err(_) => IpAddr::V4(Ipv4Addr::from(u32::from_str_radix(addr, 16).ok()?)),
    };
    Some(Endpoint {
        addr,
        port: u16::from_str_radix(port, 16).ok()?,
    })
}
