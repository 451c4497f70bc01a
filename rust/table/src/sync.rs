// SPDX-License-Identifier: GPL-2.0

//! All that the table needs of its surroundings: memory, locks, atomics, grace
//! periods. The kernel's in the module; on the host, std's with a toy grace
//! period; in the models (`selftests/loom`), loom's with another.

#[cfg(CONFIG_RUST)]
#[path = "sync_kernel.rs"]
mod imp;

#[cfg(all(not(CONFIG_RUST), not(loom)))]
#[path = "sync_host.rs"]
mod imp;

#[cfg(loom)]
#[path = "sync_loom.rs"]
mod imp;

#[cfg(loom)]
pub use imp::model;
pub(crate) use imp::*;
pub use imp::{Cache, ReadLock};

#[cfg(not(loom))]
pub(crate) use core::{
    cell::UnsafeCell,
    sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize},
};

pub(crate) use core::sync::atomic::Ordering;

/// An array of `len` values, each made by `each`. May sleep.
pub(crate) fn array<T>(
    len: usize,
    mut each: impl FnMut() -> T,
) -> Result<Array<T>, crate::NoMemory> {
    try_array(len, || Some(each()))
}

/// How many there are of what there is more than one of.
#[cfg(not(loom))]
pub(crate) mod sizes {
    /// Locks of chains. A chain's is that of its number's low bits, in a small
    /// array and in a large one: hence no array is smaller.
    pub(crate) const LOCKS: usize = 256;
    /// 2^27 chains are a gigabyte; as large as stock makes them.
    pub(crate) const MAX_BITS: u32 = 27;
    /// Ticks that a wheel goes round in; what is due later is looked at in
    /// between.
    pub(crate) const SLOTS: usize = 1024;
    /// Wheels, so that CPUs which add entries at once seldom meet.
    pub(crate) const WHEELS: usize = 8;
}

/// A model pays for each of them in every interleaving.
#[cfg(loom)]
pub(crate) mod sizes {
    pub(crate) const LOCKS: usize = 2;
    pub(crate) const MAX_BITS: u32 = 3;
    pub(crate) const SLOTS: usize = 4;
    pub(crate) const WHEELS: usize = 1;
}

/// What `pointer` is to. In a model, whether it is still there is looked at.
///
/// # Safety
///
/// It must be live for `'a`.
#[cfg(not(loom))]
#[inline]
pub(crate) unsafe fn deref<'a, T>(pointer: core::ptr::NonNull<T>) -> &'a T {
    // SAFETY: By the caller's promise.
    unsafe { pointer.as_ref() }
}
