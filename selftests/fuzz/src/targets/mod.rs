// SPDX-License-Identifier: GPL-2.0

//! The targets, one file each.

mod args;
mod icmp_error;
mod ip;
mod netlink;
mod options;
mod planted;
mod proc;
mod record;
mod rewrite;
mod rules;
mod toa;
mod translate;
mod translate_error;
mod transport;

/// A target.
#[derive(Debug)]
pub struct Target {
    /// Its name, and that of its corpus.
    pub name: &'static str,
    /// Panics when a property does not hold.
    pub run: fn(&[u8]),
}

/// All of them. The last is planted: it has a fault that only coverage leads to.
pub const TARGETS: &[Target] = &[
    target("ip", ip::run),
    target("transport", transport::run),
    target("options", options::run),
    target("toa", toa::run),
    target("rewrite", rewrite::run),
    target("icmp-error", icmp_error::run),
    target("translate", translate::run),
    target("translate-error", translate_error::run),
    target("record", record::run),
    target("netlink", netlink::run),
    target("rules", rules::run),
    target("args", args::run),
    target("proc", proc::run),
    target("planted", planted::run),
];

const fn target(name: &'static str, run: fn(&[u8])) -> Target {
    Target { name, run }
}

impl Target {
    /// The target of a name.
    pub fn named(name: &str) -> Option<&'static Self> {
        TARGETS.iter().find(|target| target.name == name)
    }
}
