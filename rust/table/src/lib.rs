// SPDX-License-Identifier: GPL-2.0

//! The connection table.
#![cfg_attr(not(CONFIG_RUST), no_std)]
