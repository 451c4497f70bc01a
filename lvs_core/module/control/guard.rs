// SPDX-License-Identifier: GPL-2.0

//! Keeps `ip_vs` from being loaded beside us: it would warn and half fail
//! when it finds its files taken.

use kernel::prelude::*;
use lvs_kapi::notifier::ModuleEvents;

pub(super) struct Guard;

impl ModuleEvents for Guard {
    fn coming(name: &[u8]) -> Result {
        if name != b"ip_vs" {
            return Ok(());
        }
        pr_err!("ip_vs is refused: lvs does its work; rmmod lvs to use ip_vs again\n");
        Err(EBUSY)
    }
}
