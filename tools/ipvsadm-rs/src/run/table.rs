// SPDX-License-Identifier: GPL-2.0

//! The whole table: services, destinations and what lvs adds to both.

use std::collections::HashMap;

use crate::failure::Failure;
use crate::kernel::Kernel;
use crate::model::dest::{Dest, DestKey, Methods};
use crate::model::service::{Extra, Service, ServiceKey};
use crate::model::sort;

/// How the table is read.
#[derive(Clone, Copy)]
pub(super) struct Reading {
    /// In the kernel's order.
    pub(super) nosort: bool,
    /// With the methods that only lvs tells.
    pub(super) methods: bool,
}

/// Every service, with what lvs adds.
pub(super) fn services(kernel: &mut Kernel<'_>, reading: Reading) -> Result<Vec<Service>, Failure> {
    let mut list = kernel.services()?;
    if kernel.is_lvs() {
        let extras: HashMap<ServiceKey, Extra> = kernel.extras()?.into_iter().collect();
        for service in &mut list {
            service.extra = extras.get(&service.key).copied();
        }
    }
    Ok(if reading.nosort {
        list
    } else {
        sort::services(list)
    })
}

/// One service, with what lvs adds.
pub(super) fn service(kernel: &mut Kernel<'_>, key: &ServiceKey) -> Result<Service, Failure> {
    let mut service = kernel.service(key)?;
    if kernel.is_lvs() {
        service.extra = Some(kernel.extra(key)?.1);
    }
    Ok(service)
}

/// A service's destinations, with what lvs adds.
pub(super) fn dests(
    kernel: &mut Kernel<'_>,
    key: &ServiceKey,
    reading: Reading,
) -> Result<Vec<Dest>, Failure> {
    let mut list = kernel.dests(key)?;
    if reading.methods && kernel.is_lvs() && !list.is_empty() {
        let methods = kernel.methods(key)?;
        for dest in &mut list {
            dest.methods = methods_of(&dest.key, &methods);
        }
    }
    Ok(if reading.nosort {
        list
    } else {
        sort::dests(list)
    })
}

fn methods_of(key: &DestKey, methods: &[(DestKey, Methods)]) -> Option<Methods> {
    methods.iter().find(|(k, _)| k == key).map(|(_, m)| *m)
}
