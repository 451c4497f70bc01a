// SPDX-License-Identifier: GPL-2.0

//! Loading the module when nobody has.

use std::process::{Command, Stdio};

/// Where stock expects it; the PATH of a cron job may not have it.
const MODPROBE: &str = "/sbin/modprobe";

/// Loads a module, or says what modprobe said.
pub(crate) fn load(module: &str) -> Result<(), String> {
    let output = Command::new(MODPROBE)
        .args(["--", module])
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("{MODPROBE} could not be started: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let line = said.lines().next().unwrap_or_default().trim();
    Err(if line.is_empty() {
        format!("{MODPROBE} ended with {}", output.status)
    } else {
        line.to_string()
    })
}
