// SPDX-License-Identifier: GPL-2.0

//! Seeds that found something once.

/// What was found, the seed that found it, and in words. The same line is in
/// `selftests/mutants/list` with what undoes the mending: there the seed has to
/// find it again, as long as the simulation has not changed so much that it is
/// another run.
pub(crate) const NAMED: [(&str, u64, &str); 0] = [];
