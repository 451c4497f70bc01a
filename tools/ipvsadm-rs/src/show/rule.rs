// SPDX-License-Identifier: GPL-2.0

//! Rules: lines that `-R` reads and stock's `-R` mostly reads too.

use std::fmt::Write;

use lvs_wire::netlink::ipvs::svc_flags;

use super::service::narrow_mask;
use super::Style;
use crate::args::values::sched_flag_words;
use crate::model::dest::{Dest, Method};
use crate::model::laddr::LocalAddress;
use crate::model::service::{Family, Service, ServiceKey, SCHED_FLAGS};

/// The line that adds a service.
pub(crate) fn service(service: &Service, style: &Style<'_>) -> String {
    let settings = &service.settings;
    let mut out = format!(
        "-A {} -s {}",
        target(&service.key, style),
        settings.scheduler
    );
    // Writing to a string cannot fail.
    if settings.flags & svc_flags::PERSISTENT != 0 {
        let _ = write!(out, " -p {}", settings.timeout);
        if let Some(mask) = narrow_mask(settings, service.key.family()) {
            let _ = write!(out, " -M {mask}");
        }
    }
    if let Some(engine) = &settings.engine {
        let _ = write!(out, " --pe {engine}");
    }
    if settings.flags & svc_flags::ONE_PACKET != 0 {
        out.push_str(" -o");
    }
    if settings.flags & SCHED_FLAGS != 0 {
        let _ = write!(
            out,
            " -b {}",
            sched_flag_words(settings.flags, &settings.scheduler)
        );
    }
    if service.extra.is_some_and(|extra| extra.masq_only) {
        out.push_str(" --masq-only");
    }
    out.push('\n');
    out
}

/// The line that adds a destination. Thresholds, which stock forgets, are
/// there when they are set.
pub(crate) fn dest(key: &ServiceKey, dest: &Dest, style: &Style<'_>) -> String {
    // Between families NAT is FULLNAT, and only that is a rule.
    let between = Family::of(dest.key.addr) != key.family();
    let method = match dest.method_configured() {
        Method::MASQ if between => Method::FULLNAT,
        method => method,
    };
    let mut out = format!(
        "-a {} -r {} {} -w {}",
        target(key, style),
        style
            .namer
            .place(dest.key.addr, dest.key.port, key.protocol()),
        method.switch(),
        dest.settings.weight
    );
    if method == Method::TUNNEL {
        out.push_str(&tunnel(dest));
    }
    for (switch, value) in [("-x", dest.settings.upper), ("-y", dest.settings.lower)] {
        if value != 0 {
            // Writing to a string cannot fail.
            let _ = write!(out, " {switch} {value}");
        }
    }
    out.push('\n');
    out
}

/// The line that adds a local address to a service, or to the default pool.
pub(crate) fn local(local: &LocalAddress, style: &Style<'_>) -> String {
    let owner = match &local.service {
        Some(key) => format!("{} ", target(key, style)),
        None => String::new(),
    };
    let dedicated = if local.dedicated { " --dedicated" } else { "" };
    format!("-P {owner}-z {}{dedicated}\n", local.addr)
}

fn target(key: &ServiceKey, style: &Style<'_>) -> String {
    match key {
        ServiceKey::Mark { mark, family } => match family {
            Family::V4 => format!("-f {mark}"),
            Family::V6 => format!("-f {mark} -6"),
        },
        ServiceKey::Address {
            protocol,
            addr,
            port,
        } => format!(
            "{} {}",
            protocol.switch(),
            style.namer.place(*addr, *port, *protocol)
        ),
    }
}

fn tunnel(dest: &Dest) -> String {
    let tunnel = &dest.settings.tunnel;
    let flags = tunnel.flags_switch();
    match tunnel.kind_name() {
        Some("gue") => format!(" --tun-type gue --tun-port {} {flags}", tunnel.port),
        Some("gre") => format!(" --tun-type gre {flags}"),
        Some(kind) => format!(" --tun-type {kind}"),
        None => String::new(),
    }
}
