// SPDX-License-Identifier: GPL-2.0

//! Timeouts, sync daemons, and what lies under `net.ipv4.vs`.

use lvs_engine::config::{ConfigError, Unsupported};
use lvs_wire::netlink::ipvs::{self, daemon};

use super::{named, Named, Refusal, State, Verdict};
use crate::attrs::{Attrs, Policy, Strictness};

/// Longest timeout in seconds (Documentation/settings.md).
const MAX_SECONDS: u32 = 8_589_934;

/// The numbers under `net.ipv4.vs`.
pub(crate) type Settings = Named<i64>;

/// A setting: its file's name, and the least and the greatest value.
pub(crate) type Setting = (&'static str, i64, i64);

/// As Documentation/settings.md has them.
pub(crate) const SETTINGS: [Setting; 26] = [
    ("cache_bypass", 0, 1),
    ("conn_expire_tcp_rst", 0, 1),
    ("conn_lfactor", -8, 8),
    ("conn_max", 0, 0x4000_0000),
    ("conn_reuse_mode", 0, 3),
    ("expire_nodest_conn", 0, 1),
    ("expire_quiescent_template", 0, 1),
    ("fullnat_conn_reused_entry", 0, 1),
    ("fullnat_fast_open_entry", 0, 1),
    (LPORT_MAX, 1024, 65535),
    (LPORT_MIN, 1024, 65535),
    ("fullnat_lport_tries", 0, 60000),
    ("fullnat_mss_adjust_entry", 0, 1),
    ("fullnat_timeout_close", 1, MAX_SECONDS as i64),
    ("fullnat_timeout_closewait", 1, MAX_SECONDS as i64),
    ("fullnat_timeout_finwait", 1, MAX_SECONDS as i64),
    ("fullnat_timeout_lastack", 1, MAX_SECONDS as i64),
    ("fullnat_timeout_timewait", 1, MAX_SECONDS as i64),
    ("fullnat_timestamp_remove_entry", 0, 2),
    ("fullnat_toa_entry", 0, 1),
    ("fullnat_toa_kind_v6", 253, 254),
    ("nat_icmp_send", 0, 1),
    ("pmtu_disc", 0, 1),
    ("schedule_icmp", 0, 1),
    ("sloppy_tcp", 0, 1),
    ("snat_reroute", 0, 1),
];

const LPORT_MIN: &str = "fullnat_lport_min";
const LPORT_MAX: &str = "fullnat_lport_max";

/// Whether a text is a secret for sequence numbers.
pub(crate) fn is_secret(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What the family `IPVS` lets through of a sync daemon.
const DAEMON: [Policy; 9] = [
    Policy::None,
    Policy::Number(4),
    Policy::Text(15),
    Policy::Number(4),
    Policy::Number(2),
    Policy::Number(4),
    Policy::Binary(16),
    Policy::Number(2),
    Policy::Number(1),
];

fn daemon_of<'a>(attrs: &Attrs<'a>) -> Verdict<Attrs<'a>> {
    let nest = attrs.bytes(ipvs::attr::DAEMON);
    let nest = nest.ok_or(Refusal::said(
        libc::EINVAL,
        "The request names no sync daemon.",
    ))?;
    named(nest, &DAEMON, Strictness::Lenient)
}

pub(super) fn start_daemon(attrs: &Attrs<'_>) -> Verdict {
    let attrs = daemon_of(attrs)?;
    if [daemon::STATE, daemon::MCAST_IFN, daemon::SYNC_ID]
        .iter()
        .all(|number| attrs.has(*number))
    {
        return Err(ConfigError::from(Unsupported::SyncDaemon).into());
    }
    Err(Refusal::said(
        libc::EINVAL,
        "The sync daemon lacks state, interface or sync id: give all three.",
    ))
}

pub(super) fn stop_daemon(attrs: &Attrs<'_>) -> Verdict {
    Err(match daemon_of(attrs)?.u32(daemon::STATE) {
        Some(1 | 2) => Refusal::said(libc::ESRCH, "No such sync daemon is running."),
        _ => Refusal::said(
            libc::EINVAL,
            "The sync daemon's state must be 1 (master) or 2 (backup).",
        ),
    })
}

impl State {
    /// All of them or none; 0 leaves one as it is.
    pub(super) fn set_timeouts(&mut self, attrs: &Attrs<'_>) -> Verdict {
        let numbers = [
            ipvs::attr::TIMEOUT_TCP,
            ipvs::attr::TIMEOUT_TCP_FIN,
            ipvs::attr::TIMEOUT_UDP,
        ];
        let asked = numbers.map(|number| attrs.u32(number).unwrap_or(0));
        if asked.iter().any(|seconds| *seconds > MAX_SECONDS) {
            return Err(ConfigError::TimeoutRange.into());
        }
        for (kept, seconds) in self.timeouts.iter_mut().zip(asked) {
            if seconds != 0 {
                *kept = seconds;
            }
        }
        Ok(())
    }

    /// A number is written to a setting.
    pub(crate) fn set(&mut self, (name, min, max): Setting, text: &str) -> Result<(), i32> {
        let value: i64 = text.trim().parse().map_err(|_| libc::EINVAL)?;
        let fits = match name {
            LPORT_MIN => value <= self.settings[LPORT_MAX],
            LPORT_MAX => value >= self.settings[LPORT_MIN],
            _ => true,
        };
        if !(min..=max).contains(&value) || !fits {
            return Err(libc::EINVAL);
        }
        self.settings.insert(name, value);
        Ok(())
    }
}
