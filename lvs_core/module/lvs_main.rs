// SPDX-License-Identifier: GPL-2.0

//! lvs.ko.

use kernel::prelude::*;

module! {
    type: Lvs,
    name: "lvs",
    authors: ["The LVS authors"],
    description: "Layer-4 load balancer",
    license: "GPL",
}

struct Lvs;

impl kernel::Module for Lvs {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(Self)
    }
}
