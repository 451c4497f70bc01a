// SPDX-License-Identifier: GPL-2.0

//! `/proc/net/lvs_conn`: the connections with both legs, in decimal numbers.
//!
//! ```text
//! Pro Client               Virtual              Local                Server               State       Expires Method  Flags
//! TCP 192.0.2.1:40000      198.51.100.1:80      10.0.0.1:1025        10.0.1.1:8080        ESTABLISHED     899 FullNat toa
//! ```
//!
//! The local leg of a NAT connection is the client. Flags, separated by commas,
//! or `-`: `toa` the server is still told the client's address, `acked` it has
//! acknowledged data of the client's, `inactive`.

use super::proc_ipvs::{chains, method_name};
use crate::{
    conns::{now, Connection, End},
    ns::Ns,
};
use kernel::{
    prelude::*,
    seq_file::{seq_print, SeqFile}, //
};
use lvs_kapi::{
    cursor::{Cursor, Progress},
    proc::Rows,
    rcu::ReadLock, //
};

/// The connections.
pub(super) struct Conns;

impl Rows for Conns {
    type State = Ns;
    const NAME: &'static CStr = c"lvs_conn";

    fn header(_: &Ns, out: &SeqFile) {
        let [client, virt, local, server] = ["Client", "Virtual", "Local", "Server"];
        seq_print!(out, "Pro {client:<21} {virt:<21} {local:<21} {server:<21} ");
        seq_print!(out, "State       Expires Method  Flags\n");
    }

    fn rows(ns: &Ns, cursor: &mut Cursor, out: &SeqFile) -> Progress {
        chains(ns, cursor, |each| conn(ns, each, out))
    }
}

fn conn(ns: &Ns, each: &Connection, out: &SeqFile) {
    let (c, snapshot) = (&each.conn, each.snapshot());
    let protocol = c.protocol.name();
    seq_print!(out, "{protocol:<3} ");
    for end in [c.client, c.virt, c.local, c.real] {
        endpoint(end, out);
    }
    let expires = each.expires_in(now(), ns.settings.timeouts(&ReadLock::new()));
    let (state, method) = (c.state_name(snapshot), method_name(c.method));
    seq_print!(out, "{state:<11} {expires:>7} {method:<7} ");
    let flags = [
        (c.inserts_toa(snapshot), "toa"),
        (snapshot.state.server_answered(), "acked"),
        (c.is_inactive(snapshot), "inactive"),
    ];
    let mut separator = "";
    for (_, flag) in flags.iter().filter(|(is_set, _)| *is_set) {
        seq_print!(out, "{separator}{flag}");
        separator = ",";
    }
    if separator.is_empty() {
        seq_print!(out, "-");
    }
    seq_print!(out, "\n");
}

/// An endpoint, in a column that is wide enough for any.
fn endpoint(end: End, out: &SeqFile) {
    let [a, b, c, d] = end.addr.octets();
    let port = end.port;
    seq_print!(out, "{a}.{b}.{c}.{d}:{port}");
    let digits = |number: u16| match number {
        0..=9 => 1,
        10..=99 => 2,
        100..=999 => 3,
        1000..=9999 => 4,
        _ => 5usize,
    };
    let octets = end.addr.octets();
    let written = octets
        .iter()
        .map(|octet| digits(u16::from(*octet)))
        .fold(digits(port), usize::saturating_add)
        .saturating_add(4);
    let room = 22usize.saturating_sub(written);
    seq_print!(out, "{:room$}", "");
}
