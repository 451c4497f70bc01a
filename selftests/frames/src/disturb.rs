// SPDX-License-Identifier: GPL-2.0

//! A disturbance: what happens to the director while a block of frames comes.

use crate::bed::text;
use std::{
    fs,
    io::{Error, Write},
    process::{Command, Stdio},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disturbance {
    /// Servers go away, and come back at the end.
    Servers,
    /// There may be no more connections than there are.
    Full,
    /// Connections may begin with what usually begins none.
    Lax,
}

impl Disturbance {
    /// That of a block.
    pub(crate) fn of(block: u64) -> Option<Self> {
        match block % 8 {
            3 => Some(Self::Servers),
            5 => Some(Self::Full),
            7 => Some(Self::Lax),
            _ => None,
        }
    }

    pub(crate) fn begin(self) -> Result<(), Error> {
        match self {
            Self::Servers => restore(&text::servers_go()),
            Self::Full => set("conn_max", "0"),
            Self::Lax => self.lax("1"),
        }
    }

    pub(crate) fn end(self) -> Result<(), Error> {
        match self {
            Self::Servers => restore(&text::servers_come()),
            Self::Full => set("conn_max", "1073741824"),
            Self::Lax => self.lax("0"),
        }
    }

    fn lax(self, value: &str) -> Result<(), Error> {
        set("schedule_icmp", value)?;
        set("sloppy_tcp", value)
    }
}

/// Feeds lines to `ipvsadm-rs -R`.
fn restore(lines: &str) -> Result<(), Error> {
    let mut command = Command::new("ipvsadm-rs")
        .arg("-R")
        .stdin(Stdio::piped())
        .spawn()?;
    if let Some(mut input) = command.stdin.take() {
        input.write_all(lines.as_bytes())?;
    }
    let status = command.wait()?;
    if status.success() {
        Ok(())
    } else {
        Err(Error::other(format!("ipvsadm-rs -R: {status}:\n{lines}")))
    }
}

fn set(name: &str, value: &str) -> Result<(), Error> {
    let path = format!("/proc/sys/net/ipv4/vs/{name}");
    fs::write(&path, value).map_err(|e| Error::other(format!("{path}: {e}")))
}
