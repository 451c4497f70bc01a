// SPDX-License-Identifier: GPL-2.0

//! Every decision of the load balancer, and nothing else.
//!
//! What a connection's next state is, which server gets a new one, which local
//! port it leaves from, how a packet is to be rewritten, whether a setting is
//! acceptable. No I/O, no clock, no lock, no allocation: time, randomness and
//! memory come in as arguments, so the same text runs in the kernel module and
//! under the tests of the host.
//!
//! Addresses are generic: `Conn<C, S>` has a client side and a server side
//! family, and the code for v4 and v6 is one.
#![cfg_attr(not(CONFIG_RUST), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        reason = "an overflow in a test fails the test"
    )
)]

#[cfg(test)]
#[macro_use]
extern crate std;

pub mod config;
pub mod conn;
pub mod dest;
pub mod drop_reason;
pub mod isn;
pub mod laddr;
pub mod persist;
pub mod ports;
pub mod rates;
pub mod sched;
pub mod service;
pub mod tcp;
pub mod time;
pub mod timeouts;
pub mod tunnel;
