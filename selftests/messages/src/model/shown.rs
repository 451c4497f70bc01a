// SPDX-License-Identifier: GPL-2.0

//! A state as lines, so that two can be compared and a difference read.

use super::{Key, State};

impl State {
    /// What the kernel told (`+`) beside what it is to be (`-`), if they differ.
    pub(crate) fn difference(&self, told: &Self) -> Option<String> {
        let (wanted, told) = (self.lines(), told.lines());
        let only = |these: &[String], those: &[String], sign: &str| -> Vec<String> {
            let lines = these.iter().filter(|line| !those.contains(line));
            lines.map(|line| format!("{sign} {line}")).collect()
        };
        let mut lines = only(&wanted, &told, "-");
        lines.extend(only(&told, &wanted, "+"));
        match lines.is_empty() {
            true if wanted == told => None,
            true => Some("the order differs".to_string()),
            false => Some(lines.join("\n")),
        }
    }

    /// Everything, in the order of the kernel's listings.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for service in &self.services {
            let owner = name(Some(&service.key));
            lines.push(format!(
                "service {owner} {} flags {:#x} timeout {} mask {:?} masq-only {}",
                service.scheduler,
                service.flags,
                service.timeout,
                service.netmask,
                service.masq_only
            ));
            // The latest first.
            for dest in service.dests.iter().rev() {
                let (kind, port, flags) = dest.tunnel;
                lines.push(format!(
                    "  server {} port {} method {} in effect {} weight {} thresholds {} {} tunnel {kind} {port} {flags}",
                    dest.addr,
                    dest.port,
                    dest.method,
                    self.in_effect(service, dest),
                    dest.weight,
                    dest.upper,
                    dest.lower
                ));
            }
        }
        for (owner, pool) in &self.pools {
            for local in pool {
                let owner = name(owner.as_ref());
                lines.push(format!(
                    "local address of {owner}: {} dedicated {}",
                    local.addr, local.dedicated
                ));
            }
        }
        lines.push(format!("timeouts {:?}", self.timeouts));
        for (name, value) in &self.settings {
            lines.push(format!("{name} = {value}"));
        }
        lines.push(format!(
            "toa kinds {:?} trusted {:?}",
            self.toa.kinds, self.toa.trusted
        ));
        lines
    }
}

fn name(key: Option<&Key>) -> String {
    match key {
        None => "everybody".to_string(),
        Some(Key::Address(protocol, addr, port)) => format!("{protocol} {addr} port {port}"),
        Some(Key::Mark(mark, v6)) => format!("mark {mark} {}", if *v6 { "v6" } else { "v4" }),
    }
}
