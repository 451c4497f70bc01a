// SPDX-License-Identifier: GPL-2.0

//! What the kernel keeps and the tool shows: plain values, no formats.

pub(crate) mod conn;
pub(crate) mod daemon;
pub(crate) mod dest;
pub(crate) mod info;
pub(crate) mod laddr;
pub(crate) mod rule;
pub(crate) mod service;
pub(crate) mod sort;
pub(crate) mod stats;
pub(crate) mod toa;
