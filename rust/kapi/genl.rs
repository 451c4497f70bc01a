// SPDX-License-Identifier: GPL-2.0

//! Generic netlink families.
//!
//! A family is a type that implements [`Handler`] and a static [`Family`] of
//! it, which stands while its [`Registration`] lives. Requests come as checked
//! [`Attrs`]; replies are written with a [`Writer`]; a [`Refusal`] carries the
//! sentence that the sender reads (`NLMSGERR_ATTR_MSG`).
//!
//! Requests are not serialised by the core (`parallel_ops`), and a family is
//! in every network namespace (`netnsok`): [`Request::net`] is the sender's.
//!
//! Not supported: headers of a family's own, per-operation policies, per-socket
//! data.
//!
//! C header: [`include/net/genetlink.h`](srctree/include/net/genetlink.h)

mod attr;
mod each;
mod message;

pub use attr::{Attr, Attrs, Policy, Strictness, MAX_ATTRS};
pub use message::{Dump, Halt, Writer};

use crate::{bindings, cursor::Cursor, net::Net};
use core::{
    ffi::{c_int, c_uint},
    marker::PhantomData,
    mem::size_of,
    ptr, //
};
use kernel::{
    error::to_result,
    prelude::*,
    types::Opaque,
    ModuleMetadata, //
};

/// What a family does.
pub trait Handler: Sized + 'static {
    /// The module that this code is part of.
    type Module: ModuleMetadata;

    /// Name of the family, at most 15 bytes.
    const NAME: &'static str;

    /// Version of the family.
    const VERSION: u8;

    /// The top-level attributes that requests may have, by number; the first
    /// entry stands for number 0, which none has.
    const POLICY: &'static [Policy];

    /// What can be asked.
    const OPS: &'static [Op];

    /// First command whose header the core checks strictly; 0: all.
    const STRICT_FROM: u8 = 0;

    /// Names of the multicast groups, each at most 15 bytes.
    const GROUPS: &'static [&'static str] = &[];

    /// Answers one request. May sleep; several at once.
    ///
    /// # Errors
    ///
    /// What the sender gets in place of an acknowledgement.
    fn doit(request: &Request<'_>) -> Result<(), Refusal>;

    /// Writes the next messages of a listing: as many as fit, with `cursor`
    /// moved behind each that did. Called again, for the same request, until
    /// everything did fit. May sleep.
    ///
    /// # Errors
    ///
    /// [`Halt::Full`] as [`Dump::message`] returned it, or a refusal, which
    /// ends the listing.
    fn dumpit(request: &Request<'_>, cursor: &mut Cursor, out: &mut Dump<'_>) -> Result<(), Halt>;
}

/// One command and how it may be used.
#[derive(Clone, Copy)]
pub struct Op {
    /// Its number.
    pub command: u8,
    /// What it does.
    pub does: Does,
    /// Who may use it.
    pub right: Right,
    /// How its attributes are checked.
    pub strictness: Strictness,
}

/// What a command does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Does {
    /// Answers at most once, [`Handler::doit`].
    Do,
    /// Lists, [`Handler::dumpit`].
    Dump,
    /// Either, as the sender asks.
    Both,
}

/// Who may use a command.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// Anyone.
    Anyone,
    /// Who has CAP_NET_ADMIN in the initial user namespace
    /// (`GENL_ADMIN_PERM`).
    Admin,
    /// Who has CAP_NET_ADMIN in the user namespace that owns the network
    /// namespace (`GENL_UNS_ADMIN_PERM`).
    NamespaceAdmin,
}

/// Why a request was not carried out.
#[derive(Clone, Copy, Debug)]
pub struct Refusal {
    error: Error,
    message: Option<&'static CStr>,
}

impl Refusal {
    /// An error number and a sentence in plain words.
    pub const fn new(error: Error, message: &'static CStr) -> Self {
        Self {
            error,
            message: Some(message),
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self {
            error,
            message: None,
        }
    }
}

impl From<kernel::alloc::AllocError> for Refusal {
    fn from(error: kernel::alloc::AllocError) -> Self {
        Error::from(error).into()
    }
}

/// One request, during the call that handles it.
pub struct Request<'a> {
    /// Live and not written to during the call, but for its `extack`.
    info: &'a bindings::genl_info,
    attrs: Attrs<'a>,
}

impl<'a> Request<'a> {
    /// # Safety
    ///
    /// `info` must be that of a request to the family of `H`, and live during
    /// `'a`.
    unsafe fn new<H: Handler>(info: *const bindings::genl_info) -> Self {
        // SAFETY: By the caller's promise.
        let info = unsafe { &*info };
        let attrs = if info.attrs.is_null() {
            // The core leaves the attributes of a lenient listing alone, and
            // so, like the families that are listed so, do we: what cannot be
            // parsed is not there.
            // SAFETY: A request has its header and, behind that of the family,
            // as many bytes as it says; the core has checked it.
            unsafe { Attrs::of_message(info.nlhdr, H::POLICY) }
        } else {
            // SAFETY: The core has parsed the attributes of a request to `H`
            // by the policy of `Tables::<H>`, into that many entries.
            unsafe { Attrs::parsed(info.attrs, Tables::<H>::MAX_ATTR) }
        };
        Self { info, attrs }
    }

    /// The command.
    pub fn command(&self) -> u8 {
        // SAFETY: Requests have a header, which lasts as long as `info`.
        unsafe { (*self.info.genlhdr).cmd }
    }

    /// The namespace that the sender's socket is in.
    pub fn net(&self) -> &'a Net {
        // SAFETY: The socket holds a reference to its namespace.
        unsafe { Net::from_raw(self.info._net.net) }
    }

    /// The top-level attributes.
    pub fn attrs(&self) -> &Attrs<'a> {
        &self.attrs
    }

    /// Takes the attributes out of the nest `attr`, checked by `policy`, whose
    /// first entry stands for number 0.
    ///
    /// # Errors
    ///
    /// As the core says for top-level attributes: `EINVAL` or `ERANGE`, with
    /// its text and the attribute's place.
    pub fn nest(
        &self,
        attr: Attr<'a>,
        policy: &'static [Policy],
        strictness: Strictness,
    ) -> Result<Attrs<'a>> {
        attr.nest(policy, strictness, self.info.extack)
    }

    /// Sends one message back.
    ///
    /// `fill` may be called again with more room.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, `EMSGSIZE` for what does not fit into 60 kB, or what `fill`
    /// or sending said.
    pub fn reply(
        &self,
        command: u8,
        mut fill: impl FnMut(&mut Writer<'_>) -> Result,
    ) -> Result<(), Refusal> {
        let message = message::build(self.info, command, &mut fill)?;
        // SAFETY: The message is ours and complete; the request's namespace
        // and port are live. The call frees the message in any case.
        to_result(unsafe {
            bindings::lvs_genlmsg_reply(message.into_raw(), ptr::from_ref(self.info).cast_mut())
        })?;
        Ok(())
    }

    /// Leaves word for the acknowledgement, and turns a refusal into what the
    /// core expects.
    fn refuse(&self, refusal: Refusal) -> c_int {
        // SAFETY: Null or live as `info` is; nobody else uses it during the call.
        if let (Some(extack), Some(message)) =
            (unsafe { self.info.extack.as_mut() }, refusal.message)
        {
            // The text is copied into the acknowledgement while the core still
            // keeps the module: `genl_rcv` holds `cb_lock`, which unregistering
            // takes; a listing holds a reference to the module.
            extack._msg = message.as_char_ptr();
        }
        refusal.error.to_errno()
    }
}

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
        let mut family: bindings::genl_family = pin_init::zeroed();
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
        family.module = <H::Module as ModuleMetadata>::THIS_MODULE.as_ptr();
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
        // SAFETY: The family and all that it points at are static, so that a
        // listing that goes on after the family is gone finds it.
        to_result(unsafe { bindings::genl_register_family(self.family.get()) })?;
        Ok(Registration(self))
    }
}

/// The family is known for as long as this lives.
pub struct Registration<H: Handler>(&'static Family<H>);

impl<H: Handler> Registration<H> {
    /// Tells the listeners of group number `group`, an index into
    /// [`Handler::GROUPS`], in `net`. May sleep.
    ///
    /// # Errors
    ///
    /// `ESRCH` when nobody listens; as [`Request::reply`]; `EINVAL` when there
    /// is no such group.
    pub fn notify(
        &self,
        net: &Net,
        group: u8,
        command: u8,
        mut fill: impl FnMut(&mut Writer<'_>) -> Result,
    ) -> Result {
        if usize::from(group) >= H::GROUPS.len() {
            return Err(EINVAL);
        }
        let info = bindings::genl_info {
            family: self.0.family.get(),
            ..Default::default()
        };
        let message = message::build(&info, command, &mut fill)?;
        // SAFETY: The family is registered; the message is complete and ours,
        // and freed by the call in any case; we may sleep.
        to_result(unsafe {
            bindings::lvs_genlmsg_multicast_netns(
                self.0.family.get(),
                net.as_ptr(),
                message.into_raw(),
                group.into(),
                bindings::GFP_KERNEL,
            )
        })
    }
}

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
const fn flags() -> ::kernel::bindings::__BindgenBitfieldUnit<[u8; 1]> {
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
struct Tables<H>(PhantomData<H>);

impl<H: Handler> Tables<H> {
    const MAX_ATTR: usize = {
        assert!(!H::POLICY.is_empty(), "entry 0 is missing");
        assert!(H::POLICY.len() <= MAX_ATTRS, "too many attributes");
        H::POLICY.len() - 1
    };

    const OPS: &'static [bindings::genl_ops; MAX_OPS] = &{
        assert!(H::OPS.len() <= MAX_OPS, "too many operations");
        let mut ops = [pin_init::zeroed::<bindings::genl_ops>(); MAX_OPS];
        let mut at = 0;
        while at < H::OPS.len() {
            ops[at] = operation::<H>(H::OPS[at]);
            at += 1;
        }
        ops
    };

    const GROUPS: &'static [bindings::genl_multicast_group; MAX_GROUPS] = &{
        assert!(H::GROUPS.len() <= MAX_GROUPS, "too many groups");
        let mut groups = [pin_init::zeroed::<bindings::genl_multicast_group>(); MAX_GROUPS];
        let mut at = 0;
        while at < H::GROUPS.len() {
            groups[at].name = name::<16>(H::GROUPS[at]);
            at += 1;
        }
        groups
    };
}

const fn operation<H: Handler>(op: Op) -> bindings::genl_ops {
    let mut c: bindings::genl_ops = pin_init::zeroed();
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
