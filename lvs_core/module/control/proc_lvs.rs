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

use super::proc_ipvs::{chains, method_name, Show};
use crate::{
    conns::{now, Connection},
    family::Family,
    ns::Ns,
    shown::Shown,
};
use core::fmt::Write;
use kernel::{
    prelude::*,
    seq_file::{seq_print, SeqFile}, //
};
use lvs_kapi::{
    cursor::{Cursor, Progress},
    proc::Rows,
    rcu::ReadLock, //
};
use lvs_wire::{addr::AnyEndpoint, shown::ShownEnd};

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
        chains(ns, cursor, &Lines(ns, out))
    }
}

struct Lines<'a>(&'a Ns, &'a SeqFile);

impl Show for Lines<'_> {
    fn show<C: Family, S: Family>(&self, each: &Connection<C, S>) {
        conn(self.0, each, self.1);
    }
}

fn conn<C: Family, S: Family>(ns: &Ns, each: &Connection<C, S>, out: &SeqFile) {
    let (c, snapshot) = (&each.conn, each.snapshot());
    let protocol = c.protocol.name();
    seq_print!(out, "{protocol:<3} ");
    for end in [c.client.any(), c.virt.any(), c.local.any(), each.real()] {
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

/// An endpoint, in a column that is wide enough for any of IPv4; IPv6's take
/// the room that they need.
fn endpoint(end: AnyEndpoint, out: &SeqFile) {
    let (shown, mut length) = (ShownEnd(end), Length(0));
    // Counting cannot fail.
    let _ = write!(length, "{shown}");
    let room = 22usize.saturating_sub(length.0).max(1);
    let shown = Shown(shown);
    seq_print!(out, "{shown}{:room$}", "");
}

/// How much has been written.
struct Length(usize);

impl Write for Length {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.0 = self.0.saturating_add(text.len());
        Ok(())
    }
}
