// SPDX-License-Identifier: GPL-2.0

//! Attributes as the kernel reads them: `__nla_validate_parse` and
//! `validate_nla` of `lib/nlattr.c`, in the two strictnesses that the families
//! have.

use libc::{EINVAL, ERANGE};

/// Bit of an attribute's number that marks a nest.
pub(crate) const NESTED: u16 = 0x8000;
/// Bit of an attribute's number that says the network's byte order.
pub(crate) const NET_BYTEORDER: u16 = 0x4000;
/// Bytes of an attribute's header.
pub(crate) const HEADER: usize = 4;

/// What one attribute must look like (`struct nla_policy`).
#[derive(Clone, Copy)]
pub(crate) enum Policy {
    /// Anything, which a strict check refuses.
    None,
    /// A number of so many bytes.
    Number(usize),
    /// Nothing in it.
    Flag,
    /// Attributes.
    Nest,
    /// At most so many bytes and a NUL.
    Text(usize),
    /// At most so many bytes.
    Binary(usize),
}

/// How attributes are checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strictness {
    /// As in families that are older than the checks.
    Lenient,
    /// Everything as the policy says.
    Strict,
}

/// Attributes by number; of several with one number the last.
pub(crate) struct Attrs<'a>(Vec<Option<&'a [u8]>>);

/// The attributes that lie in `bytes`, as `nla_for_each_attr` finds them, and
/// whether something is left over behind the last one.
pub(crate) fn split(bytes: &[u8]) -> (Vec<(u16, &[u8])>, bool) {
    let (mut list, mut rest) = (Vec::new(), bytes);
    while let Some([a, b, c, d]) = rest.first_chunk::<HEADER>() {
        let length = usize::from(u16::from_ne_bytes([*a, *b]));
        let Some(payload) = rest.get(HEADER..length) else {
            return (list, true);
        };
        list.push((u16::from_ne_bytes([*c, *d]), payload));
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    (list, !rest.is_empty())
}

/// The number of an attribute without the bits that say how it is written.
pub(crate) fn number(kind: u16) -> u16 {
    kind & !(NESTED | NET_BYTEORDER)
}

impl<'a> Attrs<'a> {
    /// Without any.
    pub(crate) fn none() -> Self {
        Self(Vec::new())
    }

    /// What `bytes` hold, if the kernel takes it; else its error number.
    pub(crate) fn parse(bytes: &'a [u8], policy: &[Policy], how: Strictness) -> Result<Self, i32> {
        let mut table = vec![None; policy.len()];
        let (list, rest) = split(bytes);
        for (kind, payload) in list {
            let number = number(kind);
            let known = (number != 0).then(|| policy.get(usize::from(number)));
            match known.flatten() {
                Some(policy) => {
                    check(kind, payload, *policy, how)?;
                    table[usize::from(number)] = Some(payload);
                }
                None if how == Strictness::Strict => return Err(EINVAL),
                None => {}
            }
        }
        if rest && how == Strictness::Strict {
            return Err(EINVAL);
        }
        Ok(Self(table))
    }

    /// The payload of an attribute.
    pub(crate) fn bytes(&self, number: u16) -> Option<&'a [u8]> {
        *self.0.get(usize::from(number))?
    }

    /// Whether there is one.
    pub(crate) fn has(&self, number: u16) -> bool {
        self.bytes(number).is_some()
    }

    /// A byte.
    pub(crate) fn u8(&self, number: u16) -> Option<u8> {
        self.bytes(number)?.first().copied()
    }

    /// A number in host order.
    pub(crate) fn u16(&self, number: u16) -> Option<u16> {
        let bytes = self.bytes(number)?.first_chunk()?;
        Some(u16::from_ne_bytes(*bytes))
    }

    /// A number in network order.
    pub(crate) fn be16(&self, number: u16) -> Option<u16> {
        self.u16(number).map(u16::from_be)
    }

    /// A number in host order.
    pub(crate) fn u32(&self, number: u16) -> Option<u32> {
        let bytes = self.bytes(number)?.first_chunk()?;
        Some(u32::from_ne_bytes(*bytes))
    }

    /// A string up to its NUL.
    pub(crate) fn text(&self, number: u16) -> Option<&'a [u8]> {
        self.bytes(number)?.split(|byte| *byte == 0).next()
    }
}

/// `validate_nla`.
fn check(kind: u16, payload: &[u8], policy: Policy, how: Strictness) -> Result<(), i32> {
    let (len, strict) = (payload.len(), how == Strictness::Strict);
    if matches!(policy, Policy::Number(size) if strict && len != size) {
        return Err(EINVAL);
    }
    let is_marked = kind & NESTED != 0;
    match policy {
        Policy::Nest if strict && !is_marked => return Err(EINVAL),
        Policy::Nest | Policy::None => {}
        _ if strict && is_marked => return Err(EINVAL),
        _ => {}
    }
    match policy {
        Policy::None if strict => Err(EINVAL),
        Policy::Number(size) if len < size => Err(ERANGE),
        Policy::Flag if len > 0 => Err(ERANGE),
        Policy::Nest if (1..HEADER).contains(&len) => Err(ERANGE),
        Policy::Binary(most) if len > most => Err(ERANGE),
        Policy::Text(most) => check_text(payload, most),
        _ => Ok(()),
    }
}

/// `NLA_NUL_STRING`: the NUL is looked for where one may be, and one at the very
/// end does not count.
fn check_text(payload: &[u8], most: usize) -> Result<(), i32> {
    let looked_at = payload.get(..=most).unwrap_or(payload);
    if !looked_at.contains(&0) {
        return Err(EINVAL);
    }
    let ends = payload.last() == Some(&0);
    if payload.len() - usize::from(ends) > most {
        return Err(ERANGE);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use Strictness::{Lenient, Strict};

    const POLICY: [Policy; 6] = [
        Policy::None,
        Policy::Number(2),
        Policy::Nest,
        Policy::Text(3),
        Policy::Binary(4),
        Policy::Flag,
    ];

    fn verdict(kind: u16, payload: &[u8], how: Strictness) -> Option<i32> {
        let mut bytes = Vec::from(u16::try_from(payload.len() + HEADER).unwrap().to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(payload);
        Attrs::parse(&bytes, &POLICY, how).err()
    }

    #[test]
    fn a_number_is_exact_when_strict_and_long_enough_when_not() {
        for (len, lenient, strict) in [
            (1, Some(ERANGE), Some(EINVAL)),
            (2, None, None),
            (3, None, Some(EINVAL)),
        ] {
            assert_eq!(verdict(1, &[0; 3][..len], Lenient), lenient, "{len}");
            assert_eq!(verdict(1, &[0; 3][..len], Strict), strict, "{len}");
        }
    }

    #[test]
    fn nests_are_marked_when_strict_and_nothing_else_is() {
        assert_eq!(verdict(2, &[], Lenient), None);
        assert_eq!(verdict(2, &[], Strict), Some(EINVAL));
        assert_eq!(verdict(2 | NESTED, &[], Strict), None);
        assert_eq!(verdict(2 | NESTED, &[0; 3], Strict), Some(ERANGE));
        assert_eq!(verdict(1 | NESTED, &[0; 2], Strict), Some(EINVAL));
        assert_eq!(verdict(1 | NESTED, &[0; 2], Lenient), None);
    }

    #[test]
    fn a_string_has_its_nul_in_time() {
        assert_eq!(verdict(3, b"abc\0", Strict), None);
        assert_eq!(verdict(3, b"abc", Strict), Some(EINVAL));
        assert_eq!(verdict(3, b"", Strict), Some(EINVAL));
        assert_eq!(verdict(3, b"abcd\0", Strict), Some(EINVAL));
        assert_eq!(verdict(3, b"a\0cde", Strict), Some(ERANGE));
    }

    #[test]
    fn what_nobody_knows_and_what_is_left_over_is_refused_when_strict() {
        assert_eq!(verdict(9, b"", Lenient), None);
        assert_eq!(verdict(9, b"", Strict), Some(EINVAL));
        assert_eq!(verdict(0, b"", Strict), Some(EINVAL));
        assert!(Attrs::parse(&[4, 0, 4, 0, 1], &POLICY, Lenient).is_ok());
        assert_eq!(
            Attrs::parse(&[4, 0, 4, 0, 1], &POLICY, Strict).err(),
            Some(EINVAL)
        );
    }

    #[test]
    fn the_last_of_two_counts() {
        let bytes = [5, 0, 4, 0, 7, 0, 0, 0, 5, 0, 4, 0, 8, 0, 0, 0];
        let attrs = Attrs::parse(&bytes, &POLICY, Strict).unwrap();
        assert_eq!(attrs.bytes(4), Some(&[8][..]));
    }
}
