// SPDX-License-Identifier: GPL-2.0

//! Where a listing that takes several calls has got to.

/// A position that its owner gives a meaning to; all zero at the start.
///
/// Plain numbers, so that the C code that keeps it between two calls may zero
/// it, copy it and forget it.
#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Cursor(pub [u64; 4]);

/// Whether a listing has more to say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// Ask again.
    More,
    /// That was all.
    Done,
}
