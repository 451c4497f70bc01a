// SPDX-License-Identifier: GPL-2.0

//! All that the table needs of its surroundings: memory, locks, atomics, grace
//! periods. The kernel's in the module; on the host, std's with a toy grace
//! period.

pub(crate) use core::cell::UnsafeCell;

#[cfg(CONFIG_RUST)]
#[path = "sync_kernel.rs"]
mod imp;

#[cfg(not(CONFIG_RUST))]
#[path = "sync_host.rs"]
mod imp;

pub(crate) use imp::*;
pub use imp::{Cache, ReadLock};

pub(crate) use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
