// SPDX-License-Identifier: GPL-2.0

//! Answering the question for a socket's peer.
//!
//! accept, accept4, io_uring, getpeername and SO_PEERNAME all end in
//! `inet_getname` or `inet6_getname`, also for MPTCP. A call for the peer of a
//! TCP socket is redirected to a function of ours, which calls the exported
//! original and may replace the address in its answer. A call for the socket's
//! own name is not touched, nor is one that comes from the function of ours.
//!
//! C header: [`include/net/inet_common.h`](srctree/include/net/inet_common.h)

use crate::{
    bindings,
    ftrace::{self, Entry, Purpose},
    module::Entrance,
    sock::Sock,
    srcu::Srcu,
};
use core::{
    net::{IpAddr, Ipv6Addr},
    pin::Pin,
    ptr,
};
use kernel::{
    ffi::{c_int, c_ulong, c_void},
    prelude::*,
    sync::{
        atomic::{Acquire, Atomic, Relaxed, Release},
        Arc,
    },
};
use lvs_wire::addr::{AnyEndpoint, Endpoint, Family};

/// Knows better who a socket's peer is.
pub trait PeerName: Send + Sync + 'static {
    /// The kernel has answered `peer` (IPv4 in IPv6 form given as IPv4); what
    /// to answer instead, if anything. An answer must fit in an address of
    /// `room`: IPv4 fits in both. Process context.
    fn peer_name(&self, socket: &Sock, peer: AnyEndpoint, room: Family) -> Option<AnyEndpoint>;
}

/// What the functions that calls are redirected to work with.
#[pin_data]
struct Shared {
    /// Held from before the handler is used until after: a call may sleep in
    /// between, on the socket's lock.
    #[pin]
    calls: Srcu,
    handler: Arc<dyn PeerName>,
}

/// The [`Shared`] of the one [`PeerNames`], or null.
static SHARED: Atomic<*mut Shared> = Atomic::new(ptr::null_mut());

/// A handler is asked for as long as this lives.
///
/// Dropping waits for calls that are under way.
pub struct PeerNames {
    entry: Option<Entry>,
    shared: Pin<KBox<Shared>>,
    _entrance: Entrance,
}

impl PeerNames {
    /// Starts. May sleep.
    ///
    /// # Errors
    ///
    /// `EBUSY` when there is one already, when tracing is switched off
    /// (`kernel.ftrace_enabled=0`) or somebody else redirects one of the
    /// functions; `ENOENT` when the kernel cannot trace one; `ENOMEM`.
    pub fn new(handler: Arc<dyn PeerName>) -> Result<Self> {
        let shared = KBox::pin_init(
            try_pin_init!(Shared {
                calls <- Srcu::new(),
                handler,
            }),
            GFP_KERNEL,
        )?;
        let pointer = ptr::from_ref(&*shared).cast_mut();
        let entrance = Entrance::open()?;
        // ORDERING: Release publishes the value; pairs with the load in `ask`.
        if SHARED.cmpxchg(ptr::null_mut(), pointer, Release).is_err() {
            return Err(EBUSY);
        }
        // From here dropping undoes everything.
        let mut names = Self {
            entry: None,
            shared,
            _entrance: entrance,
        };
        let addresses = [
            address(bindings::inet_getname),
            address(bindings::inet6_getname),
        ];
        // SAFETY: `on_getname` redirects each to a function of ours with the
        // same prototype (asserted in helpers/probes.c), which does what the
        // original does; `drop` waits until it has been left.
        let entry =
            unsafe { Entry::new(addresses, Purpose::Redirect, on_getname, ptr::null_mut()) };
        names.entry = Some(entry?);
        Ok(names)
    }
}

impl Drop for PeerNames {
    fn drop(&mut self) {
        // No more calls are redirected, and those that were are past their
        // first instructions: unregistering waits for tasks to sleep or
        // return, and nothing before `read_lock` sleeps.
        self.entry = None;
        SHARED.store(ptr::null_mut(), Relaxed);
        // Those that use the handler.
        self.shared.calls.synchronize();
        // Those that have only the last instructions left.
        ftrace::synchronize_tasks();
    }
}

type Getname = unsafe extern "C" fn(*mut bindings::socket, *mut bindings::sockaddr, c_int) -> c_int;

fn address(function: Getname) -> c_ulong {
    // CAST: A pointer to a function as a number.
    function as usize as c_ulong
}

/// `inet_getname(sock, uaddr, peer)` or its IPv6 twin is entered.
///
/// # Safety
///
/// For ftrace.
unsafe extern "C" fn on_getname(
    ip: c_ulong,
    parent: c_ulong,
    _: *mut bindings::ftrace_ops,
    regs: *mut bindings::ftrace_regs,
) {
    // SAFETY: Arguments 0 and 2 of these functions (both calls).
    let (sock, peer) = unsafe { (ftrace::argument(regs, 0), ftrace::argument(regs, 2)) };
    // CAST: The argument is an `int`; the upper half of the register is not
    // defined.
    if peer as u32 == 0 {
        return;
    }
    // SAFETY: The socket is live during the call, and so is its `sk`.
    let sk = unsafe { (*(sock as *const bindings::socket)).sk };
    // SAFETY: As above; these functions are for whole inet sockets.
    let socket = unsafe { Sock::from_raw(sk) };
    let parent: *const c_void = ptr::without_provenance(parent);
    // SAFETY: No requirement.
    if socket.is_tcp_or_mptcp() && !unsafe { bindings::lvs_is_in_this_module(parent) } {
        let ours = match ftrace::is_in(ip, address(bindings::inet6_getname)) {
            true => address(inet6_getname),
            false => address(inet_getname),
        };
        // SAFETY: Of the same prototype, and left before it goes (`drop`).
        unsafe { ftrace::redirect(regs, ours) };
    }
}

/// Stands in for the kernel's `inet_getname`.
///
/// # Safety
///
/// As the original.
unsafe extern "C" fn inet_getname(
    sock: *mut bindings::socket,
    name: *mut bindings::sockaddr,
    peer: c_int,
) -> c_int {
    // SAFETY: By the caller's promise.
    unsafe { ask(bindings::inet_getname, sock, name, peer) }
}

/// Stands in for the kernel's `inet6_getname`.
///
/// # Safety
///
/// As the original.
unsafe extern "C" fn inet6_getname(
    sock: *mut bindings::socket,
    name: *mut bindings::sockaddr,
    peer: c_int,
) -> c_int {
    // SAFETY: By the caller's promise.
    unsafe { ask(bindings::inet6_getname, sock, name, peer) }
}

/// Calls the original, and then the handler.
///
/// The original must not become a tail call: it would be entered with a
/// return address that is not ours, and be redirected again. It cannot, as
/// the read section is left behind it.
///
/// # Safety
///
/// As `original`, which must be the function that was redirected.
#[inline(always)]
unsafe fn ask(
    original: unsafe extern "C" fn(*mut bindings::socket, *mut bindings::sockaddr, c_int) -> c_int,
    sock: *mut bindings::socket,
    name: *mut bindings::sockaddr,
    peer: c_int,
) -> c_int {
    // ORDERING: Pairs with the exchange in `new`.
    let shared = SHARED.load(Acquire);
    // SAFETY: Null, or live until every task that was on its way here has
    // either entered the read section below or gone (see `drop`).
    let Some(shared) = (unsafe { shared.as_ref() }) else {
        // Nothing is redirected any more: not again, even as a tail call.
        // SAFETY: By the caller's promise.
        return unsafe { original(sock, name, peer) };
    };
    let call = shared.calls.read_lock();
    // SAFETY: By the caller's promise.
    let len = unsafe { original(sock, name, peer) };
    if len > 0 {
        // SAFETY: The caller keeps the socket.
        let sk = unsafe { (*sock).sk };
        // SAFETY: Live with its `struct socket`; an inet socket.
        let socket = unsafe { Sock::from_raw(sk) };
        // SAFETY: The original has written a whole address.
        if let Some((answer, room)) = unsafe { read(name) } {
            if let Some(better) = shared.handler.peer_name(socket, answer, room) {
                // SAFETY: As above.
                unsafe { write(name, better) };
            }
        }
    }
    drop(call);
    len
}

/// The address in `name`.
///
/// # Safety
///
/// `name` must be readable as its family says.
unsafe fn read(name: *const bindings::sockaddr) -> Option<(AnyEndpoint, Family)> {
    // SAFETY: Every address begins with its family.
    match Family::from_af(unsafe { (*name).sa_family })? {
        Family::V4 => {
            // SAFETY: By the caller's promise.
            let name = unsafe { &*name.cast::<bindings::sockaddr_in>() };
            let addr = IpAddr::from(name.sin_addr.s_addr.to_ne_bytes());
            let peer = Endpoint::new(addr, u16::from_be(name.sin_port));
            Some((peer, Family::V4))
        }
        Family::V6 => {
            // SAFETY: By the caller's promise.
            let name = unsafe { &*name.cast::<bindings::sockaddr_in6>() };
            // SAFETY: Any bytes are an address.
            let bytes = unsafe { name.sin6_addr.in6_u.u6_addr8 };
            let addr = IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical();
            let peer = Endpoint::new(addr, u16::from_be(name.sin6_port));
            Some((peer, Family::V6))
        }
    }
}

/// Replaces address and port; nothing for an IPv6 address that has no room.
///
/// # Safety
///
/// `name` must be writable as its family says.
unsafe fn write(name: *mut bindings::sockaddr, peer: AnyEndpoint) {
    // SAFETY: Every address begins with its family.
    match (Family::from_af(unsafe { (*name).sa_family }), peer.addr) {
        (Some(Family::V4), IpAddr::V4(addr)) => {
            // SAFETY: By the caller's promise.
            let name = unsafe { &mut *name.cast::<bindings::sockaddr_in>() };
            name.sin_addr.s_addr = u32::from_ne_bytes(addr.octets());
            name.sin_port = peer.port.to_be();
        }
        (Some(Family::V6), addr) => {
            let addr = match addr {
                IpAddr::V4(addr) => addr.to_ipv6_mapped(),
                IpAddr::V6(addr) => addr,
            };
            // SAFETY: By the caller's promise.
            let name = unsafe { &mut *name.cast::<bindings::sockaddr_in6>() };
            name.sin6_addr.in6_u.u6_addr8 = addr.octets();
            name.sin6_port = peer.port.to_be();
            name.sin6_flowinfo = 0;
            name.sin6_scope_id = 0;
        }
        _ => {}
    }
}
