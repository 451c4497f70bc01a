// SPDX-License-Identifier: GPL-2.0

//! Seeds that found something once.

/// What is found, the seed, and in words. `selftests/mutants/list` has what
/// undoes the mending: there these seeds find it again, as long as the
/// simulation has not changed so much that they are other runs.
pub(crate) const NAMED: [(&str, u64, &str); 1] = [(
    "reset-of-a-server-that-forgot",
    207,
    "after a silence it was reset at a number that it had before it began anew",
)];
