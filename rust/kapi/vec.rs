// SPDX-License-Identifier: GPL-2.0

//! A growable array whose code cannot panic.
//!
//! The `kernel` crate's has overflow checks in every `push`, which are calls
//! to the panic handler in each module that uses it.

use crate::gfp::Gfp;
use core::{
    alloc::Layout,
    marker::PhantomData,
    ops::{Deref, DerefMut},
    ptr::{self, NonNull},
    slice,
};
use kernel::alloc::{allocator::KVmalloc, AllocError, Allocator, NumaNode};

/// Values one after the other in memory.
///
/// # Invariants
///
/// `start` is to memory for `capacity` values, of which the first `len` are
/// initialised; with no capacity it dangles.
pub struct Vec<T> {
    start: NonNull<T>,
    len: usize,
    capacity: usize,
    values: PhantomData<T>,
}

// SAFETY: It owns its values.
unsafe impl<T: Send> Send for Vec<T> {}
// SAFETY: As above.
unsafe impl<T: Sync> Sync for Vec<T> {}

impl<T> Default for Vec<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Vec<T> {
    /// Nothing, and no memory for anything.
    pub const fn new() -> Self {
        // INVARIANT: No capacity.
        Self {
            start: NonNull::dangling(),
            len: 0,
            capacity: 0,
            values: PhantomData,
        }
    }

    /// Nothing yet, with memory for `capacity` values. Context as `gfp` says.
    pub fn with_capacity(capacity: usize, gfp: Gfp) -> Result<Self, AllocError> {
        const { assert!(size_of::<T>() != 0) };
        if capacity == 0 {
            return Ok(Self::new());
        }
        let layout = Layout::array::<T>(capacity).map_err(|_| AllocError)?;
        let memory = KVmalloc::alloc(layout, gfp.flags(), NumaNode::NO_NODE)?;
        // INVARIANT: Memory for that many.
        Ok(Self {
            start: memory.cast(),
            len: 0,
            capacity,
            values: PhantomData,
        })
    }

    /// Adds a value at the end; gives it back if there is no memory left for
    /// it. Any context.
    pub fn push_within(&mut self, value: T) -> Result<(), T> {
        if self.len >= self.capacity {
            return Err(value);
        }
        // SAFETY: Inside the memory, and not initialised.
        unsafe { self.start.as_ptr().add(self.len).write(value) };
        // INVARIANT: One more is initialised.
        self.len = self.len.wrapping_add(1);
        Ok(())
    }

    /// Adds a value at the end, with more memory if need be. Context as `gfp`
    /// says.
    ///
    /// # Errors
    ///
    /// No memory: nothing has changed, and the value is dropped.
    pub fn push(&mut self, value: T, gfp: Gfp) -> Result<(), AllocError> {
        self.reserve(1, gfp)?;
        self.push_within(value).map_err(|_| AllocError)
    }

    /// Makes room for so many more values. Context as `gfp` says.
    ///
    /// # Errors
    ///
    /// No memory: nothing has changed.
    pub fn reserve(&mut self, additional: usize, gfp: Gfp) -> Result<(), AllocError> {
        let needed = self.len.saturating_add(additional);
        if needed > self.capacity {
            let capacity = self.capacity.saturating_mul(2).max(needed).max(4);
            let mut more = Self::with_capacity(capacity, gfp)?;
            // SAFETY: Both are memory for at least `len` values, apart from
            // each other.
            unsafe { ptr::copy_nonoverlapping(self.start.as_ptr(), more.start.as_ptr(), self.len) };
            more.len = self.len;
            // INVARIANT: The values have moved; what is dropped has none.
            self.len = 0;
            *self = more;
        }
        Ok(())
    }

    /// Adds a value before the one at `index`, or at the end, with more memory
    /// if need be; those behind it move down. Context as `gfp` says.
    ///
    /// # Errors
    ///
    /// As [`Vec::push`].
    pub fn insert(&mut self, index: usize, value: T, gfp: Gfp) -> Result<(), AllocError> {
        self.reserve(1, gfp)?;
        let index = index.min(self.len);
        let behind = self.len.wrapping_sub(index);
        // SAFETY: `index` is inside or at the end, the `behind` values from
        // there on are initialised, and there is room for one more.
        unsafe {
            let place = self.start.as_ptr().add(index);
            ptr::copy(place, place.add(1), behind);
            place.write(value);
        }
        // INVARIANT: One more is initialised.
        self.len = self.len.wrapping_add(1);
        Ok(())
    }

    /// Lets two values change places, if both are there.
    pub fn swap(&mut self, a: usize, b: usize) {
        if a < self.len && b < self.len {
            let start = self.start.as_ptr();
            // SAFETY: Both are inside and initialised; the swap may be with
            // itself.
            unsafe { ptr::swap(start.add(a), start.add(b)) };
        }
    }

    /// Takes the last value off.
    pub fn pop(&mut self) -> Option<T> {
        self.len = self.len.checked_sub(1)?;
        // SAFETY: Initialised, and by the shorter length no longer ours.
        Some(unsafe { self.start.as_ptr().add(self.len).read() })
    }

    /// Drops all that `keep` says no to; the others stay in their order.
    pub fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        let mut kept = 0_usize;
        for index in 0..self.len {
            if self.get(index).is_some_and(&mut keep) {
                let start = self.start.as_ptr();
                // SAFETY: `kept` is at most `index`, which is inside: both are
                // initialised, and the swap may be with itself.
                unsafe { ptr::swap(start.add(kept), start.add(index)) };
                kept = kept.wrapping_add(1);
            }
        }
        while self.len > kept {
            drop(self.pop());
        }
    }

    /// Takes a value out; the last one takes its place.
    pub fn swap_remove(&mut self, index: usize) -> Option<T> {
        if index >= self.len {
            return None;
        }
        let last = self.pop()?;
        match self.get_mut(index) {
            Some(place) => Some(core::mem::replace(place, last)),
            None => Some(last),
        }
    }

    /// Takes a value out; those behind it move up.
    pub fn remove(&mut self, index: usize) -> Option<T> {
        if index >= self.len {
            return None;
        }
        let behind = self.len.wrapping_sub(index).wrapping_sub(1);
        // SAFETY: `index` is inside, and so are the `behind` values after it.
        let value = unsafe {
            let place = self.start.as_ptr().add(index);
            let value = place.read();
            ptr::copy(place.add(1), place, behind);
            value
        };
        // INVARIANT: One less is initialised.
        self.len = self.len.wrapping_sub(1);
        Some(value)
    }
}

impl<T> Deref for Vec<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: By the type invariant.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl<T> DerefMut for Vec<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: By the type invariant.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl<T> Drop for Vec<T> {
    fn drop(&mut self) {
        // SAFETY: The values are initialised and ours to drop, once.
        unsafe { ptr::drop_in_place(ptr::slice_from_raw_parts_mut(self.start.as_ptr(), self.len)) };
        let Ok(layout) = Layout::array::<T>(self.capacity) else {
            return;
        };
        if self.capacity != 0 {
            // SAFETY: Allocated by the same allocator, with this layout.
            unsafe { KVmalloc::free(self.start.cast(), layout) };
        }
    }
}
