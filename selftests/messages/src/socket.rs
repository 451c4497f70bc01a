// SPDX-License-Identifier: GPL-2.0

//! A generic netlink socket that never waits: the kernel handles what is sent
//! before the send returns, and goes on with a listing whenever something is
//! read, so what there is to be read is there.

use std::io;

use netlink_sys::{protocols::NETLINK_GENERIC, Socket as Inner, SocketAddr};

use crate::attrs::{number, split};

/// `NLMSG_ERROR`
const ERROR: u16 = 2;
/// `NLMSG_DONE`
const DONE: u16 = 3;
/// `NLM_F_ACK_TLVS`
const ACK_TLVS: u16 = 0x200;
/// `NLMSGERR_ATTR_MSG`
const TEXT: u16 = 1;
/// More than the kernel puts into one.
const ROOM: usize = 64 * 1024;

/// A socket.
pub(crate) struct Socket(Inner);

/// One message from the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Got {
    pub(crate) sequence: u32,
    pub(crate) what: What,
}

/// What a message is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// Attributes, behind the generic netlink header.
    Data(Vec<u8>),
    /// An acknowledgement: an error number, or 0, and words.
    Ack(i32, Option<String>),
    /// A listing's end, likewise.
    End(i32, Option<String>),
}

impl Socket {
    /// Opens one that hears the kernel's own words.
    pub(crate) fn open() -> io::Result<Self> {
        let mut socket = Inner::new(NETLINK_GENERIC)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        socket.set_ext_ack(true)?;
        socket.set_cap_ack(true)?;
        socket.set_non_blocking(true)?;
        Ok(Self(socket))
    }

    /// Sends.
    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<()> {
        self.0.send(bytes, 0).map(|_| ())
    }

    /// The next datagram, if there is one.
    pub(crate) fn receive(&self) -> io::Result<Option<Vec<u8>>> {
        let mut buffer = Vec::with_capacity(ROOM);
        Ok(self.receive_into(&mut buffer)?.then_some(buffer))
    }

    /// Adds the next datagram to what is in `buffer`, which has room for it;
    /// whether there was one.
    pub(crate) fn receive_into(&self, buffer: &mut Vec<u8>) -> io::Result<bool> {
        match self.0.recv(buffer, 0) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Sends, and reads all that comes.
    pub(crate) fn exchange(&self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        self.send(bytes)?;
        let mut all = Vec::new();
        while let Some(datagram) = self.receive()? {
            all.extend(datagram);
        }
        Ok(all)
    }
}

/// The messages in what was read.
pub(crate) fn decode(mut bytes: &[u8]) -> Result<Vec<Got>, String> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let damaged = || {
            format!(
                "a damaged message from the kernel: {}",
                crate::message::hex(bytes)
            )
        };
        let header = bytes.first_chunk::<16>().ok_or_else(damaged)?;
        let word = |at: usize| {
            u32::from_ne_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        };
        let (length, kind) = (word(0) as usize, u16::from_ne_bytes([header[4], header[5]]));
        let flags = u16::from_ne_bytes([header[6], header[7]]);
        let payload = bytes.get(16..length).ok_or_else(damaged)?;
        let number = || {
            let number = payload
                .first_chunk::<4>()
                .map_or(0, |number| i32::from_ne_bytes(*number));
            number.saturating_neg()
        };
        let what = match kind {
            // Behind the number and the request's header: the rest of it is left out (`set_cap_ack`).
            ERROR => What::Ack(number(), words(flags, payload, 20)),
            DONE => What::End(number(), words(flags, payload, 4)),
            _ => What::Data(payload.get(4..).ok_or_else(damaged)?.to_vec()),
        };
        all.push(Got {
            sequence: word(8),
            what,
        });
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(all)
}

/// The kernel's words, in the attributes from `at` on.
fn words(flags: u16, payload: &[u8], at: usize) -> Option<String> {
    if flags & ACK_TLVS == 0 {
        return None;
    }
    let (attrs, _) = split(payload.get(at..)?);
    let text = attrs.iter().find(|(kind, _)| number(*kind) == TEXT)?.1;
    let text = text.split(|byte| *byte == 0).next()?;
    Some(String::from_utf8_lossy(text).into_owned())
}
