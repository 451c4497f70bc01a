// SPDX-License-Identifier: GPL-2.0

//! Attributes that a request may have several times.

use super::{attr::HEADER, Attr, Request};

impl<'a> Request<'a> {
    /// Every top-level attribute of that number, in the order of the message;
    /// of those, [`Request::attrs`] has the last.
    pub fn each(&self, number: u16) -> impl Iterator<Item = Attr<'a>> {
        let mut rest = self.body();
        core::iter::from_fn(move || loop {
            let ([a, b, c, d], _) = rest.split_first_chunk::<HEADER>()?;
            let len = usize::from(u16::from_ne_bytes([*a, *b]));
            // Without NLA_F_NESTED and NLA_F_NET_BYTEORDER.
            let kind = u16::from_ne_bytes([*c, *d]) & 0x3fff;
            let payload = rest.get(HEADER..len)?;
            rest = rest.get(len.next_multiple_of(HEADER)..).unwrap_or_default();
            if kind == number {
                return Some(Attr { payload });
            }
        })
    }

    /// The attributes of the message, as bytes.
    fn body(&self) -> &'a [u8] {
        // Behind the headers of netlink (16 bytes) and of generic netlink (4);
        // no family here has one of its own.
        const HEADERS: usize = 20;
        // SAFETY: Requests have a header, which lasts as long as `info`.
        let len = unsafe { (*self.info.nlhdr).nlmsg_len } as usize;
        // SAFETY: The core has checked that the message has the length that
        // its header says.
        let message = unsafe { core::slice::from_raw_parts(self.info.nlhdr.cast::<u8>(), len) };
        message.get(HEADERS..).unwrap_or_default()
    }
}
