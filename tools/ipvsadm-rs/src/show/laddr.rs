// SPDX-License-Identifier: GPL-2.0

//! Local addresses. The first five columns are those of Alibaba's `-G`.

use super::service::name;
use super::Style;
use crate::model::laddr::LocalAddress;

/// The names of the columns.
pub(crate) fn title() -> String {
    row(&[
        "Prot VIP:VPORT",
        "TOTAL",
        "SNAT_IP",
        "CONFLICTS",
        "CONNS",
        "PORTS",
        "STATE",
    ])
}

/// The lines of one owner's addresses, the owner on the first.
pub(crate) fn lines(locals: &[LocalAddress], style: &Style<'_>) -> String {
    let total = locals.len().to_string();
    locals
        .iter()
        .enumerate()
        .map(|(at, local)| line(local, (at == 0).then_some(total.as_str()), style))
        .collect()
}

fn line(local: &LocalAddress, total: Option<&str>, style: &Style<'_>) -> String {
    let owner = match (&local.service, total) {
        (_, None) => String::new(),
        (Some(key), Some(_)) => name(key, style),
        (None, Some(_)) => "default pool".into(),
    };
    row(&[
        &owner,
        total.unwrap_or_default(),
        &local.addr.to_string(),
        &local.exhausted.to_string(),
        &local.conns.to_string(),
        &local.ports.to_string(),
        match (local.draining, local.dedicated) {
            (true, _) => "draining",
            (false, true) => "dedicated",
            (false, false) => "active",
        },
    ])
}

fn row(cells: &[&str; 7]) -> String {
    let [owner, total, addr, exhausted, conns, ports, state] = cells;
    format!("{owner:<33} {total:<8} {addr:<20} {exhausted:<10} {conns:<10} {ports:<10} {state}\n")
}
