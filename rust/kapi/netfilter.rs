// SPDX-License-Identifier: GPL-2.0

//! Netfilter hooks.
//!
//! C header: [`include/linux/netfilter.h`](srctree/include/linux/netfilter.h)

use crate::{bindings, net::Net, netns::Held, rcu, skb::Packet};
use core::{ffi::c_void, marker::PhantomData};
use kernel::{error::to_result, prelude::*, sync::Arc};
use lvs_wire::addr::Family;

/// Where on a packet's way through the host a hook stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// Before the packet is routed.
    PreRouting,
    /// Routed to this host.
    LocalIn,
    /// Routed through this host.
    Forward,
    /// Made by this host.
    LocalOut,
}

impl Point {
    fn hooknum(self) -> u32 {
        match self {
            Self::PreRouting => bindings::nf_inet_hooks_NF_INET_PRE_ROUTING,
            Self::LocalIn => bindings::nf_inet_hooks_NF_INET_LOCAL_IN,
            Self::Forward => bindings::nf_inet_hooks_NF_INET_FORWARD,
            Self::LocalOut => bindings::nf_inet_hooks_NF_INET_LOCAL_OUT,
        }
    }
}

/// What a hook did with its packet.
pub enum Verdict {
    /// The packet goes on; it must be the one that the hook was given.
    Accept(Packet),
    /// The packet was sent, queued or dropped by the hook.
    Taken,
}

/// One hook. Implemented by a type without values for each place in the code
/// that packets enter at; `State` is shared by all of them.
pub trait Hook: 'static {
    /// What the hook works on.
    type State: Send + Sync + 'static;

    /// Of which family's packets. All fragments of an IPv6 datagram are
    /// collected before any hook of ours meets it.
    const FAMILY: Family;

    /// Where it stands.
    const POINT: Point;

    /// Its place among the hooks of the same point; lower is earlier
    /// (`enum nf_ip_hook_priorities`; IPv6 has the same numbers).
    const PRIORITY: i32;

    /// Handles one packet. Softirq context, or process context at
    /// [`Point::LocalOut`]; several CPUs at once.
    fn packet(state: &Self::State, net: &Net, rcu: &rcu::ReadLock, packet: Packet) -> Verdict;
}

/// The C description of a [`Hook`] whose state is an `S`.
pub struct Spec<S> {
    hook: unsafe extern "C" fn(
        *mut c_void,
        *mut bindings::sk_buff,
        *const bindings::nf_hook_state,
    ) -> u32,
    family: Family,
    point: Point,
    priority: i32,
    state: PhantomData<fn(&S)>,
}

impl<S: Send + Sync + 'static> Spec<S> {
    /// The description of `H`.
    pub const fn of<H: Hook<State = S>>() -> Self {
        Self {
            hook: callback::<H>,
            family: H::FAMILY,
            point: H::POINT,
            priority: H::PRIORITY,
            state: PhantomData,
        }
    }
}

/// Called by netfilter for each packet.
///
/// # Safety
///
/// `state` must be a live `H::State`, `skb` owned by the caller, `context`
/// netfilter's, and the caller in an RCU read section.
unsafe extern "C" fn callback<H: Hook>(
    state: *mut c_void,
    skb: *mut bindings::sk_buff,
    context: *const bindings::nf_hook_state,
) -> u32 {
    // SAFETY: The registration holds a reference to the state, and waits for
    // running hooks before it lets go of it.
    let state = unsafe { &*state.cast::<H::State>() };
    // SAFETY: `nf_hook_slow` passes its context, whose namespace is live.
    let net = unsafe { Net::from_raw((*context).net) };
    // SAFETY: `nf_hook` runs all hooks in one read section.
    let rcu = unsafe { rcu::ReadLock::assume() };
    // SAFETY: The hook owns the packet until it gives a verdict.
    let packet = unsafe { Packet::from_raw(skb) };
    match H::packet(state, net, &rcu, packet) {
        Verdict::Accept(packet) if packet.as_ptr() == skb => {
            packet.into_raw();
            bindings::NF_ACCEPT
        }
        // Another packet than ours: it is dropped with the verdict, and ours
        // belongs to whoever has it.
        Verdict::Accept(_) | Verdict::Taken => bindings::NF_STOLEN,
    }
}

/// Hooks of one namespace, standing for as long as the value lives; made
/// through a namespace's [`Anchor`](crate::netns::Anchor).
///
/// # Invariants
///
/// While `stands`, the hooks are registered with `net`; their state is `state`.
pub(crate) struct Registration<S: Send + Sync + 'static, const N: usize> {
    // A raw pointer would do, but a box keeps the addresses that netfilter
    // was given: it links the structures.
    ops: KBox<[bindings::nf_hook_ops; N]>,
    family: Family,
    net: *mut bindings::net,
    stands: bool,
    #[expect(dead_code, reason = "held for the hooks")]
    state: Arc<S>,
}

// SAFETY: Registering and unregistering may be done by any task.
unsafe impl<S: Send + Sync, const N: usize> Send for Registration<S, N> {}
// SAFETY: Nothing is done through a shared reference.
unsafe impl<S: Send + Sync, const N: usize> Sync for Registration<S, N> {}

impl<S: Send + Sync + 'static, const N: usize> Registration<S, N> {
    /// Registers all of `specs`, which are of one family, in `net`, or none.
    /// May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; what netfilter says; `EOPNOTSUPP`: the kernel cannot collect
    /// the family's fragments.
    ///
    /// # Safety
    ///
    /// The value must be dropped, or taken down, before `net` goes away, and
    /// dropped before the text of the hooks is unloaded.
    pub(crate) unsafe fn new(net: &Net, state: Arc<S>, specs: [Spec<S>; N]) -> Result<Self> {
        let family = specs.first().map_or(Family::V4, |spec| spec.family);
        let data = Arc::as_ptr(&state).cast_mut().cast::<c_void>();
        let ops = specs.map(|spec| bindings::nf_hook_ops {
            hook: Some(spec.hook),
            priv_: data,
            // CAST: Small constants.
            pf: match spec.family {
                Family::V4 => bindings::NFPROTO_IPV4 as u8,
                Family::V6 => bindings::NFPROTO_IPV6 as u8,
            },
            hooknum: spec.point.hooknum(),
            priority: spec.priority,
            ..Default::default()
        });
        let mut ops = KBox::new(ops, GFP_KERNEL)?;
        // SAFETY: The namespace is live.
        to_result(unsafe { bindings::lvs_defrag_enable(net.as_ptr(), family.af()) })?;
        // SAFETY: The structures stay where they are until they are
        // unregistered in `drop`; `data` is live for as long, because the
        // value holds a reference; it is an `S`, as each callback expects.
        let result = to_result(unsafe {
            bindings::nf_register_net_hooks(net.as_ptr(), ops.as_mut_ptr(), N as u32)
        });
        if let Err(error) = result {
            // Those that stood for a moment may have packets in them.
            rcu::synchronize();
            // SAFETY: Enabled above.
            unsafe { bindings::lvs_defrag_disable(net.as_ptr(), family.af()) };
            return Err(error);
        }
        // INVARIANT: Registered above.
        Ok(Self {
            ops,
            family,
            net: net.as_ptr(),
            stands: true,
            state,
        })
    }
}

impl<S: Send + Sync + 'static, const N: usize> Held for Registration<S, N> {
    fn take_down(&mut self) {
        if !core::mem::replace(&mut self.stands, false) {
            return;
        }
        // SAFETY: Registered by the type invariant, with a namespace that is
        // still there (see `new`).
        unsafe {
            bindings::nf_unregister_net_hooks(self.net, self.ops.as_ptr(), N as u32);
            // Enabled in `new`, for this value.
            bindings::lvs_defrag_disable(self.net, self.family.af());
        }
    }
}

impl<S: Send + Sync + 'static, const N: usize> Drop for Registration<S, N> {
    fn drop(&mut self) {
        self.take_down();
        // Unregistering only unlinks: a CPU may still be in a hook, with the
        // state that the next field's drop lets go of.
        rcu::synchronize();
    }
}
