// SPDX-License-Identifier: GPL-2.0

//! Answering a socket option of our own: `getsockopt(fd, IPPROTO_IP, number,
//! ...)`, on IPv4 and IPv6 sockets.
//!
//! Netfilter keeps the list of such options. Since it no longer counts who is
//! in a handler, and unregistering does not wait, there are two ways not to be
//! unloaded under a call. One is to name the module as the owner. Then each
//! question takes a reference, so that `rmmod` fails while one is asked; and
//! while the module goes, netfilter finds no option that stands behind ours in
//! its list, which may be those of iptables. So these options have no owner,
//! and the registration itself waits for all calls when it is dropped.
//!
//! C header: [`include/linux/netfilter.h`](srctree/include/linux/netfilter.h)

use crate::{bindings, errno::enoprotoopt, ftrace, module::Entrance, sock::Sock, srcu::Srcu};
use core::{marker::PhantomData, mem::ManuallyDrop, pin::Pin, ptr};
use kernel::{
    error::to_result,
    ffi::{c_int, c_void},
    prelude::*,
    sync::{
        atomic::{Acquire, Atomic, Relaxed, Release},
        Arc,
    },
    types::Opaque,
    uaccess::{UserPtr, UserSlice},
};

/// Knows what a socket option says.
pub trait SocketOption: Send + Sync + 'static {
    /// Writes what the option of `socket` says to `out`. Process context, may
    /// sleep; the socket is not locked, and is of any type and state.
    ///
    /// # Errors
    ///
    /// What the caller of getsockopt is to see.
    fn get(&self, socket: &Sock, out: Buffer<'_>) -> Result<Written>;
}

/// Where the caller of getsockopt wants the answer.
pub struct Buffer<'a> {
    user: UserPtr,
    room: usize,
    call: PhantomData<&'a ()>,
}

impl Buffer<'_> {
    /// Bytes that fit.
    pub fn room(&self) -> usize {
        self.room
    }

    /// Writes the answer: of `bytes` as many as fit. May sleep.
    ///
    /// # Errors
    ///
    /// `EFAULT` when the caller has no such memory.
    pub fn write(self, bytes: &[u8]) -> Result<Written> {
        let bytes = bytes.get(..self.room).unwrap_or(bytes);
        UserSlice::new(self.user, bytes.len())
            .writer()
            .write_slice(bytes)?;
        let len = c_int::try_from(bytes.len()).map_err(|_| EINVAL)?;
        Ok(Written(len))
    }
}

/// The answer was written; how long it is.
pub struct Written(c_int);

/// What the callback works with.
#[pin_data]
struct Shared {
    /// Held while the handler runs, which may sleep.
    #[pin]
    calls: Srcu,
    handler: Arc<dyn SocketOption>,
}

/// The [`Shared`] of the one [`Registration`], or null: netfilter hands no
/// pointer of ours on.
static SHARED: Atomic<*mut Shared> = Atomic::new(ptr::null_mut());

/// A handler answers for an option for as long as this lives.
///
/// Dropping waits for calls that are under way.
///
/// # Invariants
///
/// The ops are registered and do not move; [`SHARED`] is `shared`.
pub struct Registration {
    ops: ManuallyDrop<KBox<Opaque<bindings::nf_sockopt_ops>>>,
    shared: ManuallyDrop<Pin<KBox<Shared>>>,
    _entrance: Entrance,
}

// SAFETY: The ops are netfilter's, which has its own lock; this only keeps
// them. The handler may be sent and shared.
unsafe impl Send for Registration {}
// SAFETY: As above.
unsafe impl Sync for Registration {}

impl Registration {
    /// Answers for option `number` of `IPPROTO_IP`. May sleep.
    ///
    /// # Errors
    ///
    /// `EBUSY` when there is one already in this module, or somebody else has
    /// that number; `ENOMEM`.
    pub fn new(number: u16, handler: Arc<dyn SocketOption>) -> Result<Self> {
        let shared = KBox::pin_init(
            try_pin_init!(Shared {
                calls <- Srcu::new(),
                handler,
            }),
            GFP_KERNEL,
        )?;
        let number = c_int::from(number);
        let ops = bindings::nf_sockopt_ops {
            // CAST: 2.
            pf: bindings::NFPROTO_IPV4 as u8,
            get_optmin: number,
            // Not included. Cannot overflow: 16 bits in an int.
            get_optmax: number.saturating_add(1),
            get: Some(get),
            ..Default::default()
        };
        let ops = KBox::new(Opaque::new(ops), GFP_KERNEL)?;
        let pointer = ptr::from_ref(&*shared).cast_mut();
        let _entrance = Entrance::open()?;
        // ORDERING: Release publishes the value; pairs with the load in `get`.
        if SHARED.cmpxchg(ptr::null_mut(), pointer, Release).is_err() {
            return Err(EBUSY);
        }
        // SAFETY: The ops are on the heap, and stay there until `drop` has
        // unregistered them; `get` is sound to call until `drop` returns.
        if let Err(error) = to_result(unsafe { bindings::nf_register_sockopt(ops.get()) }) {
            // Nobody has been told of `get`.
            SHARED.store(ptr::null_mut(), Relaxed);
            return Err(error);
        }
        // INVARIANT: Both were done above.
        Ok(Self {
            ops: ManuallyDrop::new(ops),
            shared: ManuallyDrop::new(shared),
            _entrance,
        })
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // Takes the lock under which callers look: from here nobody finds us.
        // SAFETY: Registered by the type invariant.
        unsafe { bindings::nf_unregister_sockopt(self.ops.get()) };
        // Those that had found us and were not yet in the read section: between
        // the two nothing sleeps.
        ftrace::synchronize_tasks();
        // Those in it.
        self.shared.calls.synchronize();
        // Those that have only the last instructions of `get` left, and
        // netfilter's look at the owner in the ops: nothing sleeps there either.
        ftrace::synchronize_tasks();
        SHARED.store(ptr::null_mut(), Relaxed);
        // SAFETY: Dropped once, here. Not registered any more, and no call
        // that had found the ops is left.
        unsafe { ManuallyDrop::drop(&mut self.ops) };
        // SAFETY: Dropped once, here; nobody is in `get`.
        unsafe { ManuallyDrop::drop(&mut self.shared) };
    }
}

/// `getsockopt` was called with our number.
///
/// # Safety
///
/// For netfilter: `sk` is a live inet socket, `len` points to the kernel's copy
/// of the caller's length.
unsafe extern "C" fn get(
    sk: *mut bindings::sock,
    _: c_int,
    user: *mut c_void,
    len: *mut c_int,
) -> c_int {
    // ORDERING: Pairs with the exchange in `new`.
    let shared = SHARED.load(Acquire);
    // SAFETY: Published before the ops were registered, and live until every
    // call that found the ops has gone (see `drop`).
    let Some(shared) = (unsafe { shared.as_ref() }) else {
        return enoprotoopt().to_errno();
    };
    let call = shared.calls.read_lock();
    // SAFETY: By the caller's promise.
    let room = unsafe { *len };
    // SAFETY: getsockopt is for whole sockets, and keeps this one.
    let socket = unsafe { Sock::from_raw(sk) };
    let answer = match usize::try_from(room) {
        Ok(room) => shared.handler.get(
            socket,
            Buffer {
                user: UserPtr::from_ptr(user),
                room,
                call: PhantomData,
            },
        ),
        Err(_) => Err(EINVAL),
    };
    drop(call);
    match answer {
        Ok(Written(written)) => {
            // SAFETY: By the caller's promise.
            unsafe { *len = written };
            0
        }
        Err(error) => error.to_errno(),
    }
}
