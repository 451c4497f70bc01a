// SPDX-License-Identifier: GPL-2.0

//! Finding the families, loading the module where none is.

use std::io;
use std::path::Path;

use lvs_wire::netlink::{ipvs, lvs};

use super::{understand, Kernel};
use crate::failure::{Failure, USAGE};
use crate::nl::ctrl;
use crate::socket::{modprobe, Transport, Trouble};

/// Both modules have this file in every namespace.
const PROC_FILE: &str = "/proc/net/ip_vs";

impl<'t> Kernel<'t> {
    /// Finds the families. Where neither module is loaded, lvs is loaded
    /// first: asking for the family by name would make the kernel load
    /// whichever module claims it, and that may be stock ip_vs.
    pub(crate) fn connect(transport: &'t mut dyn Transport) -> Result<Self, Failure> {
        let loading = if Path::new(PROC_FILE).exists() {
            Ok(())
        } else {
            modprobe::load("lvs")
        };
        let ipvs = match resolve(transport, ipvs::NAME)? {
            Some(id) => id,
            None => return Err(not_loaded(loading)),
        };
        let lvs = resolve(transport, lvs::NAME)?;
        Ok(Self {
            transport,
            ipvs,
            lvs,
            warnings: Vec::new(),
        })
    }
}

/// The number of a family, `None` if no module registered it.
pub(super) fn resolve(transport: &mut dyn Transport, name: &str) -> Result<Option<u16>, Failure> {
    match transport.call(&ctrl::get_family(name)) {
        Ok(answer) => match answer.messages.first() {
            Some(message) => understand(ctrl::family_id(message)).map(Some),
            None => Ok(None),
        },
        Err(Trouble::Refused {
            errno: libc::ENOENT,
            ..
        }) => Ok(None),
        Err(Trouble::Refused { errno, .. }) => Err(Failure::usage(format!(
            "The kernel did not say whether the netlink family {name} exists ({}): \
             run this as root, in a namespace that may use generic netlink.",
            io::Error::from_raw_os_error(errno)
        ))),
        Err(Trouble::Broken(text)) => Err(Failure::usage(text)),
    }
}

fn not_loaded(loading: Result<(), String>) -> Failure {
    let tried = match loading {
        Ok(()) => "the netlink family IPVS is missing although a module seems loaded".to_string(),
        Err(said) => format!("`modprobe lvs` failed: {said}"),
    };
    Failure {
        status: USAGE,
        text: format!(
            "Can't initialize ipvs: neither lvs nor ip_vs is loaded, and {tried}. \
             As root, load lvs.ko built for this kernel (`make modules`, then `modprobe lvs`), or stock ip_vs."
        ),
    }
}
