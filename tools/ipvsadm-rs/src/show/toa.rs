// SPDX-License-Identifier: GPL-2.0

//! toa.ko's state.

use crate::model::toa::{Prefix, Toa};

/// Settings, then counters.
pub(crate) fn table(toa: &Toa) -> String {
    let mut out = format!(
        "Kinds: {}\nTrusted sources: {}\n",
        kinds(&toa.kinds),
        trusted(&toa.trusted)
    );
    if let Some(entries) = toa.entries {
        out.push_str(&format!("Connections with a client address: {entries}\n"));
    }
    out.push_str(&format!("{:>12}  {:<24} Meaning\n", "Count", "Counter"));
    for counter in &toa.counters {
        let line = format!(
            "{:>12}  {:<24} {}",
            counter.value, counter.name, counter.hint
        );
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

fn kinds(kinds: &[u8]) -> String {
    kinds
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(",")
}

fn trusted(list: &[Prefix]) -> String {
    if list.is_empty() {
        return "any".into();
    }
    list.iter().map(prefix).collect::<Vec<_>>().join(",")
}

/// `address/length`
pub(crate) fn prefix(prefix: &Prefix) -> String {
    format!("{}/{}", prefix.addr, prefix.len)
}
