// SPDX-License-Identifier: GPL-2.0

//! Attributes that a request may have several times.

use super::{attr::HEADER, Attr, Request};
use crate::bindings;

impl<'a> Request<'a> {
    /// Every top-level attribute of that number, in the order of the message;
    /// of those, [`Request::attrs`] has the last.
    pub fn each(&self, number: u16) -> impl Iterator<Item = Attr<'a>> {
        let mut rest = body(self.info);
        core::iter::from_fn(move || loop {
            let ([a, b, c, d], _) = rest.split_first_chunk::<HEADER>()?;
            let len = usize::from(u16::from_ne_bytes([*a, *b]));
            // Without NLA_F_NESTED and NLA_F_NET_BYTEORDER.
            let kind = u16::from_ne_bytes([*c, *d]) & 0x3fff;
            let payload = rest.get(HEADER..len)?;
            let end = len.checked_next_multiple_of(HEADER).unwrap_or(len);
            rest = rest.get(end..).unwrap_or_default();
            if kind == number {
                return Some(Attr { payload });
            }
        })
    }
}

/// The top-level attributes of a request, as bytes.
pub(super) fn body(info: &bindings::genl_info) -> &[u8] {
    // No family here has a header of its own.
    const HEADERS: usize = size_of::<bindings::nlmsghdr>() + size_of::<bindings::genlmsghdr>();
    let len = length(info);
    // SAFETY: The core has checked that the message has the length that its
    // header says, and that it lasts as long as `info`.
    let message = unsafe { core::slice::from_raw_parts(info.nlhdr.cast::<u8>(), len) };
    message.get(HEADERS..).unwrap_or_default()
}

/// How long a request is, with its headers.
pub(super) fn length(info: &bindings::genl_info) -> usize {
    // SAFETY: Requests have a header, which lasts as long as `info`.
    // CAST: Widening.
    unsafe { (*info.nlhdr).nlmsg_len as usize }
}
