// SPDX-License-Identifier: GPL-2.0

//! The kernel's `fail-nth`: which of a task's next allocations fails
//! (`Documentation/fault-injection/fault-injection.rst`).

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::FileExt,
};

/// Of this task. There is one other, and it allocates nothing meanwhile: none.
const FILE: &str = "/proc/thread-self/fail-nth";

/// Makes allocations of this task fail.
pub(crate) struct Nth(File);

/// Whether an allocation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Injection {
    /// One did.
    Done,
    /// There were not as many.
    NotReached,
}

impl Nth {
    /// Opens the file of the calling thread.
    pub(crate) fn open() -> io::Result<Self> {
        OpenOptions::new()
            .read(true)
            .write(true)
            .open(FILE)
            .map(Self)
    }

    /// Calls `act`, in which the `n`th allocation fails if there are so many.
    pub(crate) fn fail<R>(&self, n: u32, act: impl FnOnce() -> R) -> io::Result<(R, Injection)> {
        let mut text = [0; 16];
        let line = format!("{n}\n");
        self.0.write_at(line.as_bytes(), 0)?;
        let result = act();
        let length = self.0.read_at(&mut text, 0);
        // Whatever comes of it, nothing fails from here on.
        self.0.write_at(b"0\n", 0)?;
        let left = String::from_utf8_lossy(&text[..length?])
            .trim()
            .parse::<u32>();
        let left = left.map_err(io::Error::other)?;
        let injection = if left == 0 {
            Injection::Done
        } else {
            Injection::NotReached
        };
        Ok((result, injection))
    }
}
