// SPDX-License-Identifier: GPL-2.0

//! Files in /proc: they say everything or that they cannot, and a setting is
//! set or stays.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
};

use lvs_wire::netlink::ipvs::{cmd, fwd};

use crate::{actor::SETTINGS_DIR, model::SETTINGS, run::Outcome};

use super::{
    fixture::Fixture,
    is_no_memory,
    nth::Nth,
    requests::{new, server, tcp},
    Seen, Walk,
};

const LISTINGS: [&str; 6] = [
    "ip_vs",
    "ip_vs_conn",
    "ip_vs_stats",
    "ip_vs_stats_percpu",
    "ip_vs_status",
    "lvs_conn",
];
/// More than any of them says here.
const ROOM: usize = 1 << 18;
const SECRETS: [&str; 2] = [
    "00112233-44556677-8899aabb-ccddeeff",
    "ffeeddcc-bbaa9988-77665544-33221100",
];

/// All of them.
pub(super) fn all(walk: &mut Walk) -> Outcome {
    let mut fixture = Fixture::new()?;
    let key = tcp("10.1.0.100", 80);
    let mut before = vec![new(&key)];
    before.extend(
        ["10.2.0.2", "10.2.0.3"].map(|addr| server(cmd::NEW_DEST, &key, addr, fwd::MASQ, 1)),
    );
    fixture.reset(&before)?;
    let mut room = vec![0; ROOM];
    for name in LISTINGS {
        read_whole(walk, &format!("/proc/thread-self/net/{name}"), &mut room)?;
    }
    for (name, min, max) in SETTINGS {
        let path = format!("{SETTINGS_DIR}/{name}");
        let old = std::fs::read_to_string(&path).map_err(|error| format!("{name}: {error}"))?;
        let old = old.trim().to_string();
        // Ports stay a range, whichever end it is that moves.
        let new = if old == max.to_string() { min } else { max };
        read_whole(walk, &path, &mut room)?;
        written(walk, &path, &old, &new.to_string())?;
    }
    let path = format!("{SETTINGS_DIR}/fullnat_isn_secret");
    let [old, new] = SECRETS;
    std::fs::write(&path, old).map_err(|error| error.to_string())?;
    read_whole(walk, &path, &mut room)?;
    written(walk, &path, old, new)?;
    fixture.reset(&[])
}

/// A file is read while an allocation fails.
fn read_whole(walk: &mut Walk, path: &str, room: &mut [u8]) -> Outcome {
    let whole = std::fs::read(path).map_err(|error| format!("{path}: {error}"))?;
    walk.operation(&format!("reading {path}"), |nth, n| {
        let (done, injection) = nth
            .fail(n, || read(path, room))
            .map_err(|error| error.to_string())?;
        let errno = errno(path, done.as_ref().err())?;
        match done {
            Ok(length) if room[..length] != whole => {
                Err(format!("it says {length} bytes of {}", whole.len()))
            }
            _ => Ok(Seen { injection, errno }),
        }
    })
}

fn read(path: &str, room: &mut [u8]) -> io::Result<usize> {
    let (mut file, mut length) = (File::open(path)?, 0);
    loop {
        match file.read(&mut room[length..])? {
            0 => return Ok(length),
            more => length += more,
        }
    }
}

/// A setting is written while an allocation fails.
fn written(walk: &mut Walk, path: &str, old: &str, new: &str) -> Outcome {
    walk.operation(&format!("writing {path}"), |nth: &Nth, n| {
        std::fs::write(path, old).map_err(|error| error.to_string())?;
        let (done, injection) = nth
            .fail(n, || write(path, new))
            .map_err(|error| error.to_string())?;
        let errno = errno(path, done.as_ref().err())?;
        let is = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        let wanted = if errno == 0 { new } else { old };
        if is.trim() != wanted {
            return Err(format!("it is {:?}, and was to be {wanted:?}", is.trim()));
        }
        Ok(Seen { injection, errno })
    })?;
    std::fs::write(path, old).map_err(|error| error.to_string())
}

fn write(path: &str, text: &str) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .open(path)?
        .write_all(text.as_bytes())
}

/// The error number, if it is one for a lack of memory.
fn errno(path: &str, error: Option<&io::Error>) -> Outcome<i32> {
    match error.map(|error| error.raw_os_error().unwrap_or(libc::EIO)) {
        None => Ok(0),
        Some(errno) if is_no_memory(errno) => Ok(errno),
        Some(errno) => Err(format!("{path}: {}", crate::tally::errno_name(errno))),
    }
}
