// SPDX-License-Identifier: GPL-2.0

//! Slab caches of one type.
//!
//! C header: [`include/linux/slab.h`](srctree/include/linux/slab.h)

use crate::{bindings, gfp::Gfp, module::Entrance, rcu};
use core::{marker::PhantomData, mem::MaybeUninit, ptr::NonNull};

use kernel::prelude::*;

/// A cache of objects of type `T`.
///
/// # Invariants
///
/// The pointer is to a live cache whose objects have the size and alignment of
/// `T`.
pub struct Cache<T> {
    cache: NonNull<bindings::kmem_cache>,
    // Its name is the module's.
    _entrance: Entrance,
    object: PhantomData<fn() -> T>,
}

// SAFETY: The allocator does its own locking.
unsafe impl<T> Send for Cache<T> {}
// SAFETY: As above.
unsafe impl<T> Sync for Cache<T> {}

impl<T> Cache<T> {
    /// Creates the cache that `/proc/slabinfo` shows as `name`. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EINVAL` for a type too large for a slab.
    pub fn new(name: &'static CStr) -> Result<Self> {
        let _entrance = Entrance::open()?;
        let size = u32::try_from(size_of::<T>()).map_err(|_| EINVAL)?;
        let mut args = bindings::kmem_cache_args {
            align: u32::try_from(align_of::<T>()).map_err(|_| EINVAL)?,
            ..Default::default()
        };
        // SAFETY: The name is static, and no cache outlives the module
        // (`Entrance`); the arguments last until the call is over. No merging: the objects are counted by their own name.
        let cache = unsafe {
            bindings::__kmem_cache_create_args(
                name.as_char_ptr(),
                size,
                &mut args,
                1 << bindings::_slab_flag_bits__SLAB_NO_MERGE,
            )
        };
        // INVARIANT: Made with the size and alignment of `T`.
        Ok(Self {
            cache: NonNull::new(cache).ok_or(ENOMEM)?,
            _entrance,
            object: PhantomData,
        })
    }

    /// Memory for one object, not initialised; to be given back by
    /// [`free_object`]. Context as `gfp` says. `None`: no memory.
    ///
    /// # Safety
    ///
    /// It must have been given back, if only by an RCU callback, when the cache
    /// is dropped.
    #[inline]
    pub unsafe fn allocate(&self, gfp: Gfp) -> Option<NonNull<MaybeUninit<T>>> {
        // SAFETY: The cache is live by the type invariant.
        NonNull::new(unsafe { bindings::kmem_cache_alloc_noprof(self.cache.as_ptr(), gfp.raw()) })
            .map(NonNull::cast)
    }
}

/// Gives an object's memory back to the cache that it came from, whichever
/// that is. The object in it is not dropped. Any context.
///
/// # Safety
///
/// `object` must come from [`Cache::allocate`] of a cache that is still there,
/// and must not be used again.
pub unsafe fn free_object<T>(object: NonNull<T>) {
    // SAFETY: `kfree` finds the cache by the address; the rest is the
    // caller's promise.
    unsafe { bindings::kfree(object.as_ptr().cast()) };
}

impl<T> Drop for Cache<T> {
    fn drop(&mut self) {
        // Objects that wait for a grace period are given back by callbacks.
        rcu::barrier();
        // SAFETY: The cache is live, and every object is back, as who allocated
        // it has promised.
        unsafe { bindings::kmem_cache_destroy(self.cache.as_ptr()) };
    }
}
