// SPDX-License-Identifier: GPL-2.0

//! TCP options (RFC 9293 section 3.2): one is a kind, mostly a length, and data.
//!
//! [`Options`] yields each option, padding included, and ends at the first
//! that is malformed with an [`Error`] that says how.
//!
//! ```
//! use lvs_wire::options::{Options, Value};
//! let mut options = Options::new(&[2, 4, 5, 0xb4, 1, 1, 4, 2]);
//! let first = options.next().unwrap()?;
//! assert!(matches!(first.value(), Value::Mss(1460)));
//! # Ok::<(), lvs_wire::options::Error>(())
//! ```

/// The kinds that this crate knows (IANA, "TCP Option Kind Numbers").
pub mod kind {
    /// Nothing but padding follows.
    pub const END: u8 = 0;
    /// Padding of one byte.
    pub const NOP: u8 = 1;
    /// Maximum segment size.
    pub const MSS: u8 = 2;
    /// Window scale.
    pub const WINDOW_SCALE: u8 = 3;
    /// Selective acknowledgments permitted.
    pub const SACK_PERMITTED: u8 = 4;
    /// Selective acknowledgment.
    pub const SACK: u8 = 5;
    /// Timestamps.
    pub const TIMESTAMPS: u8 = 8;
    /// MD5 signature (RFC 2385).
    pub const MD5: u8 = 19;
    /// Authentication (RFC 5925).
    pub const AO: u8 = 29;
    /// Multipath TCP.
    pub const MPTCP: u8 = 30;
    /// Fast Open cookie.
    pub const FAST_OPEN: u8 = 34;
    /// Accurate ECN, order 0.
    pub const ACC_ECN0: u8 = 172;
    /// Accurate ECN, order 1.
    pub const ACC_ECN1: u8 = 174;
    /// Experiment 1: TOA of IPv6 clients at some balancers.
    pub const EXPERIMENT_1: u8 = 253;
    /// Experiment 2: TOA.
    pub const EXPERIMENT_2: u8 = 254;
}

/// How an option is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The last byte is a kind that needs a length.
    NoLength,
    /// A length under 2, which would not even cover itself.
    TooShort,
    /// A length that reaches beyond the header.
    PastEnd,
}

/// An iterator over options. It ends after an error.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    rest: &'a [u8],
}

impl<'a> Options<'a> {
    /// The options in `bytes`, which is all that follows the fixed header.
    #[inline]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The first well-formed option of a kind that no malformed one precedes.
    #[inline]
    pub fn find(self, kind: u8) -> Option<TcpOption<'a>> {
        self.map_while(Result::ok)
            .find(|option| option.kind == kind)
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = Result<TcpOption<'a>, Error>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (len, error) = match *self.rest {
            [] => return None,
            [kind::END, ..] => (self.rest.len(), None),
            [kind::NOP, ..] => (1, None),
            [_] => (0, Some(Error::NoLength)),
            [_, 0 | 1, ..] => (0, Some(Error::TooShort)),
            [_, len, ..] => (usize::from(len), None),
        };
        let (bytes, rest) = match (self.rest.split_at_checked(len), error) {
            (Some(split), None) => split,
            (_, error) => {
                self.rest = &[];
                return Some(Err(error.unwrap_or(Error::PastEnd)));
            }
        };
        self.rest = rest;
        let kind = *bytes.first()?;
        Some(Ok(TcpOption { kind, bytes }))
    }
}

/// One option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpOption<'a> {
    /// The kind, see [`kind`](mod@kind).
    pub kind: u8,
    /// The whole option: kind, length and data. One byte of a NOP; of
    /// [`kind::END`] itself and everything behind it.
    pub bytes: &'a [u8],
}

impl<'a> TcpOption<'a> {
    /// What follows kind and length.
    #[inline]
    pub fn data(&self) -> &'a [u8] {
        self.bytes.get(2..).unwrap_or(&[])
    }

    /// What the option says.
    #[inline]
    pub fn value(&self) -> Value<'a> {
        match (self.kind, self.data()) {
            (kind::END, _) => Value::End,
            (kind::NOP, _) => Value::Nop,
            (kind::MSS, &[a, b]) => Value::Mss(u16::from_be_bytes([a, b])),
            (kind::WINDOW_SCALE, &[shift]) => Value::WindowScale(shift),
            (kind::SACK_PERMITTED, []) => Value::SackPermitted,
            (kind::SACK, data) => match SackBlocks::parse(data) {
                Some(blocks) => Value::Sack(blocks),
                None => Value::BadLength,
            },
            (kind::TIMESTAMPS, &[a, b, c, d, e, f, g, h]) => Value::Timestamps {
                value: u32::from_be_bytes([a, b, c, d]),
                echo: u32::from_be_bytes([e, f, g, h]),
            },
            (kind::MSS | kind::WINDOW_SCALE | kind::SACK_PERMITTED | kind::TIMESTAMPS, _) => {
                Value::BadLength
            }
            (kind::ACC_ECN0 | kind::ACC_ECN1, _) => Value::AccEcn,
            // Of other lengths they sign nothing, and Linux may pass over them.
            (kind::MD5, data) if data.len() == 16 => Value::Md5,
            (kind::AO, data) if data.len() > 2 => Value::Ao,
            (kind::MD5 | kind::AO, _) => Value::BadLength,
            _ => Value::Other,
        }
    }
}

/// What an option says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Nothing but padding follows.
    End,
    /// Padding.
    Nop,
    /// Maximum segment size.
    Mss(u16),
    /// Window scale, as a shift.
    WindowScale(u8),
    /// Selective acknowledgments permitted.
    SackPermitted,
    /// Selective acknowledgment.
    Sack(SackBlocks<'a>),
    /// Timestamps (RFC 7323).
    Timestamps {
        /// The sender's clock.
        value: u32,
        /// The clock of the receiver that it echoes.
        echo: u32,
    },
    /// Accurate ECN counters.
    AccEcn,
    /// MD5 signature.
    Md5,
    /// Authentication.
    Ao,
    /// A known kind with a length that it cannot have.
    BadLength,
    /// A kind that is not interpreted here.
    Other,
}

/// The blocks of a selective acknowledgment (RFC 2018), one to four.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SackBlocks<'a> {
    rest: &'a [u8],
}

impl<'a> SackBlocks<'a> {
    #[inline]
    fn parse(data: &'a [u8]) -> Option<Self> {
        (!data.is_empty() && data.len() & 7 == 0).then_some(Self { rest: data })
    }

    /// How many blocks there are.
    #[inline]
    #[expect(clippy::len_without_is_empty, reason = "there is always one")]
    pub fn len(&self) -> usize {
        self.rest.len() >> 3
    }
}

impl Iterator for SackBlocks<'_> {
    /// Left and right edge.
    type Item = (u32, u32);

    #[inline]
    fn next(&mut self) -> Option<(u32, u32)> {
        let (&[a, b, c, d, e, f, g, h], rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some((
            u32::from_be_bytes([a, b, c, d]),
            u32::from_be_bytes([e, f, g, h]),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    const VECTOR: &[u8] = &[
        2, 4, 0x05, 0xb4, // MSS 1460
        4, 2, // SACK permitted
        8, 10, 0, 0, 0, 1, 0, 0, 0, 2, // timestamps 1, 2
        1, // NOP
        3, 3, 7, // window scale 7
        5, 10, 0, 0, 0, 3, 0, 0, 0, 4, // SACK, one block
        172, 2, // AccECN
        19, 18, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, // MD5
        29, 6, 1, 2, 3, 4, // AO
        19, 2, 29, 4, 0, 0, 254, 2, // MD5, AO, TOA without their data
        0, 9, // end, garbage
    ];

    #[test]
    fn each_kind_is_read() {
        let values: Vec<_> = Options::new(VECTOR).map(|o| o.unwrap().value()).collect();
        let Value::Sack(blocks) = values[5] else {
            panic!("{values:?}")
        };
        assert_eq!(blocks.collect::<Vec<_>>(), [(3, 4)]);
        assert_eq!(
            values,
            [
                Value::Mss(1460),
                Value::SackPermitted,
                Value::Timestamps { value: 1, echo: 2 },
                Value::Nop,
                Value::WindowScale(7),
                Value::Sack(blocks),
                Value::AccEcn,
                Value::Md5,
                Value::Ao,
                Value::BadLength,
                Value::BadLength,
                Value::Other,
                Value::End,
            ]
        );
        assert_eq!(Options::new(VECTOR).last().unwrap().unwrap().bytes, [0, 9]);
        assert_eq!(Options::new(VECTOR).find(3).unwrap().bytes, [3, 3, 7]);
        assert_eq!(Options::new(VECTOR).find(30), None);
    }

    #[test]
    fn every_truncation_is_named() {
        for option in Options::new(VECTOR)
            .map(Result::unwrap)
            .filter(|o| o.kind > 1)
        {
            for n in 1..option.bytes.len() {
                let error = Options::new(&option.bytes[..n])
                    .last()
                    .unwrap()
                    .unwrap_err();
                let expected = if n == 1 {
                    Error::NoLength
                } else {
                    Error::PastEnd
                };
                assert_eq!(error, expected, "{n} bytes of {option:?}");
            }
        }
    }

    #[test]
    fn a_length_that_does_not_cover_itself_is_too_short() {
        for len in [0, 1] {
            let mut options = Options::new(&[1, 5, 5, 1]);
            assert!(options.next().unwrap().is_ok());
            assert_eq!(
                Options::new(&[254, len, 1, 1]).next(),
                Some(Err(Error::TooShort))
            );
            assert_eq!(options.next(), Some(Err(Error::PastEnd)));
            assert_eq!(options.next(), None);
        }
    }

    #[test]
    fn a_known_kind_with_a_wrong_length_says_so() {
        for bytes in [
            &[2, 3, 0][..],
            &[3, 2],
            &[4, 3, 0],
            &[5, 2],
            &[5, 3, 0],
            &[8, 4, 0, 0],
        ] {
            let option = Options::new(bytes).next().unwrap().unwrap();
            assert_eq!(option.value(), Value::BadLength, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn options_never_overlap_nor_leave_a_gap(bytes in proptest::collection::vec(any::<u8>(), 0..=40)) {
            let mut at = 0;
            for option in Options::new(&bytes) {
                let Ok(option) = option else { return Ok(()) };
                prop_assert_eq!(&bytes[at..at + option.bytes.len()], option.bytes);
                prop_assert_eq!(option.kind, option.bytes[0]);
                option.value();
                at += option.bytes.len();
            }
            prop_assert_eq!(at, bytes.len());
        }
    }
}
