// SPDX-License-Identifier: GPL-2.0

//! Work that is done later, or again and again, where one may sleep.
//!
//! The `kernel` crate's delayed work hands a counted reference to the queue
//! and cannot be stopped; what a module needs on its way out is the opposite:
//! [`Delayed`] owns its job, and dropping it waits.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use crate::{bindings, module::Entrance};
use kernel::{
    container_of,
    prelude::*,
    types::Opaque, //
};

/// Something to do.
pub trait Job: Send + Sync + 'static {
    /// Does it, in process context; one run at a time. Must not drop the
    /// [`Delayed`] that it belongs to.
    fn run(&self) -> Again;
}

/// When a job runs next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Again {
    /// When it is asked for.
    Stop,
    /// After so many milliseconds.
    AfterMs(u32),
}

#[repr(C)]
#[pin_data]
struct Inner<J> {
    #[pin]
    work: Opaque<bindings::delayed_work>,
    job: J,
}

/// A job and its place in the kernel's queue. Dropping it keeps the job from
/// running again and waits for a run that is under way: may sleep.
pub struct Delayed<J: Job>(Pin<KBox<Inner<J>>>, Entrance);

// SAFETY: The queue's functions do their own locking, and the job may be sent
// and shared.
unsafe impl<J: Job> Send for Delayed<J> {}
// SAFETY: As above.
unsafe impl<J: Job> Sync for Delayed<J> {}

impl<J: Job> Delayed<J> {
    /// Makes it; it does not run yet. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(job: J) -> Result<Self> {
        let inner = pin_init!(Inner {
            // SAFETY: The memory is that of a `delayed_work`, which is pinned
            // and not queued when it is freed (see `drop`).
            work <- Opaque::ffi_init(|work| unsafe {
                bindings::lvs_init_delayed_work(work, Some(Self::call))
            }),
            job,
        });
        Ok(Self(KBox::pin_init(inner, GFP_KERNEL)?, Entrance::open()?))
    }

    /// What it does.
    pub fn job(&self) -> &J {
        &self.0.job
    }

    /// Lets it run after so many milliseconds, unless it waits to run already.
    /// Any context.
    pub fn schedule(&self, ms: u32) {
        queue(&self.0.work, ms);
    }

    /// Lets it run at once, also when it waits to run later. Any context.
    pub fn expedite(&self) {
        // SAFETY: Initialised in `new`, and not freed before `drop` disables it.
        unsafe { bindings::lvs_mod_delayed_work(self.0.work.get(), 0) };
    }

    /// Runs the job.
    ///
    /// # Safety
    ///
    /// For the queue, with the `work` of an `Inner<J>`.
    unsafe extern "C" fn call(work: *mut bindings::work_struct) {
        // SAFETY: The work is the first part of a `delayed_work`.
        let delayed = unsafe { container_of!(work, bindings::delayed_work, work) };
        // SAFETY: Which is the field of an `Inner` that `drop` frees only when
        // no run is under way. The field is transparent and comes first.
        let inner = unsafe { &*delayed.cast::<Inner<J>>() };
        if let Again::AfterMs(ms) = inner.job.run() {
            // After `drop` has disabled the work this does nothing.
            queue(&inner.work, ms);
        }
    }
}

fn queue(work: &Opaque<bindings::delayed_work>, ms: u32) {
    // SAFETY: No requirement.
    let jiffies = unsafe { bindings::__msecs_to_jiffies(ms) };
    // SAFETY: The work is initialised and pinned, and is not freed while it
    // can be queued: `drop` disables it first.
    unsafe { bindings::lvs_queue_delayed_work(work.get(), jiffies) };
}

impl<J: Job> Drop for Delayed<J> {
    fn drop(&mut self) {
        // Takes it out of the queue, refuses to queue it again, and waits for
        // a run that is under way.
        // SAFETY: Initialised in `new`.
        unsafe { bindings::disable_delayed_work_sync(self.0.work.get()) };
    }
}
