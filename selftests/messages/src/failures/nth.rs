// SPDX-License-Identifier: GPL-2.0

//! The kernel's `fail-nth`: which of a task's next allocations fails
//! (`Documentation/fault-injection/fault-injection.rst`).

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::FileExt,
};

/// Of this task.
const NTH: &str = "/proc/thread-self/fail-nth";
/// Whether failslab's own settings are about this task. They say: every time (`selftests/cases/fail-nth.sh`).
const ALL: &str = "/proc/thread-self/make-it-fail";

/// Makes allocations of this task fail.
pub(crate) struct Nth {
    nth: File,
    all: File,
}

/// How long memory is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lack {
    /// For one allocation: whoever tries another way has it.
    Once,
    /// For all that follow, too.
    FromThenOn,
}

/// Whether an allocation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Injection {
    /// One did.
    Done,
    /// There were not as many.
    NotReached,
}

impl Nth {
    /// Opens the files of the calling thread.
    pub(crate) fn open() -> io::Result<Self> {
        let open = |file| OpenOptions::new().read(true).write(true).open(file);
        Ok(Self {
            nth: open(NTH)?,
            all: open(ALL)?,
        })
    }

    /// Calls `act`, in which the `n`th allocation fails if there are so many.
    pub(crate) fn fail<R>(
        &self,
        (n, lack): (u32, Lack),
        act: impl FnOnce() -> R,
    ) -> io::Result<(R, Injection)> {
        let mut text = [0; 16];
        let line = format!("{n}\n");
        // While the count runs, it alone decides.
        self.nth.write_at(line.as_bytes(), 0)?;
        if lack == Lack::FromThenOn {
            self.all.write_at(b"1", 0)?;
        }
        let result = act();
        // Whatever comes of it, nothing fails from here on.
        let whole = self.all.write_at(b"0", 0);
        let length = self.nth.read_at(&mut text, 0);
        self.nth.write_at(b"0\n", 0)?;
        whole?;
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
