// SPDX-License-Identifier: GPL-2.0

//! Why the tool stops: a sentence, and the exit status stock has for it.

/// A reason to stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Exit status.
    pub(crate) status: u8,
    /// What was wrong and what to do, without a newline.
    pub(crate) text: String,
}

/// Exit status of a wrong argument.
pub(crate) const USAGE: u8 = 2;
/// Exit status of what the kernel refused, and of an option that does not exist.
pub(crate) const REFUSED: u8 = 255;
/// Exit status of a listing that did not come about.
pub(crate) const UNLISTED: u8 = 1;

impl Failure {
    /// A wrong argument.
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self {
            status: USAGE,
            text: text.into(),
        }
    }

    /// Something the kernel refused.
    pub(crate) fn refused(text: impl Into<String>) -> Self {
        Self {
            status: REFUSED,
            text: text.into(),
        }
    }

    /// A listing that could not be made.
    pub(crate) fn unlisted(text: impl Into<String>) -> Self {
        Self {
            status: UNLISTED,
            text: text.into(),
        }
    }
}
