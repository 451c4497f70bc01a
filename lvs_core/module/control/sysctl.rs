// SPDX-License-Identifier: GPL-2.0

//! The settings under `net.ipv4.vs`. Only those that have an effect exist;
//! names are stock's where stock has the setting, else Alibaba's, else ours.

use crate::ns::Ns;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
use kernel::prelude::*;
use lvs_engine::{
    config::{ConfigError, Errno},
    isn::Secret,
    ports::{Ranges, FIRST, LAST},
    timeouts::{self, MAX_SECONDS},
};
use lvs_kapi::{
    random,
    rcu::ReadLock,
    sysctl::{Access, Setting, Text, Value}, //
};

/// A number that packets are handled by, `$min` or 0 to `$max`.
macro_rules! number {
    ($name:literal, $max:literal, $field:ident) => {
        number!($name, 0, $max, $field)
    };
    ($name:literal, $min:literal, $max:literal, $field:ident) => {
        Setting {
            name: $name,
            access: Access::Write,
            value: Value::Number {
                min: $min,
                max: $max,
                read: |ns: &Ns| load(&ns.settings.$field),
                write: |ns: &Ns, value| store(&ns.settings.$field, value),
            },
        }
    };
}

/// A timeout of FULLNAT's closed states, in seconds.
macro_rules! seconds {
    ($name:literal, $which:ident) => {
        Setting {
            name: $name,
            access: Access::Write,
            value: Value::Number {
                min: 1,
                // CAST: Fits, by the assertion below.
                max: MAX_SECONDS as i32,
                read: |ns: &Ns| seconds(ns, timeouts::Setting::$which),
                write: |ns: &Ns, value| set_seconds(ns, timeouts::Setting::$which, value),
            },
        }
    };
}

const _: () = assert!(MAX_SECONDS <= i32::MAX as u32);

/// All of them.
pub(super) static SETTINGS: [Setting<Ns>; 27] = [
    number!(c"conn_reuse_mode", 3, conn_reuse_mode),
    number!(c"expire_nodest_conn", 1, expire_nodest_conn),
    number!(c"expire_quiescent_template", 1, expire_quiescent_template),
    number!(c"cache_bypass", 1, cache_bypass),
    number!(c"sloppy_tcp", 1, sloppy_tcp),
    number!(c"conn_max", 0x4000_0000, conn_max),
    number!(c"pmtu_disc", 1, pmtu_disc),
    number!(c"snat_reroute", 1, snat_reroute),
    number!(c"nat_icmp_send", 1, nat_icmp_send),
    number!(c"schedule_icmp", 1, schedule_icmp),
    Setting {
        name: c"conn_lfactor",
        access: Access::Write,
        value: Value::Number {
            min: -8,
            max: 8,
            read: |ns: &Ns| ns.settings.conn_lfactor(),
            write: |ns: &Ns, value| {
                ns.settings.conn_lfactor.store(value, Relaxed);
                Ok(())
            },
        },
    },
    number!(c"conn_expire_tcp_rst", 1, expire_rst),
    // 0 never, 1 always, 2 when the port was in use shortly before.
    number!(c"fullnat_timestamp_remove_entry", 2, timestamps),
    number!(c"fullnat_mss_adjust_entry", 1, lower_mss),
    number!(c"fullnat_toa_entry", 1, toa),
    number!(c"fullnat_fast_open_entry", 1, fast_open),
    number!(c"fullnat_conn_reused_entry", 1, conn_reused),
    number!(c"fullnat_lport_tries", 60000, lport_tries),
    // Alibaba's and DPVS's; a client's own options of either go.
    number!(c"fullnat_toa_kind_v6", 253, 254, toa_kind_v6),
    port(c"fullnat_lport_min", first_port, set_first_port),
    port(c"fullnat_lport_max", last_port, set_last_port),
    Setting {
        name: c"fullnat_isn_secret",
        access: Access::Secret,
        value: Value::Text {
            read: isn_secret,
            write: set_isn_secret,
        },
    },
    seconds!(c"fullnat_timeout_finwait", FullnatFinWait),
    seconds!(c"fullnat_timeout_timewait", FullnatTimeWait),
    seconds!(c"fullnat_timeout_close", FullnatClose),
    seconds!(c"fullnat_timeout_closewait", FullnatCloseWait),
    seconds!(c"fullnat_timeout_lastack", FullnatLastAck),
];

const fn port(
    name: &'static CStr,
    read: fn(&Ns) -> i32,
    write: fn(&Ns, i32) -> Result,
) -> Setting<Ns> {
    Setting {
        name,
        access: Access::Write,
        value: Value::Number {
            // CAST: Widening.
            min: FIRST as i32,
            // CAST: Widening.
            max: LAST as i32,
            read,
            write,
        },
    }
}

fn load(setting: &AtomicU32) -> i32 {
    i32::try_from(setting.load(Relaxed)).unwrap_or(i32::MAX)
}

fn store(setting: &AtomicU32, value: i32) -> Result {
    setting.store(u32::try_from(value).map_err(|_| EINVAL)?, Relaxed);
    Ok(())
}

fn seconds(ns: &Ns, which: timeouts::Setting) -> i32 {
    let rcu = ReadLock::new();
    i32::try_from(ns.settings.timeouts(&rcu).get(which)).unwrap_or(i32::MAX)
}

fn set_seconds(ns: &Ns, which: timeouts::Setting, value: i32) -> Result {
    let value = u32::try_from(value).map_err(|_| EINVAL)?;
    ns.change_timeouts(|timeouts| timeouts.set(which, value).map_err(|_| EINVAL))
}

fn first(ports: &Ranges) -> u16 {
    ports.first()
}

/// The highest port, which is the one at the last place.
fn last(ports: &Ranges) -> u16 {
    ports.nth(ports.count().wrapping_sub(1))
}

fn first_port(ns: &Ns) -> i32 {
    first(&ns.settings.ports()).into()
}

fn last_port(ns: &Ns) -> i32 {
    last(&ns.settings.ports()).into()
}

fn set_first_port(ns: &Ns, port: i32) -> Result {
    set_ports(
        ns,
        u16::try_from(port).map_err(|_| EINVAL)?,
        last(&ns.settings.ports()),
    )
}

fn set_last_port(ns: &Ns, port: i32) -> Result {
    set_ports(
        ns,
        first(&ns.settings.ports()),
        u16::try_from(port).map_err(|_| EINVAL)?,
    )
}

/// From now on the ports are these and all between them, which the host's own
/// range, left out by default, may be part of.
fn set_ports(ns: &Ns, first: u16, last: u16) -> Result {
    ns.settings.set_ports(first, last).map_err(|error| {
        let error = ConfigError::from(error);
        pr_warn!("fullnat_lport {}-{}: {}\n", first, last, error.message());
        match error.errno() {
            Errno::Range => ERANGE,
            _ => EINVAL,
        }
    })
}

fn isn_secret(ns: &Ns) -> Text {
    let digits = Secret(ns.settings.isn_key().to_words()).to_text();
    let mut text = [0; 64];
    for (to, from) in text.iter_mut().zip(digits) {
        *to = from;
    }
    text
}

/// Directors that have the same secret, and the same time, go on where the
/// other one stopped.
fn set_isn_secret(ns: &Ns, text: &[u8]) -> Result {
    let Secret(words) = Secret::from_text(text).ok_or(EINVAL)?;
    ns.settings.set_isn_key(random::Key::from_words(words));
    Ok(())
}
