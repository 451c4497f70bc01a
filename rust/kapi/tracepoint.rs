// SPDX-License-Identifier: GPL-2.0

//! Being told when a TCP socket ends.
//!
//! Tracepoints are not exported one by one; they are found by name.
//!
//! C header: [`include/linux/tracepoint.h`](srctree/include/linux/tracepoint.h)

use crate::{bindings, module::Entrance, sock::Sock};
use core::{
    ffi::c_void,
    ptr::NonNull, //
};
use kernel::{error::to_result, prelude::*, sync::Arc};

/// Wants to know which TCP sockets have ended.
pub trait Ended: Send + Sync + 'static {
    /// `socket` is being taken apart (`tcp_v4_destroy_sock`, which serves IPv6
    /// too): every TCP socket comes here once before its memory is used for
    /// another. Its addresses may have been changed or cleared. Any context;
    /// must not sleep.
    fn ended(&self, socket: &Sock);
}

/// The tracepoint `tcp_destroy_sock` calls a handler for as long as this lives.
///
/// # Invariants
///
/// The probe is registered with `Arc::as_ptr` of the handler.
pub struct EndProbe<T: Ended> {
    tracepoint: NonNull<bindings::tracepoint>,
    handler: Arc<T>,
    _entrance: Entrance,
}

// SAFETY: The tracepoint is static and has its own lock.
unsafe impl<T: Ended> Send for EndProbe<T> {}
// SAFETY: As above.
unsafe impl<T: Ended> Sync for EndProbe<T> {}

impl<T: Ended> EndProbe<T> {
    /// Starts. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOENT` when the kernel has no such tracepoint, `ENOMEM`.
    pub fn new(handler: Arc<T>) -> Result<Self> {
        // SAFETY: The name ends with a NUL; we may sleep.
        let tracepoint = unsafe { bindings::lvs_tracepoint(c"tcp_destroy_sock".as_char_ptr()) };
        let tracepoint = NonNull::new(tracepoint).ok_or(ENOENT)?;
        let _entrance = Entrance::open()?;
        // SAFETY: The tracepoint's prototype is `(void *data, struct sock *)`
        // (asserted in helpers/probes.c), which is that of `on_end`; the
        // handler outlives the registration.
        to_result(unsafe {
            bindings::tracepoint_probe_register(
                tracepoint.as_ptr(),
                on_end::<T> as *mut c_void,
                Arc::as_ptr(&handler).cast_mut().cast(),
            )
        })?;
        // INVARIANT: Registered above.
        Ok(Self {
            tracepoint,
            handler,
            _entrance,
        })
    }
}

impl<T: Ended> Drop for EndProbe<T> {
    fn drop(&mut self) {
        // SAFETY: Registered with the same function and data.
        unsafe {
            bindings::tracepoint_probe_unregister(
                self.tracepoint.as_ptr(),
                on_end::<T> as *mut c_void,
                Arc::as_ptr(&self.handler).cast_mut().cast(),
            )
        };
        // Unregistering does not wait for probes that are running; after this
        // none is, and the handler may go.
        // SAFETY: We may sleep.
        unsafe { bindings::lvs_tracepoint_synchronize() };
    }
}

/// The tracepoint was hit.
///
/// # Safety
///
/// For the tracepoint, with the data that [`EndProbe::new`] gave.
unsafe extern "C" fn on_end<T: Ended>(data: *mut c_void, sk: *mut bindings::sock) {
    // SAFETY: The handler is kept until the probe is gone.
    let handler = unsafe { &*data.cast::<T>() };
    // SAFETY: The tracepoint is given a live, whole socket.
    handler.ended(unsafe { Sock::from_raw(sk) });
}
