// SPDX-License-Identifier: GPL-2.0

//! The kernel's memory, locks and RCU.

use crate::{
    entry::{Entry, Item},
    NoMemory,
};
use core::ptr::NonNull;
use kernel::{alloc::flags::GFP_KERNEL, prelude::*, static_lock_class};
use lvs_kapi::{gfp::Gfp, lock::SpinLockBh, rcu, slab};

pub use lvs_kapi::rcu::ReadLock;

pub(crate) type Array<T> = lvs_kapi::vec::Vec<T>;
pub(crate) type Shared<T> = kernel::sync::Arc<T>;
pub(crate) type Lock<T> = SpinLockBh<T>;
pub(crate) type Head = rcu::Head;

/// The slab cache that entries come from. Dropping it waits for those that
/// are still to be freed.
pub struct Cache<T: Item>(slab::Cache<Entry<T>>);

impl<T: Item> Cache<T> {
    /// Creates it, by the name that `/proc/slabinfo` shows. May sleep.
    pub fn new(name: &'static CStr) -> Result<Self> {
        slab::Cache::new(name).map(Self)
    }

    /// Bytes of one entry.
    pub const ENTRY_SIZE: usize = size_of::<Entry<T>>();

    pub(crate) fn allocate(&self, entry: Entry<T>) -> Result<NonNull<Entry<T>>, NoMemory> {
        // SAFETY: Entries are given back by RCU callbacks at the latest when
        // their table is dropped, which holds a reference to the cache.
        let memory = unsafe { self.0.allocate(Gfp::Atomic) };
        let mut memory = memory.ok_or(NoMemory)?;
        // SAFETY: Memory for one entry, and ours.
        unsafe { memory.as_mut() }.write(entry);
        Ok(memory.cast())
    }
}

pub(crate) fn try_array<T>(
    len: usize,
    mut each: impl FnMut() -> Option<T>,
) -> Result<Array<T>, NoMemory> {
    let mut array = Array::with_capacity(len, Gfp::Kernel).map_err(|_| NoMemory)?;
    for _ in 0..len {
        array
            .push_within(each().ok_or(NoMemory)?)
            .map_err(|_| NoMemory)?;
    }
    Ok(array)
}

pub(crate) fn lock<T>(value: T) -> Lock<T> {
    SpinLockBh::new(value, c"lvs_table", static_lock_class!())
}

pub(crate) fn boxed<T>(value: T) -> Result<NonNull<T>, NoMemory> {
    let value = KBox::new(value, GFP_KERNEL).map_err(|_| NoMemory)?;
    // SAFETY: A box's pointer is never null.
    Ok(unsafe { NonNull::new_unchecked(KBox::into_raw(value)) })
}

/// # Safety
///
/// `value` must come from [`boxed`] and must not be used again.
pub(crate) unsafe fn unbox<T>(value: NonNull<T>) {
    // SAFETY: By the caller's promise.
    drop(unsafe { KBox::from_raw(value.as_ptr()) });
}

pub(crate) fn synchronize() {
    rcu::synchronize();
}

/// Called when the last reader of a retired entry is gone.
///
/// # Safety
///
/// For RCU, with what `retire` has queued.
unsafe extern "C" fn free<T: Item>(head: *mut Head) {
    let offset = core::mem::offset_of!(Entry<T>, place);
    // SAFETY: The head is an entry's place, see `retire`.
    let entry = unsafe { head.byte_sub(offset) }.cast::<Entry<T>>();
    // SAFETY: Nobody refers to it; it came from a slab cache, that of its
    // type, which is destroyed only after this callback.
    unsafe {
        entry.drop_in_place();
        slab::free_object(NonNull::new_unchecked(entry));
    }
}

/// # Safety
///
/// `entry` must be live, claimed by the caller, in no chain and no slot, and
/// must be retired once.
pub(crate) unsafe fn retire<T: Item>(entry: *mut Entry<T>) {
    // SAFETY: Live; its place is unused from here on.
    let head = unsafe { &raw mut (*(*entry).place.get()).retired };
    // SAFETY: The head is in the entry, which lives until the callback.
    unsafe {
        head.write(Head::default());
        rcu::call(head, free::<T>);
    }
}
