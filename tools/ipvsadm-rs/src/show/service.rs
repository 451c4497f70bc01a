// SPDX-License-Identifier: GPL-2.0

//! A service's line.

use std::fmt::Write;

use lvs_wire::netlink::ipvs::svc_flags;

use super::number::large;
use super::place::cut;
use super::Style;
use crate::args::request::Columns;
use crate::args::values::sched_flag_names;
use crate::model::service::{Family, Mask, Service, ServiceKey, Settings, SCHED_FLAGS};

/// Stock cuts an IPv4 service's name here.
const LONGEST: usize = 33;

/// A service's line, with its newline.
pub(crate) fn line(service: &Service, style: &Style<'_>) -> String {
    let name = name(&service.key, style);
    let exact = style.format.exact;
    match style.format.columns {
        Columns::Stats => counters(&name, service.stats.totals(), exact),
        Columns::Rate => counters(&name, service.stats.rates(), exact),
        _ => format!("{name} {}\n", settings(&service.settings, service)),
    }
}

/// The service's name in the first column.
pub(crate) fn name(key: &ServiceKey, style: &Style<'_>) -> String {
    match key {
        // Stock prints the mark as a signed number.
        ServiceKey::Mark { mark, family } => match family {
            Family::V4 => format!("FWM  {}", *mark as i32),
            Family::V6 => format!("FWM  {} IPv6", *mark as i32),
        },
        ServiceKey::Address {
            protocol,
            addr,
            port,
        } => {
            let place = style.namer.place(*addr, *port, *protocol);
            let text = format!("{:<4} {place}", protocol.name());
            if addr.is_ipv4() {
                cut(text, LONGEST)
            } else {
                text
            }
        }
    }
}

fn counters(name: &str, values: [u64; 5], exact: bool) -> String {
    let mut out = format!("{name:<33}");
    for value in values {
        large(&mut out, value, exact);
    }
    out.push('\n');
    out
}

fn settings(settings: &Settings, service: &Service) -> String {
    let mut out = settings.scheduler.clone();
    // Writing to a string cannot fail.
    if settings.flags & SCHED_FLAGS != 0 {
        let names = sched_flag_names(settings.flags, &settings.scheduler);
        let _ = write!(out, " ({names})");
    }
    if settings.flags & svc_flags::PERSISTENT != 0 {
        let _ = write!(out, " persistent {}", settings.timeout);
        if let Some(mask) = narrow_mask(settings, service.key.family()) {
            let _ = write!(out, " mask {mask}");
        }
        if let Some(engine) = &settings.engine {
            let _ = write!(out, " pe {engine}");
        }
    }
    if settings.flags & svc_flags::ONE_PACKET != 0 {
        out.push_str(" ops");
    }
    if service.extra.is_some_and(|extra| extra.masq_only) {
        out.push_str(" masq-only");
    }
    out
}

/// The mask, unless it keeps every address apart.
pub(crate) fn narrow_mask(settings: &Settings, family: Family) -> Option<String> {
    if settings.mask == Mask::full(family) {
        return None;
    }
    Some(match settings.mask {
        Mask::V4(mask) => mask.to_string(),
        Mask::V6(prefix) => (prefix as i32).to_string(),
    })
}
