// SPDX-License-Identifier: GPL-2.0

//! What comes and goes in a namespace while it is there.
//!
//! Hooks refer to the namespace they stand in, which cannot be kept from going
//! away. So they belong to its anchor, which is cast off with the namespace's
//! state: whatever its users still hold, or have forgotten, stands no more
//! then. What cannot be taken from its users, such as a route, has a stake in
//! the namespace, and is waited for.

use crate::{
    gfp::Gfp,
    lock::Mutex,
    module,
    net::Net,
    netfilter::{Registration, Spec},
    rcu,
    vec::Vec,
};
use core::{
    ptr::{self, NonNull},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};
use kernel::{prelude::*, static_lock_class, sync::Arc};

/// Something that is undone when it is dropped.
pub(crate) trait Held: Send {
    /// Undoes what refers to the namespace, at once. Dropping it then may wait,
    /// and does not touch the namespace.
    fn take_down(&mut self);
}

struct Inner {
    /// The namespace, until it goes away.
    net: Option<NonNull<Net>>,
    held: Vec<(u64, KBox<dyn Held>)>,
    next: u64,
}

// SAFETY: A namespace may be used by any task.
unsafe impl Send for Inner {}

/// A place in one namespace to attach to.
///
/// # Invariants
///
/// While `net` is there, the namespace is: it is taken out, under the lock,
/// before the namespace goes away.
#[derive(Clone)]
pub struct Anchor(Arc<Shared>);

struct Shared {
    inner: Mutex<Inner>,
    /// Which namespace it is; only compared.
    identity: *const Net,
    /// No more stakes are given out.
    closed: AtomicBool,
    /// How many there are.
    stakes: AtomicUsize,
}

// SAFETY: The pointer is only compared; the rest may be.
unsafe impl Send for Shared {}
// SAFETY: As above.
unsafe impl Sync for Shared {}

/// What a namespace waits for when it goes away.
///
/// # Invariants
///
/// It is counted in `stakes`, and was before `closed` was looked at.
pub(crate) struct Stake(Arc<Shared>);

impl Drop for Stake {
    fn drop(&mut self) {
        // ORDERING: What it was for is over before it is seen to be.
        self.0.stakes.fetch_sub(1, Ordering::Release);
    }
}

impl Anchor {
    /// # Safety
    ///
    /// [`Anchor::cast_off`] must be called before `net` goes away.
    pub(super) unsafe fn new(net: &Net) -> Result<Self> {
        let inner = Inner {
            net: Some(NonNull::from(net)),
            held: Vec::new(),
            next: 0,
        };
        let shared = Shared {
            inner: Mutex::new(inner, c"lvs_anchor", static_lock_class!())?,
            identity: ptr::from_ref(net),
            closed: AtomicBool::new(false),
            stakes: AtomicUsize::new(0),
        };
        // INVARIANT: By the caller's promise.
        Ok(Self(Arc::new(shared, GFP_KERNEL)?))
    }

    /// Calls `then` with the namespace, which waits for it to end. `None`: the
    /// namespace has gone away. May sleep; `then` must not use the anchor.
    pub fn with<R: Send>(&self, then: impl FnOnce(&Net) -> R) -> Option<R> {
        let inner = self.0.inner.lock();
        // SAFETY: There by the type invariant, for as long as the lock is held.
        inner.net.map(|net| then(unsafe { net.as_ref() }))
    }

    /// Lets packets of the namespace meet hooks; see
    /// [`crate::netfilter::Hook`]. They stand until the result is dropped, or
    /// the namespace goes away. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; what netfilter says; `ENODEV` if the namespace has gone away.
    pub fn hook<S: Send + Sync + 'static, const N: usize>(
        &self,
        state: Arc<S>,
        specs: [Spec<S>; N],
    ) -> Result<Hooks> {
        let mut inner = self.0.inner.lock();
        let net = inner.net.ok_or(ENODEV)?;
        // SAFETY: As in `with`.
        let net = unsafe { net.as_ref() };
        let id = inner.next;
        // SAFETY: It is dropped by `cast_off` at the latest.
        let registration = unsafe { Registration::new(net, state, specs) }?;
        let held: KBox<dyn Held> = KBox::new(registration, GFP_KERNEL)?;
        inner.held.push((id, held), Gfp::Kernel)?;
        inner.next = id.wrapping_add(1);
        Ok(Hooks {
            anchor: self.clone(),
            id,
        })
    }

    /// The namespace goes away: nothing stands any more when this returns. May
    /// sleep.
    pub(super) fn cast_off(&self) {
        loop {
            let held = {
                let mut inner = self.0.inner.lock();
                inner.net = None;
                inner.held.pop().map(taken_down)
            };
            // Waits, outside of the lock.
            if held.is_none() {
                break;
            }
        }
        // ORDERING: Sequentially consistent with `stake`: one of both sees the
        // other.
        self.0.closed.store(true, Ordering::SeqCst);
        let is_left = || {
            if self.0.stakes.load(Ordering::SeqCst) != 0 {
                // What RCU has been given is let go of then.
                rcu::barrier();
            }
            self.0.stakes.load(Ordering::SeqCst) == 0
        };
        module::wait_until(
            is_left,
            PATIENCE,
            "a route of a network namespace was leaked: the namespace cannot go",
        );
    }

    /// A stake in the namespace, if it is `net`, and not about to go. Any
    /// context.
    pub(crate) fn stake(&self, net: *const Net) -> Option<Stake> {
        if self.0.identity != net {
            return None;
        }
        // ORDERING: See `cast_off`.
        self.0.stakes.fetch_add(1, Ordering::SeqCst);
        // INVARIANT: Counted above.
        let stake = Stake(self.0.clone());
        (!self.0.closed.load(Ordering::SeqCst)).then_some(stake)
    }
}

/// How often what has a stake is looked for before somebody is told: seconds.
const PATIENCE: u32 = 300;

fn taken_down(mut one: (u64, KBox<dyn Held>)) -> KBox<dyn Held> {
    one.1.take_down();
    one.1
}

/// Hooks that stand in a namespace while this lives. Dropping it waits for
/// packets that are in them: may sleep.
pub struct Hooks {
    anchor: Anchor,
    id: u64,
}

impl Drop for Hooks {
    fn drop(&mut self) {
        let held = {
            let mut inner = self.anchor.0.inner.lock();
            let place = inner.held.iter().position(|(id, _)| *id == self.id);
            // With the lock: who finds nothing held any more lets the namespace go.
            place
                .and_then(|place| inner.held.swap_remove(place))
                .map(taken_down)
        };
        // Waits, outside of the lock.
        drop(held);
    }
}
