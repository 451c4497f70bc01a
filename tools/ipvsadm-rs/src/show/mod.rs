// SPDX-License-Identifier: GPL-2.0

//! Text for people, byte for byte stock's where stock has such text, and JSON
//! for programs. Nothing here asks the kernel.

pub(crate) mod conn;
pub(crate) mod dest;
pub(crate) mod drops;
pub(crate) mod json;
pub(crate) mod laddr;
pub(crate) mod namespace;
pub(crate) mod number;
pub(crate) mod place;
pub(crate) mod proc_conn;
pub(crate) mod rule;
pub(crate) mod service;
pub(crate) mod title;
pub(crate) mod toa;

#[cfg(test)]
mod tests;

use crate::args::request::Format;
use place::Namer;

/// What every listing needs: how, and with what names.
#[derive(Clone, Copy)]
pub(crate) struct Style<'a> {
    /// How to print.
    pub(crate) format: Format,
    /// Names of addresses and ports.
    pub(crate) namer: Namer<'a>,
}
