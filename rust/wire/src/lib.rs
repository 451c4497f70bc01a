// SPDX-License-Identifier: GPL-2.0

//! Packet formats, checksums, the TOA codec and netlink numbers.
//!
//! Everything here is a pure function of bytes: no I/O, no clock, no lock, no
//! allocation, no panic. The crate is compiled twice from one text: by Kbuild
//! into `lvs.ko` and `toa.ko`, and by cargo for the command line and the tests.
//!
//! * A *view* ([`ipv4::Header`], [`ipv6::Header`], [`tcp::Header`],
//!   [`udp::Header`], [`icmp::Message`]) can only be made by `parse`, which
//!   checks; afterwards no accessor can fail.
//! * [`rewrite`] is the one place that changes header bytes.
//! * IPv4 and IPv6 are one source, generic over [`addr::Address`] and
//!   [`ip::Network`].
//!
//! Numbers are in host order wherever they have a type of their own; network
//! order ends at the parser and begins at the writer.
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

pub mod addr;
pub mod build;
pub mod conn;
pub mod csum;
pub mod icmp;
pub mod ip;
pub mod ipv4;
pub mod ipv6;
pub mod kinds;
pub mod netlink;
pub mod options;
pub mod rewrite;
pub mod shown;
pub mod tcp;
#[cfg(test)]
mod testing;
pub mod toa;
pub mod udp;
