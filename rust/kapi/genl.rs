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
mod family;
mod message;

pub use attr::{Attr, Attrs, Policy, Strictness, MAX_ATTRS};
pub use family::{Family, Registration};
pub use message::{Dump, Halt, Writer};

use crate::{bindings, cursor::Cursor, net::Net};
use core::{ffi::c_int, ptr};
use family::Tables;
use kernel::{error::to_result, prelude::*};

/// What a family does.
pub trait Handler: Sized + 'static {
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
    /// Where in the request what it is about is, in bytes.
    place: Option<usize>,
}

impl Refusal {
    /// An error number and a sentence in plain words.
    pub const fn new(error: Error, message: &'static CStr) -> Self {
        Self {
            error,
            message: Some(message),
            place: None,
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self {
            error,
            message: None,
            place: None,
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
            Attrs::lenient(each::body(info), H::POLICY)
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

    /// Tells the sender which attribute a refusal is about
    /// (`NLMSGERR_ATTR_OFFS`), unless the core has found a closer one in a nest.
    pub fn about(&self, attr: Attr<'a>, refusal: Refusal) -> Refusal {
        let start = self.info.nlhdr.addr();
        let place = attr.payload.as_ptr().addr().checked_sub(start);
        Refusal {
            place: place.and_then(|place| place.checked_sub(attr::HEADER)),
            ..refusal
        }
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

    /// Tells the listeners of group number `group`, an index into
    /// [`Handler::GROUPS`], in the sender's namespace. May sleep.
    ///
    /// # Errors
    ///
    /// `ESRCH` when nobody listens; `EINVAL` when there is no such group; as
    /// [`Request::reply`]. From a listing that goes on after the family is gone
    /// it may reach nobody, or who listens to what has its place.
    pub fn notify(
        &self,
        group: u8,
        command: u8,
        mut fill: impl FnMut(&mut Writer<'_>) -> Result,
    ) -> Result {
        let family = self.info.family;
        // SAFETY: The core names the family that it calls.
        if group >= unsafe { (*family).n_mcgrps } {
            return Err(EINVAL);
        }
        // Nobody's answer: its number is 0.
        let info = bindings::genl_info {
            family,
            ..Default::default()
        };
        let message = message::build(&info, command, &mut fill)?;
        // SAFETY: The family is static; the message is complete and ours, and
        // freed by the call in any case; we may sleep.
        to_result(unsafe {
            bindings::lvs_genlmsg_multicast_netns(
                family,
                self.net().as_ptr(),
                message.into_raw(),
                group.into(),
                bindings::GFP_KERNEL,
            )
        })
    }

    /// Leaves word for the acknowledgement, and turns a refusal into what the
    /// core expects.
    fn refuse(&self, refusal: Refusal) -> c_int {
        // SAFETY: Null or live as `info` is; nobody else uses it during the call.
        if let Some(extack) = unsafe { self.info.extack.as_mut() } {
            if let Some(message) = refusal.message {
                // The text is copied into the acknowledgement while the core
                // still keeps the module: `genl_rcv` holds `cb_lock`, which
                // unregistering takes; a listing holds a reference to the module.
                extack._msg = message.as_char_ptr();
            }
            let inside = |place: &usize| *place < each::length(self.info);
            let place = refusal.place.filter(inside);
            if let Some(place) = place.filter(|_| extack.bad_attr.is_null()) {
                // SAFETY: Inside the message. The core makes a distance of it
                // and does not look at what is there.
                extack.bad_attr = unsafe { self.info.nlhdr.byte_add(place) }.cast();
            }
        }
        refusal.error.to_errno()
    }
}
