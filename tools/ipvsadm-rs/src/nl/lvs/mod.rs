// SPDX-License-Identifier: GPL-2.0

//! Messages of the family `LVS`: what the family `IPVS` has no room for.

pub(crate) mod conn;
pub(crate) mod dest;
pub(crate) mod drops;
pub(crate) mod laddr;
pub(crate) mod rule;
pub(crate) mod service;
