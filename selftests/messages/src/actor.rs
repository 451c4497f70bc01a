// SPDX-License-Identifier: GPL-2.0

//! Who sends: this process, which is root, and others with fewer rights, which
//! are processes of their own and do as they are told over a pipe.

use std::{
    io::{self, Read, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use crate::{core::Rights, socket::Socket};

/// Where the settings are.
pub(crate) const SETTINGS_DIR: &str = "/proc/sys/net/ipv4/vs";

/// Somebody who sends.
pub(crate) struct Actor {
    pub(crate) name: &'static str,
    pub(crate) rights: Rights,
    /// Which namespace it is in: the place of its state.
    pub(crate) place: usize,
    hands: Hands,
}

enum Hands {
    Own(Socket),
    Others(Box<Worker>),
}

struct Worker {
    child: Child,
    to: ChildStdin,
    from: ChildStdout,
}

impl Actor {
    /// Everybody who takes part. `setpriv` and `unshare` are util-linux's.
    pub(crate) fn all() -> io::Result<Vec<Self>> {
        let rights = |initial, own| Rights { initial, own };
        let nobody = [
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
        ];
        let unshare = [&nobody[..], &["unshare", "--user", "--map-root-user"]].concat();
        Ok(vec![
            Self::root()?,
            Self::start("nobody", rights(false, false), 0, &nobody)?,
            // Root of a user namespace that owns nothing here,
            Self::start("userns", rights(false, false), 0, &unshare)?,
            // and one whose network namespace is its own.
            Self::start(
                "netns",
                rights(false, true),
                1,
                &[&unshare[..], &["--net"]].concat(),
            )?,
        ])
    }

    /// This process.
    pub(crate) fn root() -> io::Result<Self> {
        Ok(Self {
            name: "root",
            rights: Rights {
                initial: true,
                own: true,
            },
            place: 0,
            hands: Hands::Own(Socket::open()?),
        })
    }

    fn start(name: &'static str, rights: Rights, place: usize, by: &[&str]) -> io::Result<Self> {
        let mut child = Command::new(by[0])
            .args(&by[1..])
            .arg(std::env::current_exe()?)
            .arg("--worker")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let ends = child.stdin.take().zip(child.stdout.take());
        let (to, from) = ends.expect("both are pipes");
        let hands = Hands::Others(Box::new(Worker { child, to, from }));
        Ok(Self {
            name,
            rights,
            place,
            hands,
        })
    }

    /// Sends netlink messages and reads everything that comes.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        match &mut self.hands {
            Hands::Own(socket) => socket.exchange(bytes),
            Hands::Others(worker) => worker.ask(b'S', bytes),
        }
    }

    /// Writes to a setting.
    pub(crate) fn write(&mut self, setting: &str, text: &str) -> io::Result<()> {
        match &mut self.hands {
            Hands::Own(_) => write(setting, text),
            Hands::Others(worker) => worker
                .ask(b'W', format!("{setting}\0{text}").as_bytes())
                .map(|_| ()),
        }
    }

    /// Reads a setting.
    pub(crate) fn read(&mut self, setting: &str) -> io::Result<String> {
        match &mut self.hands {
            Hands::Own(_) => read(setting),
            Hands::Others(worker) => {
                let bytes = worker.ask(b'R', setting.as_bytes())?;
                Ok(String::from_utf8_lossy(&bytes).into_owned())
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Worker {
    fn ask(&mut self, what: u8, bytes: &[u8]) -> io::Result<Vec<u8>> {
        put(&mut self.to, what.into(), bytes)?;
        let (errno, bytes) = take(&mut self.from)?;
        match errno {
            0 => Ok(bytes),
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    }
}

/// Does as it is told until nobody says anything any more.
pub(crate) fn work() -> io::Result<()> {
    let (mut from, mut to) = (io::stdin().lock(), io::stdout().lock());
    let socket = Socket::open()?;
    while let Ok((what, bytes)) = take(&mut from) {
        let text = String::from_utf8_lossy(&bytes);
        let done = match u8::try_from(what) {
            Ok(b'S') => socket.exchange(&bytes),
            Ok(b'R') => read(&text).map(String::into_bytes),
            _ => text
                .split_once('\0')
                .map_or(Ok(()), |(setting, text)| write(setting, text))
                .map(|()| Vec::new()),
        };
        match done {
            Ok(bytes) => put(&mut to, 0, &bytes)?,
            Err(error) => put(&mut to, error.raw_os_error().unwrap_or(libc::EIO), &[])?,
        }
    }
    Ok(())
}

fn write(setting: &str, text: &str) -> io::Result<()> {
    std::fs::OpenOptions::new()
        .write(true)
        .open(format!("{SETTINGS_DIR}/{setting}"))?
        .write_all(text.as_bytes())
}

fn read(setting: &str) -> io::Result<String> {
    std::fs::read_to_string(format!("{SETTINGS_DIR}/{setting}"))
}

/// A number, a length, and so many bytes.
fn put(to: &mut impl Write, number: i32, bytes: &[u8]) -> io::Result<()> {
    let mut frame = Vec::from(number.to_ne_bytes());
    frame.extend(
        u32::try_from(bytes.len())
            .map_err(io::Error::other)?
            .to_ne_bytes(),
    );
    frame.extend(bytes);
    to.write_all(&frame)?;
    to.flush()
}

fn take(from: &mut impl Read) -> io::Result<(i32, Vec<u8>)> {
    let (mut number, mut length) = ([0; 4], [0; 4]);
    from.read_exact(&mut number)?;
    from.read_exact(&mut length)?;
    let mut bytes = vec![0; u32::from_ne_bytes(length) as usize];
    from.read_exact(&mut bytes)?;
    Ok((i32::from_ne_bytes(number), bytes))
}
