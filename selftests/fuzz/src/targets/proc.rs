// SPDX-License-Identifier: GPL-2.0

//! Lines of `/proc/net/ip_vs_conn`: what is understood is understood again when
//! it is shown as the kernel shows it.

use crate::model::conn::{Endpoint, ProcConn};
use crate::show::proc_conn::parse;

/// The bytes are lines.
pub(super) fn run(data: &[u8]) {
    for line in String::from_utf8_lossy(data).lines() {
        if let Some(conn) = parse(line) {
            let again = shown(&conn);
            assert_eq!(parse(&again).as_ref(), Some(&conn), "`{again}'");
        }
    }
}

fn shown(conn: &ProcConn) -> String {
    let ends = [&conn.client, &conn.virt, &conn.dest].map(end);
    let mut words = vec![conn.protocol.clone()];
    words.extend(ends);
    words.extend([conn.state.clone(), conn.expires.to_string()]);
    words.extend(
        conn.engine
            .iter()
            .flat_map(|(name, data)| [name.clone(), data.clone()]),
    );
    words.join(" ")
}

fn end(end: &Endpoint) -> String {
    match end.addr {
        std::net::IpAddr::V4(addr) => format!("{:08X} {:04X}", addr.to_bits(), end.port),
        std::net::IpAddr::V6(addr) => format!("{addr} {:04X}", end.port),
    }
}
