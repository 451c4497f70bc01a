// SPDX-License-Identifier: GPL-2.0

//! Safe wrappers for the kernel interfaces that the `kernel` crate lacks.
//!
//! One file for each C subsystem. All of the project's `unsafe` code is here
//! and in the table crate; the modules themselves have none. This crate knows
//! nothing of load balancing: what it shares with the modules are packet
//! formats ([`lvs_wire`]).
//!
//! What differs between the supported kernel series differs here and nowhere
//! else, and is written so that it fits all of them rather than chosen by
//! version: what one series lacks is bound or written here for all.
//!
//! # Context
//!
//! Each item says where it may be used: *may sleep* (process context), *any*
//! (softirq too). What must be inside an RCU read section takes a
//! [`rcu::ReadLock`].

#![deny(unsafe_op_in_unsafe_fn)]

/// C types and functions: the `kernel` crate's own bindings and, beside them,
/// those that it lacks.
#[allow(
    clippy::all,
    clippy::cast_lossless,
    clippy::ptr_as_ptr,
    clippy::ptr_cast_constness,
    clippy::undocumented_unsafe_blocks,
    dead_code,
    improper_ctypes,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unreachable_pub,
    unsafe_op_in_unsafe_fn,
    unused_imports
)]
pub(crate) mod bindings {
    pub(crate) use ::kernel::bindings::*;
    use ::kernel::ffi;

    type __kernel_size_t = usize;
    type __kernel_ssize_t = isize;
    type __kernel_ptrdiff_t = isize;

    include!(env!("LVS_BINDINGS"));
}

/// What stands before this crate's own lines in the log.
const __LOG_PREFIX: &[u8] = b"lvs_kapi\0";

pub mod accept;
pub mod cursor;
pub mod errno;
mod ftrace;
pub mod genl;
pub mod getname;
pub mod gfp;
pub mod lock;
pub mod mem;
pub mod module;
pub mod net;
pub mod netfilter;
pub mod netns;
pub mod notifier;
pub mod percpu;
pub mod proc;
pub mod random;
pub mod rcu;
pub mod route;
pub mod skb;
pub mod slab;
pub mod sock;
pub mod sockopt;
mod srcu;
pub mod sysctl;
pub mod time;
pub mod tracepoint;
pub mod vec;
pub mod work;
