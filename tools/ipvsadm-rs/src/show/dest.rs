// SPDX-License-Identifier: GPL-2.0

//! A destination's line.

use std::fmt::Write;

use super::number::large;
use super::place::cut;
use super::Style;
use crate::args::request::Columns;
use crate::model::dest::{Dest, Method};
use crate::model::service::Protocol;

/// Stock cuts an IPv4 server's name here.
const LONGEST: usize = 28;

/// A destination's line, with its newline; `protocol` is its service's.
pub(crate) fn line(dest: &Dest, protocol: Protocol, style: &Style<'_>) -> String {
    let place = style.namer.place(dest.key.addr, dest.key.port, protocol);
    let name = if dest.key.addr.is_ipv4() {
        cut(place, LONGEST)
    } else {
        place
    };
    let mut out = format!("  -> {name:<28}");
    out.push_str(&columns(dest, style));
    out.push('\n');
    out
}

fn columns(dest: &Dest, style: &Style<'_>) -> String {
    let (active, inactive) = (dest.active, dest.inactive);
    let weight = dest.settings.weight;
    let method = dest.method_in_effect().name();
    match style.format.columns {
        Columns::Usual => format!(" {method:<7} {weight:<6} {active:<10} {inactive:<10}"),
        Columns::Stats => totals(dest, style.format.exact),
        Columns::Rate => rates(dest, style.format.exact),
        Columns::Thresholds => format!(
            " {:<10} {:<10} {active:<10} {inactive:<10}",
            dest.settings.upper, dest.settings.lower
        ),
        Columns::Persistent => format!(
            " {:<9} {:<11} {active:<10} {inactive:<10}",
            weight as u32, dest.persistent
        ),
        Columns::Tunnel => format!(
            " {method:<7} {:<13} {weight:<6} {active:<10} {inactive:<10}",
            tunnel_info(dest)
        ),
    }
}

fn totals(dest: &Dest, exact: bool) -> String {
    let mut out = String::new();
    for value in dest.stats.totals() {
        large(&mut out, value, exact);
    }
    out
}

/// Connections and packets in full, bytes rounded: so in stock.
fn rates(dest: &Dest, exact: bool) -> String {
    let mut out = String::new();
    let [conns, in_packets, out_packets, in_bytes, out_bytes] = dest.stats.rates();
    for value in [conns, in_packets, out_packets] {
        // Writing to a string cannot fail.
        let _ = write!(out, " {value:>8}");
    }
    large(&mut out, in_bytes, exact);
    large(&mut out, out_bytes, exact);
    out
}

fn tunnel_info(dest: &Dest) -> String {
    let tunnel = &dest.settings.tunnel;
    let kind = match tunnel.kind_name() {
        Some(kind) if dest.settings.method == Method::TUNNEL => kind,
        _ => return "n/a".into(),
    };
    let flags = tunnel.flags_mark();
    let info = match kind {
        "gue" => format!("{kind}:{}:{flags}", tunnel.port),
        "gre" => format!("{kind}:{flags}"),
        _ => kind.to_string(),
    };
    // Stock's buffer.
    cut(info, 15)
}
