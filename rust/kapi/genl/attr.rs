// SPDX-License-Identifier: GPL-2.0

//! Attributes of requests: what is allowed, and reading them.

use crate::bindings;
use core::{
    ffi::c_int,
    marker::PhantomData,
    mem::zeroed,
    ptr, //
};
use kernel::{error::to_result, prelude::*};

/// Most attributes a table may have, number 0 counted.
pub const MAX_ATTRS: usize = 24;

/// Size of an attribute's header.
pub(super) const HEADER: usize = 4;

/// How attributes are checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// Unknown attributes and longer ones than expected are let through, and
    /// nests need no flag: for families that are older than the checks.
    Lenient,
    /// Everything must be as the policy says.
    Strict,
}

impl Strictness {
    fn bits(self) -> u32 {
        match self {
            Self::Lenient => bindings::netlink_validation_NL_VALIDATE_LIBERAL,
            Self::Strict => {
                bindings::netlink_validation_NL_VALIDATE_TRAILING
                    | bindings::netlink_validation_NL_VALIDATE_MAXTYPE
                    | bindings::netlink_validation_NL_VALIDATE_UNSPEC
                    | bindings::netlink_validation_NL_VALIDATE_STRICT_ATTRS
                    | bindings::netlink_validation_NL_VALIDATE_NESTED
            }
        }
    }
}

/// What one attribute must look like.
#[repr(transparent)]
pub struct Policy(bindings::nla_policy);

// SAFETY: Plain data; the pointer is null.
unsafe impl Sync for Policy {}
// SAFETY: As above.
unsafe impl Send for Policy {}

impl Policy {
    /// Anything; a strict check refuses the attribute.
    pub const NONE: Self = Self::of(bindings::NLA_UNSPEC, 0);
    /// One byte.
    pub const U8: Self = Self::of(bindings::NLA_U8, 0);
    /// Two bytes.
    pub const U16: Self = Self::of(bindings::NLA_U16, 0);
    /// Four bytes.
    pub const U32: Self = Self::of(bindings::NLA_U32, 0);
    /// Eight bytes.
    pub const U64: Self = Self::of(bindings::NLA_U64, 0);
    /// Nothing: its presence says it.
    pub const FLAG: Self = Self::of(bindings::NLA_FLAG, 0);
    /// Attributes, to be checked when they are taken out.
    pub const NEST: Self = Self::of(bindings::NLA_NESTED, 0);

    /// A string of at most `max` bytes and a NUL.
    pub const fn string(max: u16) -> Self {
        Self::of(bindings::NLA_NUL_STRING, max)
    }

    /// At most `max` bytes.
    pub const fn binary(max: u16) -> Self {
        Self::of(bindings::NLA_BINARY, max)
    }

    const fn of(kind: u32, len: u16) -> Self {
        // SAFETY: Numbers and pointers, for which zeroes are values.
        let mut policy: bindings::nla_policy = unsafe { zeroed() };
        // CAST: The kinds are numbers below 32.
        policy.type_ = kind as u8;
        policy.len = len;
        Self(policy)
    }
}

/// Attributes that a policy has let through, by number.
///
/// # Invariants
///
/// Each entry is null or an attribute, header and payload within a message
/// that lasts for `'a`.
#[derive(Clone, Copy)]
pub struct Attrs<'a> {
    table: [*const bindings::nlattr; MAX_ATTRS],
    message: PhantomData<&'a [u8]>,
}

impl<'a> Attrs<'a> {
    /// # Safety
    ///
    /// `table` must be null or have `max + 1` entries that are null or
    /// attributes, checked to lie in a message that lasts for `'a`.
    pub(super) unsafe fn parsed(table: *const *mut bindings::nlattr, max: usize) -> Self {
        let mut attrs = Self {
            table: [ptr::null(); MAX_ATTRS],
            message: PhantomData,
        };
        if !table.is_null() {
            for (index, entry) in attrs
                .table
                .iter_mut()
                .enumerate()
                .take(max.saturating_add(1))
            {
                // INVARIANT: By the caller's promise.
                // SAFETY: `index` is at most `max`.
                *entry = unsafe { *table.add(index) };
            }
        }
        attrs
    }

    /// The attributes in `payload`, checked leniently; none when they cannot be
    /// parsed.
    pub(super) fn lenient(payload: &'a [u8], policy: &'static [Policy]) -> Self {
        Attr { payload }
            .nest(policy, Strictness::Lenient, ptr::null_mut())
            .unwrap_or(Self {
                table: [ptr::null(); MAX_ATTRS],
                message: PhantomData,
            })
    }

    /// The attribute of that number, if the message has it.
    pub fn get(&self, number: u16) -> Option<Attr<'a>> {
        let attr = *self.table.get(usize::from(number))?;
        if attr.is_null() {
            return None;
        }
        // SAFETY: An attribute in a live message by the type invariant.
        let len = usize::from(unsafe { (*attr).nla_len }).checked_sub(HEADER)?;
        // SAFETY: As above: the payload of `len` bytes follows the header.
        let payload = unsafe { core::slice::from_raw_parts(attr.cast::<u8>().add(HEADER), len) };
        Some(Attr { payload })
    }

    /// Whether the message has it.
    pub fn has(&self, number: u16) -> bool {
        self.get(number).is_some()
    }

    /// A byte.
    pub fn u8(&self, number: u16) -> Option<u8> {
        self.get(number)?.first().map(u8::from_ne_bytes)
    }

    /// A number in host order.
    pub fn u16(&self, number: u16) -> Option<u16> {
        self.get(number)?.first().map(u16::from_ne_bytes)
    }

    /// A number in network order.
    pub fn be16(&self, number: u16) -> Option<u16> {
        self.get(number)?.first().map(u16::from_be_bytes)
    }

    /// A number in host order.
    pub fn u32(&self, number: u16) -> Option<u32> {
        self.get(number)?.first().map(u32::from_ne_bytes)
    }

    /// A number in network order.
    pub fn be32(&self, number: u16) -> Option<u32> {
        self.get(number)?.first().map(u32::from_be_bytes)
    }

    /// A number in host order.
    pub fn u64(&self, number: u16) -> Option<u64> {
        self.get(number)?.first().map(u64::from_ne_bytes)
    }

    /// Bytes.
    pub fn bytes(&self, number: u16) -> Option<&'a [u8]> {
        Some(self.get(number)?.payload)
    }

    /// The bytes of a string, without its NUL and what is behind it.
    pub fn string(&self, number: u16) -> Option<&'a [u8]> {
        self.get(number)?.payload.split(|byte| *byte == 0).next()
    }
}

/// One attribute.
#[derive(Clone, Copy)]
pub struct Attr<'a> {
    pub(super) payload: &'a [u8],
}

impl<'a> Attr<'a> {
    /// The payload.
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }

    fn first<const N: usize>(&self) -> Option<[u8; N]> {
        self.payload.first_chunk().copied()
    }

    /// See [`super::Request::nest`].
    pub(super) fn nest(
        &self,
        policy: &'static [Policy],
        strictness: Strictness,
        extack: *mut bindings::netlink_ext_ack,
    ) -> Result<Attrs<'a>> {
        let max = policy.len().checked_sub(1).ok_or(EINVAL)?;
        if max >= MAX_ATTRS {
            return Err(EINVAL);
        }
        let mut table = [ptr::null_mut(); MAX_ATTRS];
        // SAFETY: The table has `max + 1` entries and so has the policy; the
        // payload is that many bytes; `extack` is null or live, as its request
        // is. The parser checks that each attribute lies in the payload.
        to_result(unsafe {
            bindings::__nla_parse(
                table.as_mut_ptr(),
                // CAST: Below `MAX_ATTRS`.
                max as c_int,
                self.payload.as_ptr().cast(),
                // CAST: A payload is shorter than 64 kB.
                self.payload.len() as c_int,
                policy.as_ptr().cast(),
                strictness.bits(),
                extack,
            )
        })?;
        // SAFETY: Parsed above, from a message that lasts for `'a`.
        Ok(unsafe { Attrs::parsed(table.as_ptr(), max) })
    }
}
