// SPDX-License-Identifier: GPL-2.0

//! Errors that the `kernel` crate has names for in some series only.

use crate::bindings;
use kernel::{error::Error, ffi::c_int};

/// `EOPNOTSUPP`.
pub fn eopnotsupp() -> Error {
    of(bindings::EOPNOTSUPP)
}

/// `ENOPROTOOPT`.
pub fn enoprotoopt() -> Error {
    of(bindings::ENOPROTOOPT)
}

/// `ENOTCONN`.
pub fn enotconn() -> Error {
    of(bindings::ENOTCONN)
}

/// `EAFNOSUPPORT`.
pub fn eafnosupport() -> Error {
    of(bindings::EAFNOSUPPORT)
}

/// `EADDRINUSE`.
pub fn eaddrinuse() -> Error {
    of(bindings::EADDRINUSE)
}

fn of(number: u32) -> Error {
    // CAST: Numbers below 4096.
    Error::from_errno(-(number as c_int))
}
