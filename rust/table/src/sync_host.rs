// SPDX-License-Identifier: GPL-2.0

//! std's memory and locks, and a toy grace period: whoever waits for one waits
//! until nobody is in a read section.

use crate::{
    entry::{Entry, Item},
    NoMemory,
};
use core::{marker::PhantomData, ptr::NonNull};
use std::{
    boxed::Box,
    sync::{Mutex, MutexGuard, RwLock, RwLockReadGuard},
    vec::Vec,
};

pub(crate) type Array<T> = Vec<T>;
pub(crate) type Shared<T> = std::sync::Arc<T>;

/// Stands where the kernel's queue entry does.
#[derive(Clone, Copy, Default)]
pub(crate) struct Head {
    _words: [usize; 2],
}

static READERS: RwLock<()> = RwLock::new(());

type Retired = (usize, unsafe fn(usize));
static RETIRED: Mutex<Vec<Retired>> = Mutex::new(Vec::new());

/// A read section. Not to be nested: a waiting writer stops the inner one.
pub struct ReadLock(#[allow(dead_code)] RwLockReadGuard<'static, ()>);

impl ReadLock {
    /// Enters a read section.
    pub fn new() -> Self {
        Self(READERS.read().unwrap_or_else(|poison| poison.into_inner()))
    }
}

impl Default for ReadLock {
    fn default() -> Self {
        Self::new()
    }
}

/// A lock as the kernel's spin lock is used.
pub(crate) struct Lock<T>(Mutex<T>);

impl<T> Lock<T> {
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(|poison| poison.into_inner())
    }
}

/// Where entries come from.
pub struct Cache<T: Item>(PhantomData<fn() -> T>);

impl<T: Item> Default for Cache<T> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T: Item> Cache<T> {
    pub(crate) fn allocate(&self, entry: Entry<T>) -> Result<NonNull<Entry<T>>, NoMemory> {
        boxed(entry)
    }
}

pub(crate) fn try_array<T>(
    len: usize,
    mut each: impl FnMut() -> Option<T>,
) -> Result<Array<T>, NoMemory> {
    (0..len).map(|_| each().ok_or(NoMemory)).collect()
}

pub(crate) fn lock<T>(value: T) -> Lock<T> {
    Lock(Mutex::new(value))
}

pub(crate) fn boxed<T>(value: T) -> Result<NonNull<T>, NoMemory> {
    Ok(NonNull::from(Box::leak(Box::new(value))))
}

/// # Safety
///
/// `value` must come from [`boxed`] and must not be used again.
pub(crate) unsafe fn unbox<T>(value: NonNull<T>) {
    // SAFETY: By the caller's promise.
    drop(unsafe { Box::from_raw(value.as_ptr()) });
}

/// Waits until no reader is left, and frees what was retired before.
pub(crate) fn synchronize() {
    // One at a time: who returns knows that all before has been freed.
    static WAITING: Mutex<()> = Mutex::new(());
    let _waiting = WAITING.lock().unwrap_or_else(|p| p.into_inner());
    let retired = core::mem::take(&mut *RETIRED.lock().unwrap_or_else(|p| p.into_inner()));
    drop(READERS.write().unwrap_or_else(|poison| poison.into_inner()));
    for (entry, free) in retired {
        // SAFETY: No reader is left that could refer to it.
        unsafe { free(entry) };
    }
}

unsafe fn free<T: Item>(entry: usize) {
    // SAFETY: It is a leaked box, see `retire`.
    drop(unsafe { Box::from_raw(core::ptr::with_exposed_provenance_mut::<Entry<T>>(entry)) });
}

/// # Safety
///
/// `entry` must be live, claimed by the caller, in no chain and no slot, and
/// must be retired once.
pub(crate) unsafe fn retire<T: Item>(entry: *mut Entry<T>) {
    // SAFETY: Live and claimed by the caller; the place is used for nothing
    // else any more.
    unsafe { (*(*entry).place.get()).retired = Head::default() };
    let mut retired = RETIRED.lock().unwrap_or_else(|p| p.into_inner());
    retired.push((entry.expose_provenance(), free::<T>));
}
