// SPDX-License-Identifier: GPL-2.0

//! Fuzz targets: one for each parser of bytes that somebody else has made.
//!
//! A target is a function of bytes that panics when a property does not hold.
//! What it compares with is in [`mod@reference`], plain code that shares
//! nothing with what is tested. `src/bin/fuzz.rs` puts libFuzzer in front of
//! the targets; `tests/corpus.rs` runs each on its committed corpus.
#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a target says that it has found something"
)]

mod expected;
mod input;
mod options;
mod reference;
mod rfc7915;
mod targets;

// The command line is a program, not a library: what parses bytes in it is
// compiled in here as it is there.
#[path = "../../../tools/ipvsadm-rs/src/args/mod.rs"]
#[allow(dead_code, reason = "the rest is for the program")]
mod args;
#[path = "../../../tools/ipvsadm-rs/src/failure.rs"]
#[allow(dead_code, reason = "the rest is for the program")]
mod failure;
#[path = "../../../tools/ipvsadm-rs/src/model/mod.rs"]
#[allow(dead_code, reason = "the rest is for the program")]
mod model;
#[path = "../../../tools/ipvsadm-rs/src/names/mod.rs"]
#[allow(dead_code, reason = "the rest is for the program")]
mod names;
#[path = "../../../tools/ipvsadm-rs/src/nl/mod.rs"]
#[allow(dead_code, reason = "the rest is for the program")]
mod nl;
#[path = "../../../tools/ipvsadm-rs/src/rules/mod.rs"]
#[allow(dead_code, reason = "the rest is for the program")]
mod rules;
#[path = "../../../tools/ipvsadm-rs/src/show/mod.rs"]
#[allow(dead_code, reason = "the rest is for the program")]
mod show;

pub use targets::{Target, TARGETS};
