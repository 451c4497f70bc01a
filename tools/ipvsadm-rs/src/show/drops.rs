// SPDX-License-Identifier: GPL-2.0

//! Why packets were dropped, what else was done to packets, and what to look at.

use crate::model::info::Drop;

/// Both tables, whole; reasons that never happened are in them, so that their
/// names and hints can be read beforehand.
pub(crate) fn table(drops: &[Drop], events: &[Drop]) -> String {
    let mut out = rows("Reason", drops);
    out.push('\n');
    out.push_str(&rows("Event", events));
    out
}

fn rows(title: &str, list: &[Drop]) -> String {
    let mut out = format!("{:>12}  {:<26} Hint\n", "Packets", title);
    for one in list {
        let line = format!("{:>12}  {:<26} {}", one.count, one.name, one.hint);
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}
