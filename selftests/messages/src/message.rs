// SPDX-License-Identifier: GPL-2.0

//! One message to be sent: a tree, so that it can be changed in ways that no
//! honest sender would, and its bytes.

use std::fmt;

use crate::{
    attrs::{number, NESTED},
    family::Family,
};

/// `NLM_F_REQUEST`
pub(crate) const REQUEST: u16 = 0x1;
/// `NLM_F_ACK`
pub(crate) const ACK: u16 = 0x4;
/// `NLM_F_DUMP`
pub(crate) const DUMP: u16 = 0x300;
/// Bytes of `struct nlmsghdr`.
pub(crate) const NLMSG_HEADER: usize = 16;
/// Bytes of `struct nlmsghdr` and `struct genlmsghdr`.
pub(crate) const HEADERS: usize = NLMSG_HEADER + 4;

/// A message.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// Whom it is meant for.
    pub(crate) family: Family,
    /// In place of the family's number.
    pub(crate) kind: Option<u16>,
    /// Of the netlink header.
    pub(crate) flags: u16,
    /// The command.
    pub(crate) command: u8,
    /// Of the generic netlink header.
    pub(crate) version: u8,
    /// Of the generic netlink header.
    pub(crate) reserved: u16,
    /// The attributes.
    pub(crate) attrs: Vec<Attr>,
    /// Bytes behind the attributes.
    pub(crate) tail: Vec<u8>,
    /// What the header says about the length, when that is not the length.
    pub(crate) claimed: Option<u32>,
    /// How many bytes are sent, when not all are.
    pub(crate) cut: Option<usize>,
    /// Bits of bytes behind the netlink header that are turned round, as (place, bits).
    pub(crate) flips: Vec<(usize, u8)>,
}

/// An attribute.
#[derive(Clone, Debug)]
pub(crate) struct Attr {
    /// Its number, with the bits that say how it is written.
    pub(crate) kind: u16,
    /// What is in it.
    pub(crate) value: Value,
    /// What its header says about its length, when that is not the length.
    pub(crate) claimed: Option<u16>,
}

/// What is in an attribute.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// Bytes.
    Bytes(Vec<u8>),
    /// Attributes.
    Nest(Vec<Attr>),
}

/// An attribute of bytes.
pub(crate) fn attr(kind: u16, bytes: impl AsRef<[u8]>) -> Attr {
    let value = Value::Bytes(bytes.as_ref().to_vec());
    Attr {
        kind,
        value,
        claimed: None,
    }
}

/// An attribute of attributes.
pub(crate) fn nest(kind: u16, attrs: Vec<Attr>) -> Attr {
    let (kind, value) = (kind | NESTED, Value::Nest(attrs));
    Attr {
        kind,
        value,
        claimed: None,
    }
}

impl Message {
    /// A well-formed one.
    pub(crate) fn new(family: Family, command: u8, dump: bool, attrs: Vec<Attr>) -> Self {
        Self {
            family,
            kind: None,
            flags: REQUEST | if dump { DUMP } else { ACK },
            command,
            version: family.version(),
            reserved: 0,
            attrs,
            tail: Vec::new(),
            claimed: None,
            cut: None,
            flips: Vec::new(),
        }
    }

    /// The bytes to send; `kind` is the number that the kernel gave the family.
    pub(crate) fn encode(&self, kind: u16, sequence: u32) -> Vec<u8> {
        let mut bytes = vec![0; NLMSG_HEADER];
        bytes.extend([self.command, self.version]);
        bytes.extend(self.reserved.to_ne_bytes());
        encode(&self.attrs, &mut bytes);
        bytes.extend(&self.tail);
        for (place, bits) in &self.flips {
            let behind = bytes.len() - NLMSG_HEADER;
            bytes[NLMSG_HEADER + place % behind] ^= bits;
        }
        let length = u32::try_from(bytes.len()).expect("messages are short");
        bytes[0..4].copy_from_slice(&self.claimed.unwrap_or(length).to_ne_bytes());
        bytes[4..6].copy_from_slice(&self.kind.unwrap_or(kind).to_ne_bytes());
        bytes[6..8].copy_from_slice(&self.flags.to_ne_bytes());
        bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
        bytes.truncate(self.cut.unwrap_or(usize::MAX).max(1));
        bytes
    }
}

fn encode(attrs: &[Attr], bytes: &mut Vec<u8>) {
    for attr in attrs {
        let start = bytes.len();
        bytes.extend([0; 4]);
        match &attr.value {
            Value::Bytes(value) => bytes.extend(value),
            Value::Nest(attrs) => encode(attrs, bytes),
        }
        let length = u16::try_from(bytes.len() - start).expect("attributes are short");
        bytes[start..start + 2].copy_from_slice(&attr.claimed.unwrap_or(length).to_ne_bytes());
        bytes[start + 2..start + 4].copy_from_slice(&attr.kind.to_ne_bytes());
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
}

/// As a person reads it: `LVS NEW_LADDR version 1 flags 0x5 { 3 { 1=0200 2=0a090001 } }`.
impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (family, command) = (self.family.name(), self.family.command_name(self.command));
        write!(
            f,
            "{family} {command} version {} flags {:#x}",
            self.version, self.flags
        )?;
        if let Some(kind) = self.kind {
            write!(f, " sent to family {kind:#x}")?;
        }
        if self.reserved != 0 {
            write!(f, " reserved {:#x}", self.reserved)?;
        }
        if let Some(claimed) = self.claimed {
            write!(f, " length said to be {claimed}")?;
        }
        if let Some(cut) = self.cut {
            write!(f, " cut after {cut} bytes")?;
        }
        for (place, bits) in &self.flips {
            write!(f, " byte {place} ^ {bits:#x}")?;
        }
        write!(f, " {{")?;
        for attr in &self.attrs {
            write!(f, " {attr}")?;
        }
        write!(f, " }}")?;
        if !self.tail.is_empty() {
            write!(f, " + {}", hex(&self.tail))?;
        }
        Ok(())
    }
}

impl fmt::Display for Attr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", number(self.kind))?;
        let is_nest = matches!(self.value, Value::Nest(_));
        if is_nest != (self.kind & NESTED != 0) || number(self.kind) != self.kind & !NESTED {
            write!(f, "[marked {:#x}]", self.kind)?;
        }
        if let Some(claimed) = self.claimed {
            write!(f, "[length said to be {claimed}]")?;
        }
        match &self.value {
            Value::Bytes(bytes) => write!(f, "={}", hex(bytes)),
            Value::Nest(attrs) => {
                write!(f, " {{")?;
                for attr in attrs {
                    write!(f, " {attr}")?;
                }
                write!(f, " }}")
            }
        }
    }
}

/// Bytes as digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digits = |byte: &u8| [byte >> 4, byte & 15].map(|half| char::from_digit(half.into(), 16));
    bytes.iter().flat_map(digits).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_both_headers_and_padded_attributes() {
        let message = Message::new(Family::Lvs, 5, false, vec![nest(3, vec![attr(1, [2, 0])])]);
        assert_eq!(
            message.encode(0x1b, 9),
            [
                32, 0, 0, 0, 0x1b, 0, 5, 0, 9, 0, 0, 0, 0, 0, 0, 0, 5, 1, 0, 0, 12, 0, 3, 0x80, 6,
                0, 1, 0, 2, 0, 0, 0
            ]
        );
        assert_eq!(
            message.to_string(),
            "LVS NEW_LADDR version 1 flags 0x5 { 3 { 1=0200 } }"
        );
    }

    #[test]
    fn what_is_claimed_and_cut_is_sent_so() {
        let mut message = Message::new(Family::Toa, 1, true, vec![]);
        message.claimed = Some(99);
        message.cut = Some(18);
        let bytes = message.encode(7, 1);
        assert_eq!((bytes.len(), bytes[0]), (18, 99));
    }
}
