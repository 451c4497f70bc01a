// SPDX-License-Identifier: GPL-2.0

//! lvs.ko: the load balancer.
//!
//! Thin glue: decisions are the engine's (`lvs_engine`), what touches memory
//! and the kernel is `lvs_kapi`'s, the connection table is `lvs_table`.

#![deny(unsafe_code)]

mod conns;
mod control;
mod dests;
mod devices;
mod expiry;
mod family;
mod hash;
mod locals;
mod ns;
mod order;
mod packet;
mod service;
mod services;
mod settings;
mod shown;
mod spaces;
mod stats;
mod templates;
mod version;

use core::net::{Ipv4Addr, Ipv6Addr};
use kernel::prelude::*;
use lvs_kapi::{module::Parts, netns, notifier::DeviceNotifier};

module! {
    type: Lvs,
    name: "lvs",
    authors: ["The LVS authors"],
    description: "Layer-4 load balancer: FULLNAT, NAT, DR and TUN, driven by ipvsadm",
    license: "GPL",
}

/// The module.
struct Lvs(#[expect(dead_code, reason = "held for its drop")] Parts<Standing>);

impl kernel::Module for Lvs {
    fn init(_: &'static ThisModule) -> Result<Self> {
        Parts::new(Standing::new).map(Self)
    }
}

/// All that stands while the module is loaded. Dropped from the top: nobody
/// can ask any more, and then the namespaces' state goes.
struct Standing {
    _control: control::Control,
    _devices: DeviceNotifier<devices::Devices>,
    _namespaces: netns::Registration<ns::Ns>,
    _v4: family::Cache<Ipv4Addr, Ipv4Addr>,
    _v6: family::Cache<Ipv6Addr, Ipv6Addr>,
    _v64: family::Cache<Ipv6Addr, Ipv4Addr>,
    _templates: templates::Cache,
}

impl Standing {
    fn new() -> Result<Self> {
        let (v4, v6, v64) = (
            family::Cache::new(c"lvs_conn")?,
            family::Cache::new(c"lvs_conn6")?,
            family::Cache::new(c"lvs_conn64")?,
        );
        let templates = templates::Cache::new()?;
        // The families first: whether `ip_vs` is loaded shows there.
        let control = control::Control::new()?;
        let namespaces = ns::NS.register()?;
        let devices = DeviceNotifier::new()?;
        pr_info!(
            "loaded; a connection takes {} bytes, with IPv6 {}\n",
            lvs_table::Cache::<conns::Connection<Ipv4Addr>>::ENTRY_SIZE,
            lvs_table::Cache::<conns::Connection<Ipv6Addr>>::ENTRY_SIZE
        );
        Ok(Self {
            _control: control,
            _devices: devices,
            _namespaces: namespaces,
            _v4: v4,
            _v6: v6,
            _v64: v64,
            _templates: templates,
        })
    }
}
