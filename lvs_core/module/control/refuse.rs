// SPDX-License-Identifier: GPL-2.0

//! Refusals of the engine as netlink has them: an error number, and a sentence
//! that ends with a NUL.

use core::ffi::CStr;
use kernel::prelude::*;
use lvs_engine::config::{ConfigError, Errno, Unsupported};
use lvs_kapi::{
    errno::{eaddrinuse, eafnosupport, enoprotoopt, eopnotsupp},
    genl::Refusal,
};

/// What the sender of a request is told.
pub(super) fn refusal(error: ConfigError) -> Refusal {
    Refusal::new(number(error.errno()), text(error))
}

/// A refusal, of the engine or of this layer, before it is sent.
pub(super) struct Refused(pub(super) Refusal);

impl From<ConfigError> for Refused {
    fn from(error: ConfigError) -> Self {
        Self(refusal(error))
    }
}

/// As [`refusal`], for what cannot be done yet.
pub(super) fn unsupported(what: Unsupported) -> Refusal {
    refusal(ConfigError::Unsupported(what))
}

/// The namespace has no state: it or the module is going away.
pub(super) fn no_state() -> Refusal {
    refusal(ConfigError::GoingAway)
}

fn number(errno: Errno) -> Error {
    match errno {
        Errno::Inval => EINVAL,
        Errno::AfNoSupport => eafnosupport(),
        Errno::Srch => ESRCH,
        Errno::Exist => EEXIST,
        Errno::NoEnt => ENOENT,
        Errno::Range => ERANGE,
        Errno::OpNotSupp => eopnotsupp(),
        Errno::NoProtoOpt => enoprotoopt(),
        Errno::AddrInUse => eaddrinuse(),
        Errno::NoMem => ENOMEM,
    }
}

/// Room for the longest sentence and its NUL.
const ROOM: usize = 160;
type Text = [u8; ROOM];

const ERRORS: usize = ConfigError::ALL.len();
const MISSING: usize = Unsupported::ALL.len();

/// The sentences, copied when this is compiled: the engine's have no NUL, and
/// an acknowledgement is read after the request has been handled, when nobody
/// is left to free a copy.
static TEXTS: [Text; ERRORS] = {
    let mut texts = [[0; ROOM]; ERRORS];
    let mut at = 0;
    while at < ERRORS {
        texts[at] = with_nul(ConfigError::ALL[at].message());
        at += 1;
    }
    texts
};

static MISSING_TEXTS: [Text; MISSING] = {
    let mut texts = [[0; ROOM]; MISSING];
    let mut at = 0;
    while at < MISSING {
        texts[at] = with_nul(Unsupported::ALL[at].message());
        at += 1;
    }
    texts
};

const fn with_nul(message: &str) -> Text {
    let bytes = message.as_bytes();
    assert!(bytes.len() < ROOM, "the sentence is too long");
    let mut text = [0; ROOM];
    let mut at = 0;
    while at < bytes.len() {
        text[at] = bytes[at];
        at += 1;
    }
    text
}

fn text(error: ConfigError) -> &'static CStr {
    let text = match error {
        ConfigError::Unsupported(what) => (Unsupported::ALL.iter())
            .zip(&MISSING_TEXTS)
            .find_map(|(other, text)| (*other == what).then_some(text)),
        error => (ConfigError::ALL.iter())
            .zip(&TEXTS)
            .find_map(|(other, text)| (*other == error).then_some(text)),
    };
    text.and_then(|text| CStr::from_bytes_until_nul(text).ok())
        .unwrap_or(c"The request is refused.")
}
