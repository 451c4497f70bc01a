// SPDX-License-Identifier: GPL-2.0

//! Why packets were dropped, and what to look at.

use crate::model::info::Drop;

/// The whole table; reasons that never happened are in it, so that their
/// names and hints can be read beforehand.
pub(crate) fn table(drops: &[Drop]) -> String {
    let mut out = format!("{:>12}  {:<24} Hint\n", "Packets", "Reason");
    for drop in drops {
        let line = format!("{:>12}  {:<24} {}", drop.count, drop.name, drop.hint);
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}
