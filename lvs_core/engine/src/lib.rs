// SPDX-License-Identifier: GPL-2.0

//! Placeholder head; see the crate's own documentation.
#![cfg_attr(not(CONFIG_RUST), no_std)]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;
