// SPDX-License-Identifier: GPL-2.0

//! Forty bytes that fill up with TCP options.

use super::sack;
use crate::options::{kind, TcpOption};
use crate::tcp::MAX_OPTIONS_LEN;

/// Options being written. What does not fit is left out: the survey has seen
/// to it that everything does.
pub(super) struct Writer {
    bytes: [u8; MAX_OPTIONS_LEN],
    len: usize,
}

impl Writer {
    /// Nothing yet.
    #[inline]
    pub(super) fn new() -> Self {
        Self {
            bytes: [0; MAX_OPTIONS_LEN],
            len: 0,
        }
    }

    /// The options and their length, a multiple of 4: what is behind the last
    /// option is 0, the kind that ends a list.
    #[inline]
    pub(super) fn finish(self) -> ([u8; MAX_OPTIONS_LEN], usize) {
        (self.bytes, self.len.saturating_add(3) & !3)
    }

    /// The next `len` bytes, which from now on are taken.
    #[inline]
    fn take(&mut self, len: usize) -> &mut [u8] {
        let end = self.len.saturating_add(len);
        match self.bytes.get_mut(self.len..end) {
            Some(place) => {
                self.len = end;
                place
            }
            None => &mut [],
        }
    }

    /// A whole option.
    #[inline]
    pub(super) fn push(&mut self, option: &[u8]) {
        let place = self.take(option.len());
        for (to, from) in place.iter_mut().zip(option) {
            *to = *from;
        }
    }

    /// Padding in place of an option of `kind`.
    #[inline]
    pub(super) fn pad(&mut self, kind: u8, len: usize) {
        let fill = if kind == kind::END {
            kind::END
        } else {
            kind::NOP
        };
        self.take(len).fill(fill);
    }

    /// The first `stay` blocks of a SACK option, shifted.
    #[inline]
    pub(super) fn sack(&mut self, option: &TcpOption<'_>, stay: usize, add: u32) {
        if stay == 0 {
            return;
        }
        let len = stay.saturating_mul(8).saturating_add(2);
        let place = self.take(len);
        for (to, from) in place.iter_mut().zip(option.bytes) {
            *to = *from;
        }
        if let [_, length, ..] = place {
            // At most 34: the option was there with as many blocks.
            *length = u8::try_from(len).unwrap_or(0);
        }
        sack::shift_option(place, add);
    }
}
