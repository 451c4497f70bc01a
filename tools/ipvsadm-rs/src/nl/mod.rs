// SPDX-License-Identifier: GPL-2.0

//! Generic netlink messages as bytes: building requests, reading replies.
//! Nothing here opens a socket or prints.

pub(crate) mod attrs;
pub(crate) mod builder;
pub(crate) mod ctrl;
pub(crate) mod message;

pub(crate) mod ipvs;
pub(crate) mod lvs;
pub(crate) mod toa;

#[cfg(test)]
mod specs;
