// SPDX-License-Identifier: GPL-2.0

//! Rules files: what a line adds is added by the line that is written for it.

use crate::args::request::{Action, Format, MasqOnly};
use crate::model::dest::{Dest, Methods};
use crate::model::laddr::LocalAddress;
use crate::model::service::{Extra, Mask, Service};
use crate::model::stats::Stats;
use crate::names::Numbers;
use crate::rules::{parse, Rule};
use crate::show::place::Namer;
use crate::show::{rule, Style};
use lvs_wire::netlink::ipvs::svc_flags;

/// Files, with a NUL between them.
pub(super) fn run(data: &[u8]) {
    data.split(|byte| *byte == 0).for_each(file);
}

fn file(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let lines = text.lines().count();
    match parse(&text, &Numbers) {
        Ok(rules) => {
            let mut last = 0;
            for rule in &rules {
                assert!(last < rule.line && rule.line <= lines);
                last = rule.line;
                again(rule);
            }
        }
        Err(bad) => {
            assert!((1..=lines).contains(&bad.line));
            let failure = bad.failure("Nothing was changed.");
            assert!(failure.status != 0 && failure.text.starts_with("line "));
        }
    }
}

fn again(rule: &Rule) {
    let Some((text, action)) = written(&rule.request.action) else {
        return;
    };
    let rules = parse(&text, &Numbers).unwrap_or_else(|bad| panic!("`{text}' is {bad:?}"));
    let actions: Vec<&Action> = rules.iter().map(|rule| &rule.request.action).collect();
    assert_eq!(actions, [&action], "`{text}'");
}

/// The line for what an action adds, and the action that the line is.
fn written(action: &Action) -> Option<(String, Action)> {
    let style = Style {
        format: Format::default(),
        namer: Namer { names: &Numbers },
    };
    match action.clone() {
        Action::AddService(key, mut settings, masq) => {
            if settings.flags & svc_flags::PERSISTENT == 0 {
                // It says which clients belong together, and nobody asks.
                settings.mask = Mask::full(key.family());
            }
            let masq_only = masq == MasqOnly::On;
            let service = Service {
                key,
                settings: settings.clone(),
                stats: Stats::default(),
                extra: Some(Extra {
                    masq_only,
                    local_addresses: 0,
                }),
            };
            // What is off is not said.
            let masq = if masq_only { masq } else { MasqOnly::Keep };
            Some((
                rule::service(&service, &style),
                Action::AddService(key, settings, masq),
            ))
        }
        Action::AddDest(service, key, settings) => {
            let methods = Methods {
                effective: settings.method,
                configured: settings.method,
            };
            let dest = Dest {
                key,
                settings,
                active: 0,
                inactive: 0,
                persistent: 0,
                stats: Stats::default(),
                methods: Some(methods),
            };
            Some((rule::dest(&service, &dest, &style), action.clone()))
        }
        Action::AddLocal(service, addr, dedicated) => {
            let local = LocalAddress {
                service,
                addr,
                dedicated,
                conns: 0,
                ports: 0,
                exhausted: 0,
                draining: false,
                stats: Stats::default(),
            };
            Some((rule::local(&local, &style), action.clone()))
        }
        _ => None,
    }
}
