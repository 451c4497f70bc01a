// SPDX-License-Identifier: GPL-2.0

//! A family as the core knows it: C tables made when this is compiled, and the
//! callbacks that lead to its [`Handler`].

use super::{
    Does,
    Dump,
    Halt,
    Handler,
    Op,
    Request,
    Right,
    Strictness,
    MAX_ATTRS, //
};
use crate::{
    bindings,
    cursor::Cursor,
    module::{self, Entrance},
};
use core::{
    ffi::{c_int, c_uint},
    marker::PhantomData,
    mem::{size_of, zeroed}, //
};
use kernel::{
    error::to_result,
    prelude::*,
    types::Opaque, //
};

/// A family; to be a static.
pub struct Family<H: Handler> {
    family: Opaque<bindings::genl_family>,
    handler: PhantomData<fn() -> H>,
}

// SAFETY: The core alone writes to the structure, under its own lock.
unsafe impl<H: Handler> Sync for Family<H> {}

impl<H: Handler> Default for Family<H> {
    fn default() -> Self {
        Self::new()
    }
}

impl<H: Handler> Family<H> {
    /// The family of `H`. Does not compile when a name or a table is too long.
    pub const fn new() -> Self {
        // SAFETY: Numbers and pointers, for which zeroes are values.
        let mut family: bindings::genl_family = unsafe { zeroed() };
        family.name = name::<16>(H::NAME);
        family.version = H::VERSION as c_uint;
        family.maxattr = Tables::<H>::MAX_ATTR as c_uint;
        family._bitfield_1 = flags();
        family.n_ops = H::OPS.len() as u8;
        family.resv_start_op = H::STRICT_FROM;
        family.policy = H::POLICY.as_ptr().cast();
        family.ops = Tables::<H>::OPS.as_ptr();
        family.n_mcgrps = H::GROUPS.len() as u8;
        family.mcgrps = Tables::<H>::GROUPS.as_ptr();
        Self {
            family: Opaque::new(family),
            handler: PhantomData,
        }
    }

    /// Makes the family known. May sleep.
    ///
    /// # Errors
    ///
    /// `EEXIST` when there is a family of that name, `ENOMEM`.
    pub fn register(&'static self) -> Result<Registration<H>> {
        let family = self.family.get();
        let module = module::this();
        // SAFETY: Nobody else writes to it before it is known, and to say the
        // same once more does no harm.
        unsafe { (*family).module = module };
        let entrance = Entrance::open()?;
        // SAFETY: The family and all that it points at are static, so that a
        // listing that goes on after the family is gone finds it.
        to_result(unsafe { bindings::genl_register_family(family) })?;
        Ok(Registration(self, entrance))
    }
}

/// The family is known for as long as this lives.
pub struct Registration<H: Handler>(&'static Family<H>, Entrance);

impl<H: Handler> Drop for Registration<H> {
    fn drop(&mut self) {
        // Waits for requests: they run under `cb_lock`, which this takes for
        // writing. Listings may go on; they hold a reference to the module,
        // and everything they use is static or counted.
        // SAFETY: Registered; unregistered once. It fails only for a family
        // that is not known.
        unsafe { bindings::genl_unregister_family(self.0.family.get()) };
    }
}

/// `netnsok` and `parallel_ops`, the first two bits of the byte.
const fn flags() -> bindings::__BindgenBitfieldUnit<[u8; 1]> {
    // SAFETY: The type is a byte.
    unsafe { core::mem::transmute(0b11_u8) }
}

/// `text` with zeroes behind it.
const fn name<const N: usize>(text: &str) -> [u8; N] {
    let text = text.as_bytes();
    assert!(text.len() < N, "the name is too long");
    let mut name = [0; N];
    let mut at = 0;
    while at < text.len() {
        name[at] = text[at];
        at += 1;
    }
    name
}

/// Most operations and groups that a family may have.
const MAX_OPS: usize = 32;
const MAX_GROUPS: usize = 4;

/// The C tables of a family.
pub(super) struct Tables<H>(PhantomData<H>);

impl<H: Handler> Tables<H> {
    /// Highest number of a top-level attribute.
    pub(super) const MAX_ATTR: usize = {
        assert!(!H::POLICY.is_empty(), "entry 0 is missing");
        assert!(H::POLICY.len() <= MAX_ATTRS, "too many attributes");
        H::POLICY.len() - 1
    };

    const OPS: &'static [bindings::genl_ops; MAX_OPS] = &{
        assert!(H::OPS.len() <= MAX_OPS, "too many operations");
        // SAFETY: Numbers and pointers, for which zeroes are values.
        const NONE: bindings::genl_ops = unsafe { zeroed() };
        let mut ops = [NONE; MAX_OPS];
        let mut at = 0;
        while at < H::OPS.len() {
            ops[at] = operation::<H>(H::OPS[at]);
            at += 1;
        }
        ops
    };

    const GROUPS: &'static [bindings::genl_multicast_group; MAX_GROUPS] = &{
        assert!(H::GROUPS.len() <= MAX_GROUPS, "too many groups");
        // SAFETY: Numbers, for which zeroes are values.
        const NONE: bindings::genl_multicast_group = unsafe { zeroed() };
        let mut groups = [NONE; MAX_GROUPS];
        let mut at = 0;
        while at < H::GROUPS.len() {
            groups[at].name = name::<16>(H::GROUPS[at]);
            at += 1;
        }
        groups
    };
}

const fn operation<H: Handler>(op: Op) -> bindings::genl_ops {
    // SAFETY: Numbers and pointers, for which zeroes are values.
    let mut c: bindings::genl_ops = unsafe { zeroed() };
    c.cmd = op.command;
    c.validate = match op.strictness {
        Strictness::Strict => 0,
        Strictness::Lenient => {
            (bindings::genl_validate_flags_GENL_DONT_VALIDATE_STRICT
                | bindings::genl_validate_flags_GENL_DONT_VALIDATE_DUMP
                | bindings::genl_validate_flags_GENL_DONT_VALIDATE_DUMP_STRICT) as u8
        }
    };
    c.flags = match op.right {
        Right::Anyone => 0,
        Right::Admin => bindings::GENL_ADMIN_PERM as u8,
        Right::NamespaceAdmin => bindings::GENL_UNS_ADMIN_PERM as u8,
    };
    if matches!(op.does, Does::Do | Does::Both) {
        c.doit = Some(doit::<H>);
    }
    if matches!(op.does, Does::Dump | Does::Both) {
        c.dumpit = Some(dumpit::<H>);
    }
    c
}

/// Handles a request.
///
/// # Safety
///
/// For the core, as an operation of the family of `H`.
unsafe extern "C" fn doit<H: Handler>(
    _: *mut bindings::sk_buff,
    info: *mut bindings::genl_info,
) -> c_int {
    // SAFETY: The core passes the request, which is live during the call.
    let request = unsafe { Request::new::<H>(info) };
    match H::doit(&request) {
        Ok(()) => 0,
        Err(refusal) => request.refuse(refusal),
    }
}

/// Goes on with a listing.
///
/// # Safety
///
/// As [`doit`].
unsafe extern "C" fn dumpit<H: Handler>(
    skb: *mut bindings::sk_buff,
    callback: *mut bindings::netlink_callback,
) -> c_int {
    // SAFETY: The core keeps what `genl_dumpit_info` describes in `data`.
    let info = unsafe { &raw const (*(*callback).data.cast::<bindings::genl_dumpit_info>()).info };
    // SAFETY: The request is live until the listing is done.
    let request = unsafe { Request::new::<H>(info) };
    const { assert!(size_of::<Cursor>() <= 48, "the core has 48 bytes for it") };
    // SAFETY: The core leaves the context to the family, zeroed at first; it is
    // aligned for `long`, and calls are not concurrent.
    let cursor = unsafe { &mut *(&raw mut (*callback).__bindgen_anon_1).cast::<Cursor>() };
    // SAFETY: The core passes a message buffer for this call.
    let mut out = unsafe { Dump::new(skb, request.info) };
    match H::dumpit(&request, cursor, &mut out) {
        Ok(()) => 0,
        Err(Halt::Full) => out.full(),
        Err(Halt::Refused(refusal)) => request.refuse(refusal),
    }
}
