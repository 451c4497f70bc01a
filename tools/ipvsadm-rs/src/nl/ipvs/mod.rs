// SPDX-License-Identifier: GPL-2.0

//! Messages of the family `IPVS`, as stock's tools send them.

pub(crate) mod daemon;
pub(crate) mod dest;
pub(crate) mod info;
pub(crate) mod service;
pub(crate) mod stats;
