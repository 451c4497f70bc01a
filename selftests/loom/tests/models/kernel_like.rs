// SPDX-License-Identifier: GPL-2.0

//! What the glue's own files take from the `kernel` crate and from `lvs_kapi`,
//! as far as the models' part of them does: std's memory, and locks that are
//! loom's.

/// `kernel::prelude`.
pub mod prelude {
    pub use std::boxed::Box as KBox;

    /// An error; which one makes no difference here.
    #[derive(Debug)]
    pub struct Error;

    /// `kernel::error::Result`.
    pub type Result<T = (), E = Error> = core::result::Result<T, E>;

    /// No memory.
    pub const ENOMEM: Error = Error;
}

/// `kernel::sync`.
pub mod sync {
    pub use std::sync::Arc;
}

/// `kernel::static_lock_class!`.
#[macro_export]
macro_rules! static_lock_class {
    () => {
        ()
    };
}

/// `lvs_kapi::gfp`.
pub mod gfp {
    /// How memory may be asked for; there is enough.
    pub enum Gfp {
        /// The caller may sleep.
        Kernel,
        /// It may not.
        Atomic,
    }
}

/// `lvs_kapi::mem`.
pub mod mem {
    /// `N` words, all zero.
    pub fn zeroed_words<const N: usize>(_: super::gfp::Gfp) -> Option<Box<[u64; N]>> {
        Some(Box::new([0; N]))
    }
}

/// `lvs_kapi::random`: the same in each interleaving.
pub mod random {
    /// Any number.
    pub fn u64() -> u64 {
        0x9e37_79b9_7f4a_7c15
    }
}

/// `lvs_kapi::rcu`.
pub mod rcu {
    pub use lvs_table::ReadLock;
}

/// `lvs_kapi::lock`.
pub mod lock {
    use core::ops::{Deref, DerefMut};
    use std::sync::OnceLock;

    /// A lock of loom's, made when it is first taken: of hundreds a model uses
    /// few.
    pub struct SpinLockBh<T> {
        lock: OnceLock<loom::sync::Mutex<()>>,
        /// Nobody waits for it: the other one is taken first.
        value: std::sync::Mutex<T>,
    }

    impl<T> SpinLockBh<T> {
        /// Makes a lock.
        pub fn new(value: T, _name: &'static core::ffi::CStr, (): ()) -> Self {
            Self {
                lock: OnceLock::new(),
                value: std::sync::Mutex::new(value),
            }
        }

        /// Waits for it.
        pub fn lock(&self) -> Guard<'_, T> {
            let lock = self.lock.get_or_init(|| loom::sync::Mutex::new(()));
            let held = lock.lock().expect("a panic ends the model");
            let value = self.value.try_lock().expect("the lock is held");
            Guard { value, _held: held }
        }
    }

    /// The lock is held.
    pub struct Guard<'a, T> {
        value: std::sync::MutexGuard<'a, T>,
        _held: loom::sync::MutexGuard<'a, ()>,
    }

    impl<T> Deref for Guard<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            &self.value
        }
    }

    impl<T> DerefMut for Guard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            &mut self.value
        }
    }
}

/// `lvs_kapi::vec`.
pub mod vec {
    use super::{gfp::Gfp, prelude::Result};
    use core::ops::{Deref, DerefMut};

    /// `lvs_kapi::vec::Vec`.
    pub struct Vec<T>(std::vec::Vec<T>);

    impl<T> Vec<T> {
        /// Nothing.
        pub const fn new() -> Self {
            Self(std::vec::Vec::new())
        }

        /// Nothing, with memory.
        pub fn with_capacity(capacity: usize, _: Gfp) -> Result<Self> {
            Ok(Self(std::vec::Vec::with_capacity(capacity)))
        }

        /// Adds a value at the end.
        pub fn push(&mut self, value: T, _: Gfp) -> Result {
            self.0.push(value);
            Ok(())
        }

        /// Takes a value out; the last one takes its place.
        pub fn swap_remove(&mut self, index: usize) -> Option<T> {
            (index < self.0.len()).then(|| self.0.swap_remove(index))
        }
    }

    impl<T> Deref for Vec<T> {
        type Target = [T];

        fn deref(&self) -> &[T] {
            &self.0
        }
    }

    impl<T> DerefMut for Vec<T> {
        fn deref_mut(&mut self) -> &mut [T] {
            &mut self.0
        }
    }
}
