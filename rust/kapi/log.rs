// SPDX-License-Identifier: GPL-2.0

//! How often packets may write to the kernel's log.
//!
//! C header: [`include/linux/net.h`](srctree/include/linux/net.h)

use crate::bindings;

/// Whether a line that a packet causes may be written now; at most ten every
/// five seconds, for all of the network code. Any context.
pub fn may_log() -> bool {
    // SAFETY: No requirement.
    unsafe { bindings::lvs_net_ratelimit() }
}
