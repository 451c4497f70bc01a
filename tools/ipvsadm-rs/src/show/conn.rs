// SPDX-License-Identifier: GPL-2.0

//! Connections with both legs.

use super::Style;
use crate::model::conn::{Conn, Endpoint};
use crate::model::service::Protocol;
use lvs_wire::netlink::lvs::conn_flags;

/// The two lines above the connections.
pub(crate) fn title() -> String {
    format!(
        "LVS connection entries\npro expire {:<11} {:<21} {:<21} {:<21} {:<21} {:<7} flags\n",
        "state", "source", "virtual", "local", "destination", "forward"
    )
}

/// A connection's line.
pub(crate) fn line(conn: &Conn, style: &Style<'_>) -> String {
    let place = |e: &Endpoint| style.namer.place(e.addr, e.port, conn.protocol);
    let local = conn.local.as_ref().map_or_else(|| "-".into(), place);
    format!(
        "{:<3} {:<6} {:<11} {:<21} {:<21} {local:<21} {:<21} {:<7} {}\n",
        protocol_name(conn.protocol),
        minutes(conn.expires),
        conn.state,
        place(&conn.client),
        place(&conn.virt),
        place(&conn.dest),
        conn.method.map_or("-", |m| m.name()),
        flag_words(conn.flags)
    )
}

/// `minutes:seconds` as stock writes a timeout.
pub(crate) fn minutes(seconds: u32) -> String {
    format!("{:02}:{:02}", seconds / 60, seconds % 60)
}

/// The flags' names, or a dash.
fn flag_words(flags: u32) -> String {
    let words = flag_names(flags);
    if words.is_empty() {
        "-".into()
    } else {
        words.join(",")
    }
}

/// The names of the flags that are set.
pub(crate) fn flag_names(flags: u32) -> Vec<&'static str> {
    [
        (conn_flags::TOA, "toa"),
        (conn_flags::ACKNOWLEDGED, "acked"),
        (conn_flags::INACTIVE, "inactive"),
    ]
    .into_iter()
    .filter(|(bit, _)| flags & bit != 0)
    .map(|(_, name)| name)
    .collect()
}

/// A connection's protocol as /proc/net/ip_vs_conn has it.
pub(crate) fn protocol_name(protocol: Protocol) -> String {
    match protocol.name() {
        "?" => format!("IP_{}", protocol.0),
        name => name.to_string(),
    }
}
