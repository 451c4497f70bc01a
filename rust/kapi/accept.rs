// SPDX-License-Identifier: GPL-2.0

//! Seeing each TCP connection that is about to be accepted, with the segment
//! that made it.
//!
//! Two functions are watched at their entry:
//!
//! ```text
//!   tcp_child_process(parent, child, skb)    three-way handshake, SYN cookies,
//!                                            deferred accept, MPTCP
//!   tcp_init_transfer(sk, op, skb)           Fast Open: the SYN makes the child
//! ```
//!
//! In the first the child is locked, and accept waits for that lock before it
//! returns (`inet_accept`; MPTCP's accept locks each subflow,
//! `mptcp_graft_subflows`). In the second the child is not yet in the accept
//! queue. Hence nobody can ask a socket for its peer before it was seen here.
//! Neither is called for segments of established connections. Both are called
//! from other C files than their own, so no compiler can have inlined the
//! calls; of `tcp_fastopen_add_skb`, for one, gcc has split off the part that
//! matters.
//!
//! C header: [`include/net/tcp.h`](srctree/include/net/tcp.h)

use crate::{
    bindings,
    ftrace::{self, Entry, Purpose},
    sock::Sock,
};
use kernel::{
    ffi::{c_ulong, c_void},
    prelude::*,
    sync::Arc, //
};

/// Wants to see connections that are about to be accepted.
pub trait Accepted: Send + Sync + 'static {
    /// `child` was made by `segment`. In softirq, or with softirqs off; must
    /// not sleep.
    fn accepted(&self, child: &Sock, segment: &Segment<'_>);
}

/// The segment that made a connection.
pub struct Segment<'a> {
    options: &'a [u8],
    syn: bool,
}

impl<'a> Segment<'a> {
    /// The bytes of its TCP options.
    pub fn options(&self) -> &'a [u8] {
        self.options
    }

    /// Whether it is a SYN, as with Fast Open.
    pub fn is_syn(&self) -> bool {
        self.syn
    }

    /// # Safety
    ///
    /// `skb` must be a TCP segment as the receive path hands it on, live and
    /// not written to for `'a`.
    unsafe fn new(skb: *const bindings::sk_buff) -> Option<Self> {
        let mut len = 0;
        // SAFETY: The buffer is live.
        let options = unsafe { bindings::lvs_tcp_options(skb, &mut len) };
        if options.is_null() {
            return None;
        }
        Some(Self {
            // SAFETY: The helper has checked that `len` bytes (at most 40) lie
            // in the linear part.
            options: unsafe { core::slice::from_raw_parts(options, len as usize) },
            // SAFETY: As above: there is a TCP header.
            syn: unsafe { bindings::lvs_tcp_is_syn(skb) },
        })
    }
}

/// A handler sees connections for as long as this lives.
///
/// Dropping waits for handlers that are running.
pub struct AcceptProbe<T: Accepted> {
    // Dropped before the handler.
    _entries: [Entry; 2],
    _handler: Arc<T>,
}

impl<T: Accepted> AcceptProbe<T> {
    /// Starts. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOENT` when the kernel lacks one of the functions; `EBUSY` when
    /// tracing is switched off (`kernel.ftrace_enabled=0`); `ENOMEM`.
    pub fn new(handler: Arc<T>) -> Result<Self> {
        let private: *mut c_void = Arc::as_ptr(&handler).cast_mut().cast();
        let watch = |name, callback| {
            let address = ftrace::address_of(name)?;
            // SAFETY: The callbacks take their arguments as the prototypes,
            // asserted in helpers/probes.c, have them; `private` is the
            // handler, which is dropped after the entries.
            unsafe { Entry::new(address, Purpose::Watch, callback, private) }
        };
        Ok(Self {
            _entries: [
                watch(c"tcp_child_process", on_child::<T>)?,
                watch(c"tcp_init_transfer", on_transfer::<T>)?,
            ],
            _handler: handler,
        })
    }
}

/// `tcp_child_process(parent, child, skb)` is entered.
///
/// # Safety
///
/// For ftrace.
unsafe extern "C" fn on_child<T: Accepted>(
    _: c_ulong,
    _: c_ulong,
    ops: *mut bindings::ftrace_ops,
    regs: *mut bindings::ftrace_regs,
) {
    // SAFETY: Arguments 1 and 2 of that function (both calls).
    let (child, skb) = unsafe { (ftrace::argument(regs, 1), ftrace::argument(regs, 2)) };
    // SAFETY: The child is whole, and locked by the caller of the function.
    let child = unsafe { Sock::from_raw(child as *mut bindings::sock) };
    // SAFETY: The handler outlives the entry; the segment the call.
    unsafe { tell::<T>(ops, child, skb) };
}

/// `tcp_init_transfer(sk, op, skb)` is entered.
///
/// # Safety
///
/// For ftrace.
unsafe extern "C" fn on_transfer<T: Accepted>(
    _: c_ulong,
    _: c_ulong,
    ops: *mut bindings::ftrace_ops,
    regs: *mut bindings::ftrace_regs,
) {
    // SAFETY: Arguments 0 and 2 of that function (both calls).
    let (sk, skb) = unsafe { (ftrace::argument(regs, 0), ftrace::argument(regs, 2)) };
    // SAFETY: The socket is whole, and the caller of the function has it to
    // itself.
    let sk = unsafe { Sock::from_raw(sk as *mut bindings::sock) };
    // Without a segment: a connection that `repair` restores.
    if skb != 0 && sk.is_fastopen_child() {
        // SAFETY: As in `on_child`.
        unsafe { tell::<T>(ops, sk, skb) };
    }
}

/// # Safety
///
/// For the callbacks above: `ops` have a `T` as private data, `skb` is the
/// segment that the watched function was called with.
unsafe fn tell<T: Accepted>(ops: *mut bindings::ftrace_ops, child: &Sock, skb: c_ulong) {
    // SAFETY: The handler is kept until the entry is gone.
    let handler = unsafe { &*ftrace::private(ops).cast::<T>() };
    // SAFETY: The segment is live during the call and has passed
    // `tcp_v4_rcv` or `tcp_v6_rcv`.
    if let Some(segment) = unsafe { Segment::new(skb as *const bindings::sk_buff) } {
        handler.accepted(child, &segment);
    }
}
