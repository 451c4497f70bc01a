// SPDX-License-Identifier: GPL-2.0

//! Models of what CPUs do at once: see the crate's description.

#![cfg(loom)]

mod chains;
mod grow;
mod pairs;
mod wheel;

// The glue's own files, which the models of the ports are of, and around them
// what they name: each at the path that it has in the module.
extern crate self as kernel;
extern crate self as lvs_kapi;

mod conns;
mod glue;
#[path = "../../../../lvs_core/module/hash.rs"]
#[allow(dead_code)]
mod hash;
pub mod kernel_like;
mod ports;
#[path = "../../../../lvs_core/module/spaces.rs"]
#[allow(dead_code)]
mod spaces;

use glue::{dests, family, locals, settings, templates};
pub use kernel_like::{gfp, lock, mem, prelude, random, rcu, sync, vec};
