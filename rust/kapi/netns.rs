// SPDX-License-Identifier: GPL-2.0

//! What a module keeps in each network namespace.
//!
//! One [`Pernet`] is one kind of state: a static that makes a value for every
//! namespace, also for those to come, while its [`Registration`] lives. The
//! value is found from a namespace in any context without allocation, and is
//! counted: who still holds a reference when the namespace goes away, or the
//! module, keeps memory, never a dangling pointer.
//!
//! ```text
//!   namespace made      NetState::new, NetState::attach, published
//!   namespace goes      unpublished, NetState::pre_exit
//!                       grace period
//!                       attachments removed, NetState::exit, last reference dropped
//! ```
//!
//! C header: [`include/net/net_namespace.h`](srctree/include/net/net_namespace.h)

mod anchor;
mod slot;

pub use anchor::{Anchor, Hooks};
pub(crate) use anchor::{Held, Stake};

pub use slot::SLOTS;

use crate::{
    module::Entrance,
    net::Net,
    proc,
    rcu,
    sysctl, //
};
use core::{cell::UnsafeCell, ffi::c_void, ptr};
use kernel::{
    prelude::*,
    sync::{
        atomic::{Acquire, Atomic, Relaxed, Release},
        Arc,
        ArcBorrow, //
    },
};
use slot::Slot;

/// The state of one namespace.
pub trait NetState: Send + Sync + Sized + 'static {
    /// Makes the state of `net`. May sleep, but must neither register notifiers
    /// of devices nor load modules: the list of namespaces is locked.
    ///
    /// # Errors
    ///
    /// An error keeps the namespace from being made or, when it comes while
    /// the module is being loaded, the module from loading.
    fn new(net: &Net) -> Result<Arc<Self>>;

    /// Adds what lets users see the state: /proc files and sysctls. They are
    /// removed, and their users waited for, before [`NetState::exit`]. May
    /// sleep, as [`NetState::new`]; errors likewise.
    fn attach(_state: &Arc<Self>, _at: &mut Attachments<'_>) -> Result {
        Ok(())
    }

    /// The namespace is going away or the module is: [`Pernet::find`] no
    /// longer finds the state. A grace period follows. Must not wait for one
    /// itself; may sleep otherwise.
    fn pre_exit(_state: &Arc<Self>, _net: &Net) {}

    /// Whatever refers to `net` must be undone when this returns. May sleep.
    fn exit(_state: Arc<Self>, _net: &Net) {}
}

/// Collects the files and sysctls of one namespace.
///
/// They belong to the namespace's state rather than to a handle: a file that
/// outlived its namespace would be in a directory that is gone.
pub struct Attachments<'a> {
    net: &'a Net,
    kept: Kept,
    anchor: Anchor,
}

/// What was attached, the newest first. A list, because the `kernel` crate's
/// vectors bring panics into the module that grows them.
#[derive(Default)]
struct Kept(#[expect(dead_code, reason = "held for its drop alone")] Option<KBox<Link>>);

struct Link {
    /// Dropped before what is behind it.
    #[expect(dead_code, reason = "held for its drop alone")]
    attached: Attached,
    #[expect(dead_code, reason = "held for its drop alone")]
    next: Kept,
}

#[expect(dead_code, reason = "held for their drop alone")]
enum Attached {
    File(proc::File),
    Sysctls(sysctl::Table),
}

impl Attachments<'_> {
    /// What may be attached to the namespace later, and taken off again.
    pub fn anchor(&self) -> Anchor {
        self.anchor.clone()
    }

    /// Makes the file `/proc/net/<F::NAME>` of rows. May sleep.
    pub fn rows<F: proc::Rows>(&mut self, state: &Arc<F::State>) -> Result {
        let file = proc::File::rows::<F>(self.net, state.clone())?;
        self.keep(Attached::File(file))
    }

    /// Makes the file `/proc/net/<F::NAME>` that is shown at once. May sleep.
    pub fn single<F: proc::Single>(&mut self, state: &Arc<F::State>) -> Result {
        let file = proc::File::single::<F>(self.net, state.clone())?;
        self.keep(Attached::File(file))
    }

    /// Makes the files `/proc/sys/<path>/<setting>`. May sleep.
    pub fn sysctls<T: Send + Sync + 'static, const N: usize>(
        &mut self,
        path: &'static CStr,
        settings: &'static [sysctl::Setting<T>; N],
        state: &Arc<T>,
    ) -> Result {
        let table = sysctl::Table::register(self.net, path, settings, state)?;
        self.keep(Attached::Sysctls(table))
    }

    fn keep(&mut self, attached: Attached) -> Result {
        let link = KBox::new_uninit(GFP_KERNEL)?;
        let next = core::mem::take(&mut self.kept);
        self.kept = Kept(Some(KBox::write(link, Link { attached, next })));
        Ok(())
    }

    /// The namespace.
    pub fn net(&self) -> &Net {
        self.net
    }
}

/// One kind of per-namespace state; to be a static.
pub struct Pernet<T: NetState> {
    /// The slot that serves it, counted from 1; 0 while not registered.
    slot: Atomic<usize>,
    state: core::marker::PhantomData<fn() -> T>,
}

impl<T: NetState> Default for Pernet<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: NetState> Pernet<T> {
    /// Nothing registered yet.
    pub const fn new() -> Self {
        Self {
            slot: Atomic::new(0),
            state: core::marker::PhantomData,
        }
    }

    /// Makes the state of every namespace there is, and of each to come.
    /// May sleep.
    ///
    /// # Errors
    ///
    /// `EBUSY` when registered already or when [`SLOTS`] kinds are; else what
    /// [`NetState::new`] said for the namespace that failed; those made
    /// before are gone again.
    pub fn register(&'static self) -> Result<Registration<T>> {
        let _entrance = Entrance::open()?;
        let (index, slot) = slot::claim().ok_or(EBUSY)?;
        // ORDERING: Only claims the static for this slot; what readers must
        // see is ordered by the store below.
        if self.slot.cmpxchg(0, PENDING, Relaxed).is_err() {
            slot.release();
            return Err(EBUSY);
        }
        // SAFETY: `claim` gave it to us, and it was not registered.
        let registered = unsafe { slot.register(self) };
        if let Err(error) = registered {
            self.slot.store(0, Relaxed);
            slot.release();
            return Err(error);
        }
        // ORDERING: Publishes the id that registering wrote; pairs with the
        // load in `borrow`.
        self.slot.store(index.wrapping_add(1), Release);
        Ok(Registration {
            pernet: self,
            slot,
            _entrance,
        })
    }

    /// The state of `net` while the read section lasts. Any context.
    ///
    /// `None` before registering has finished and once the namespace or the
    /// registration is going away.
    pub fn borrow<'r>(&self, net: &Net, _: &'r rcu::ReadLock) -> Option<ArcBorrow<'r, T>> {
        // ORDERING: Pairs with the store in `register`.
        let slot = slot::at(self.slot.load(Acquire).checked_sub(1)?)?;
        // SAFETY: The slot was published after it was registered, and is
        // unregistered after the grace period that follows taking it back;
        // this read section began before that.
        let cell = unsafe { slot.cell(net) }?;
        // ORDERING: Pairs with the store in `init`.
        let state = cell.published.load(Acquire).cast::<T>();
        if state.is_null() {
            return None;
        }
        // SAFETY: The pointer came from `Arc::as_ptr` of an `Arc` that is
        // dropped only after the grace period that follows unpublishing it.
        Some(unsafe { ArcBorrow::from_raw(state) })
    }

    /// A reference to the state of `net`; see [`Pernet::borrow`]. Any context.
    pub fn find(&self, net: &Net) -> Option<Arc<T>> {
        let rcu = rcu::ReadLock::new();
        self.borrow(net, &rcu).map(Arc::from)
    }
}

/// Marks a static whose registering is under way; no slot has this index.
const PENDING: usize = usize::MAX;

/// The state exists in every namespace while this lives.
pub struct Registration<T: NetState> {
    pernet: &'static Pernet<T>,
    slot: &'static Slot,
    _entrance: Entrance,
}

impl<T: NetState> Drop for Registration<T> {
    fn drop(&mut self) {
        self.pernet.slot.store(PENDING, Relaxed);
        // Whoever saw the slot may still be looking up the id.
        rcu::synchronize();
        // SAFETY: Registered by `Pernet::register`.
        unsafe { self.slot.unregister() };
        self.slot.release();
        self.pernet.slot.store(0, Release);
    }
}

/// What the kernel keeps for us in each namespace (`net_generic`), zeroed.
#[repr(C)]
struct NetCell {
    /// `Arc::as_ptr` of the state while it can be found, else null.
    published: Atomic<*mut c_void>,
    /// Owned: a `KBox<Owned<T>>`; touched only by the callbacks, which the
    /// kernel calls one after the other for one namespace.
    owned: UnsafeCell<*mut c_void>,
}

/// The namespace's own reference and what was attached. The attachments go
/// first: their callbacks use the state.
struct Owned<T> {
    kept: Kept,
    state: Arc<T>,
    anchor: Anchor,
}

/// The callbacks of a [`Pernet`], its type erased.
trait Handler: Sync {
    fn init(&self, net: &Net, cell: &NetCell) -> Result;
    fn pre_exit(&self, net: &Net, cell: &NetCell);
    /// # Safety
    ///
    /// To be called once, after [`Handler::pre_exit`] and a grace period.
    unsafe fn exit(&self, net: &Net, cell: &NetCell);
}

impl<T: NetState> Handler for Pernet<T> {
    fn init(&self, net: &Net, cell: &NetCell) -> Result {
        let state = T::new(net)?;
        // SAFETY: `exit` casts it off, and so does the failure below.
        let anchor = unsafe { Anchor::new(net) }?;
        let mut at = Attachments {
            net,
            kept: Kept::default(),
            anchor: anchor.clone(),
        };
        if let Err(error) = T::attach(&state, &mut at) {
            drop(at);
            T::pre_exit(&state, net);
            rcu::synchronize();
            T::exit(state, net);
            anchor.cast_off();
            return Err(error);
        }
        let shown = Arc::as_ptr(&state).cast_mut().cast();
        let owned = KBox::new(
            Owned {
                kept: at.kept,
                state,
                anchor: anchor.clone(),
            },
            GFP_KERNEL,
        )
        .inspect_err(|_| anchor.cast_off())?;
        // SAFETY: Nobody else touches the field while the namespace is made.
        unsafe { *cell.owned.get() = KBox::into_raw(owned).cast() };
        // ORDERING: Publishes the state; pairs with the load in `borrow`.
        cell.published.store(shown, Release);
        Ok(())
    }

    fn pre_exit(&self, net: &Net, cell: &NetCell) {
        // ORDERING: The grace period that follows orders everything.
        cell.published.store(ptr::null_mut(), Relaxed);
        // SAFETY: `init` wrote it, and `exit` has not taken it yet.
        let owned = unsafe { (*cell.owned.get()).cast::<Owned<T>>().as_ref() };
        if let Some(owned) = owned {
            T::pre_exit(&owned.state, net);
        }
    }

    unsafe fn exit(&self, net: &Net, cell: &NetCell) {
        // SAFETY: Only the callbacks touch the field.
        let owned = unsafe { ptr::replace(cell.owned.get(), ptr::null_mut()) }.cast::<Owned<T>>();
        if owned.is_null() {
            return;
        }
        // SAFETY: `init` made it with `KBox::into_raw`; it was taken above.
        let owned = KBox::into_inner(unsafe { KBox::from_raw(owned) });
        let Owned {
            kept,
            state,
            anchor,
        } = owned;
        drop(kept);
        T::exit(state, net);
        anchor.cast_off();
    }
}
