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
    // Dropped before what it points at.
    _entry: Entry,
    _watch: KBox<Watch<T>>,
}

/// What the callback works with.
struct Watch<T> {
    /// The address of `tcp_child_process`.
    child_process: c_ulong,
    handler: Arc<T>,
}

impl<T: Accepted> AcceptProbe<T> {
    /// Starts. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOENT` when the kernel lacks one of the functions; `EBUSY` when
    /// tracing is switched off (`kernel.ftrace_enabled=0`); `ENOMEM`.
    pub fn new(handler: Arc<T>) -> Result<Self> {
        let child_process = ftrace::address_of(c"tcp_child_process")?;
        let addresses = [child_process, ftrace::address_of(c"tcp_init_transfer")?];
        let watch = Watch {
            child_process,
            handler,
        };
        let watch = KBox::new(watch, GFP_KERNEL)?;
        let private: *mut c_void = core::ptr::from_ref(&*watch).cast_mut().cast();
        // SAFETY: The callback takes the arguments as the prototypes, asserted
        // in helpers/probes.c, have them; `private` is dropped after the entry.
        let entry = unsafe { Entry::new(addresses, Purpose::Watch, on_entry::<T>, private) }?;
        Ok(Self {
            _entry: entry,
            _watch: watch,
        })
    }
}

/// `tcp_child_process(parent, child, skb)` or `tcp_init_transfer(sk, op, skb)`
/// is entered.
///
/// # Safety
///
/// For ftrace.
unsafe extern "C" fn on_entry<T: Accepted>(
    ip: c_ulong,
    _: c_ulong,
    ops: *mut bindings::ftrace_ops,
    regs: *mut bindings::ftrace_regs,
) {
    // SAFETY: The private data outlive the entry.
    let watch = unsafe { &*ftrace::private(ops).cast::<Watch<T>>() };
    let child_process = ftrace::is_in(ip, watch.child_process);
    // SAFETY: The socket is argument 1 of the first function, 0 of the other;
    // the segment is argument 2 of both.
    let (sk, skb) = unsafe {
        (
            ftrace::argument(regs, child_process.into()),
            ftrace::argument(regs, 2),
        )
    };
    // SAFETY: The socket is whole, and the caller of the function has it
    // locked or to itself.
    let child = unsafe { Sock::from_raw(sk as *mut bindings::sock) };
    // `tcp_init_transfer` is also for connections that we have opened, for
    // those that `tcp_child_process` has shown already, and, without a
    // segment, for those that are restored from a checkpoint.
    if skb == 0 || !(child_process || child.is_fastopen_child()) {
        return;
    }
    // SAFETY: The segment is live during the call and has passed `tcp_v4_rcv`
    // or `tcp_v6_rcv`.
    if let Some(segment) = unsafe { Segment::new(skb as *const bindings::sk_buff) } {
        watch.handler.accepted(child, &segment);
    }
}
