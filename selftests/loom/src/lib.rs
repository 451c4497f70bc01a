// SPDX-License-Identifier: GPL-2.0

//! Models of what CPUs do at once: every interleaving of a few threads, within
//! a bound, on the real source of the table (`tests/models/chains.rs`, `grow.rs`,
//! `wheel.rs`) and of the ports (`ports.rs`).
//!
//! A model is one `#[test]`. It prints how many interleavings there were. What
//! it would not let pass is listed beside it, as a fault, in
//! `selftests/mutants/list`.
