// SPDX-License-Identifier: GPL-2.0

//! Messages to users: replies, listings and notifications.

use super::Refusal;
use crate::bindings;
use core::{
    ffi::{c_int, c_void},
    marker::PhantomData,
    mem::ManuallyDrop,
    ptr::{self, NonNull}, //
};
use kernel::{error::to_result, prelude::*};

/// Why a listing stopped before its end.
pub enum Halt {
    /// The message buffer is full; go on in the next.
    Full,
    /// It cannot go on.
    Refused(Refusal),
}

impl From<Refusal> for Halt {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Refused(error.into())
    }
}

impl From<kernel::alloc::AllocError> for Halt {
    fn from(error: kernel::alloc::AllocError) -> Self {
        Error::from(error).into()
    }
}

/// Writes the attributes of one message.
///
/// Nothing is lost when an attribute does not fit: the call says `EMSGSIZE`,
/// and who called [`Dump::message`] or [`super::Request::reply`] is to pass
/// that on.
///
/// # Invariants
///
/// The buffer is live for `'a`, and nobody else writes to it.
pub struct Writer<'a> {
    skb: *mut bindings::sk_buff,
    buffer: PhantomData<&'a mut ()>,
}

impl Writer<'_> {
    /// Adds an attribute of these bytes.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` when it does not fit, as with all that follow.
    pub fn bytes(&mut self, attr: u16, bytes: &[u8]) -> Result {
        let len = length(bytes.len())?;
        // SAFETY: The buffer is live by the type invariant; the bytes are
        // readable, and `nla_put` checks for room.
        to_result(unsafe { bindings::nla_put(self.skb, attr.into(), len, bytes.as_ptr().cast()) })
    }

    /// Adds a byte.
    pub fn u8(&mut self, attr: u16, value: u8) -> Result {
        self.bytes(attr, &[value])
    }

    /// Adds a number in host order.
    pub fn u16(&mut self, attr: u16, value: u16) -> Result {
        self.bytes(attr, &value.to_ne_bytes())
    }

    /// Adds a number in network order.
    pub fn be16(&mut self, attr: u16, value: u16) -> Result {
        self.bytes(attr, &value.to_be_bytes())
    }

    /// Adds a number in host order.
    pub fn u32(&mut self, attr: u16, value: u32) -> Result {
        self.bytes(attr, &value.to_ne_bytes())
    }

    /// Adds a number in host order, aligned to 8 bytes with an empty attribute
    /// `pad` where the machine needs that.
    pub fn u64(&mut self, attr: u16, value: u64, pad: u16) -> Result {
        // SAFETY: As in `bytes`.
        to_result(unsafe {
            bindings::nla_put_64bit(
                self.skb,
                attr.into(),
                8,
                ptr::from_ref(&value).cast(),
                pad.into(),
            )
        })
    }

    /// Adds a string and a NUL.
    pub fn string(&mut self, attr: u16, text: &str) -> Result {
        let len = length(text.len().checked_add(1).ok_or(EMSGSIZE)?)?;
        // SAFETY: The buffer is live; `nla_reserve` checks for room.
        let header = unsafe { bindings::nla_reserve(self.skb, attr.into(), len) };
        let header = NonNull::new(header).ok_or(EMSGSIZE)?;
        // SAFETY: A payload of `len` bytes follows the header.
        let payload = unsafe { header.as_ptr().add(1) }.cast::<u8>();
        // SAFETY: There is room for the text and the NUL; the text is not in
        // the buffer, which nobody else refers to.
        unsafe { ptr::copy_nonoverlapping(text.as_ptr(), payload, text.len()) };
        // SAFETY: As above.
        unsafe { *payload.add(text.len()) = 0 };
        Ok(())
    }

    /// Adds a nest of what `fill` writes; nothing if that fails.
    pub fn nest(&mut self, attr: u16, fill: impl FnOnce(&mut Self) -> Result) -> Result {
        // SAFETY: The buffer is live; the function checks for room.
        let start = unsafe { bindings::lvs_nla_nest_start(self.skb, attr.into()) };
        self.end_nest(start, fill)
    }

    /// As [`Writer::nest`], without the flag that marks nests: for families
    /// that are older than the flag.
    pub fn nest_unmarked(&mut self, attr: u16, fill: impl FnOnce(&mut Self) -> Result) -> Result {
        // SAFETY: As in `nest`.
        let start = unsafe { bindings::lvs_nla_nest_start_noflag(self.skb, attr.into()) };
        self.end_nest(start, fill)
    }

    fn end_nest(
        &mut self,
        start: *mut bindings::nlattr,
        fill: impl FnOnce(&mut Self) -> Result,
    ) -> Result {
        let start = NonNull::new(start).ok_or(EMSGSIZE)?.as_ptr();
        let filled = fill(self);
        match filled {
            // SAFETY: `start` was put into this buffer, whose memory does not
            // move, and what follows it is still there.
            Ok(()) => unsafe { bindings::lvs_nla_nest_end(self.skb, start) },
            // SAFETY: As above.
            Err(_) => unsafe { bindings::lvs_nla_nest_cancel(self.skb, start) },
        }
        filled
    }
}

/// The length as C has it, if an attribute can have it.
fn length(len: usize) -> Result<c_int> {
    const MAX: usize = 0xffff - 4;
    if len > MAX {
        return Err(EMSGSIZE);
    }
    // CAST: Below 64 k.
    Ok(len as c_int)
}

/// A buffer for the messages of a listing.
///
/// # Invariants
///
/// As [`Writer`]; `info` is the request.
pub struct Dump<'a> {
    writer: Writer<'a>,
    info: &'a bindings::genl_info,
}

impl<'a> Dump<'a> {
    /// # Safety
    ///
    /// `skb` must be a buffer for netlink messages that is the caller's alone
    /// for `'a`.
    pub(super) unsafe fn new(skb: *mut bindings::sk_buff, info: &'a bindings::genl_info) -> Self {
        // INVARIANT: By the caller's promise.
        let writer = Writer {
            skb,
            buffer: PhantomData,
        };
        Self { writer, info }
    }

    /// Adds a message of what `fill` writes, whole or not at all.
    ///
    /// # Errors
    ///
    /// [`Halt::Full`] when it does not fit; what else `fill` said.
    pub fn message(
        &mut self,
        command: u8,
        fill: impl FnOnce(&mut Writer<'_>) -> Result,
    ) -> Result<(), Halt> {
        let flags = bindings::NLM_F_MULTI;
        put(&mut self.writer, self.info, command, flags, fill).map_err(|error| {
            if error == EMSGSIZE {
                Halt::Full
            } else {
                error.into()
            }
        })
    }

    /// What the core is told when the buffer is full: its length, to be called
    /// again; or an error when the message would fit in no buffer.
    pub(super) fn full(&self) -> c_int {
        // SAFETY: Live by the type invariant.
        match unsafe { (*self.writer.skb).len } {
            0 => EMSGSIZE.to_errno(),
            // CAST: A buffer is shorter than 2 GB.
            len => len as c_int,
        }
    }
}

/// Adds a message to a buffer, whole or not at all.
fn put(
    writer: &mut Writer<'_>,
    info: &bindings::genl_info,
    command: u8,
    flags: u32,
    fill: impl FnOnce(&mut Writer<'_>) -> Result,
) -> Result {
    // SAFETY: The buffer is live, the family registered or static; the
    // function checks for room.
    let header = unsafe {
        bindings::genlmsg_put(
            writer.skb,
            info.snd_portid,
            info.snd_seq,
            info.family,
            // CAST: Small.
            flags as c_int,
            command,
        )
    };
    let header: NonNull<c_void> = NonNull::new(header).ok_or(EMSGSIZE)?;
    let filled = fill(writer);
    match filled {
        // SAFETY: The header was put into this buffer above.
        Ok(()) => unsafe { bindings::lvs_genlmsg_end(writer.skb, header.as_ptr()) },
        // SAFETY: As above.
        Err(_) => unsafe { bindings::lvs_genlmsg_cancel(writer.skb, header.as_ptr()) },
    }
    filled
}

/// A message of our own.
///
/// # Invariants
///
/// The buffer is live and ours.
pub(super) struct Message(NonNull<bindings::sk_buff>);

impl Message {
    fn new(size: usize) -> Result<Self> {
        // SAFETY: No requirement; we may sleep.
        let skb = unsafe { bindings::lvs_genlmsg_new(size) };
        // INVARIANT: Allocated above.
        Ok(Self(NonNull::new(skb).ok_or(ENOMEM)?))
    }

    /// Gives the buffer away.
    pub(super) fn into_raw(self) -> *mut bindings::sk_buff {
        ManuallyDrop::new(self).0.as_ptr()
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: Live and ours by the type invariant.
        unsafe { bindings::lvs_nlmsg_free(self.0.as_ptr()) };
    }
}

/// Builds one message, in a larger buffer if it does not fit. May sleep.
pub(super) fn build(
    info: &bindings::genl_info,
    command: u8,
    fill: &mut dyn FnMut(&mut Writer<'_>) -> Result,
) -> Result<Message> {
    const SIZES: [usize; 3] = [bindings::LVS_GENLMSG_DEFAULT_SIZE, 16 << 10, 60 << 10];
    for size in SIZES {
        let message = Message::new(size)?;
        // INVARIANT: The buffer lives as long as `message`, which is ours.
        let mut writer = Writer {
            skb: message.0.as_ptr(),
            buffer: PhantomData,
        };
        match put(&mut writer, info, command, 0, &mut *fill) {
            Ok(()) => return Ok(message),
            Err(error) if error == EMSGSIZE => {}
            Err(error) => return Err(error),
        }
    }
    Err(EMSGSIZE)
}
