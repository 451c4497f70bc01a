// SPDX-License-Identifier: GPL-2.0

//! Talking to the kernel.

pub(crate) mod modprobe;
pub(crate) mod netlink;

use crate::nl::message::Request;

/// What the kernel answered.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// Attributes of each message.
    pub(crate) messages: Vec<Vec<u8>>,
    /// A warning that came with success.
    pub(crate) warning: Option<String>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The kernel refused: a positive error number and its own words.
    Refused {
        /// The error number.
        errno: i32,
        /// The extended acknowledgement, if there was one.
        words: Option<String>,
        /// Which attribute of the request it is about, in bytes from the first
        /// one, if the kernel said so.
        place: Option<usize>,
    },
    /// The socket does not work, or the answer makes no sense.
    Broken(String),
}

/// Something that carries requests to the kernel.
pub(crate) trait Transport {
    /// Sends a request and collects the answer to its end.
    fn call(&mut self, request: &Request) -> Result<Answer, Trouble>;
}
