// SPDX-License-Identifier: GPL-2.0

//! Timeouts and sync daemons.

use std::fmt::Write;

use crate::model::daemon::Daemon;
use crate::model::info::Timeouts;

/// The line of `-L --timeout`.
pub(crate) fn timeouts(timeouts: &Timeouts) -> String {
    format!(
        "Timeout (tcp tcpfin udp): {} {} {}\n",
        timeouts.tcp as i32, timeouts.tcp_fin as i32, timeouts.udp as i32
    )
}

/// A line of `-L --daemon`.
pub(crate) fn daemon(daemon: &Daemon) -> String {
    let mut out = format!(
        "{} sync daemon (mcast={}, syncid={}",
        daemon.role.name(),
        daemon.interface,
        daemon.syncid as i32
    );
    // Writing to a string cannot fail.
    if daemon.maxlen != 0 {
        let _ = write!(out, ", maxlen={}", daemon.maxlen);
    }
    if let Some(group) = daemon.group {
        let _ = write!(out, ", group={group}");
    }
    if daemon.port != 0 {
        let _ = write!(out, ", port={}", daemon.port);
    }
    if daemon.ttl != 0 {
        let _ = write!(out, ", ttl={}", daemon.ttl);
    }
    out.push_str(")\n");
    out
}
