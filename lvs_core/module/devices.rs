// SPDX-License-Identifier: GPL-2.0

//! Network devices that go away: nobody keeps a route over them.

use crate::ns::NS;
use lvs_kapi::{
    notifier::{Device, DeviceEvent, DeviceEvents},
    rcu::ReadLock,
};

pub(crate) struct Devices;

impl DeviceEvents for Devices {
    fn event(device: &Device, event: DeviceEvent) {
        // First it is down, and has no routes any more; before it goes, packets
        // that were on their way then are waited for.
        if !matches!(event, DeviceEvent::Down | DeviceEvent::Unregister) {
            return;
        }
        let rcu = ReadLock::new();
        if let Some(ns) = NS.borrow(device.net(), &rcu) {
            ns.services.forget_routes(&rcu);
        }
    }
}
