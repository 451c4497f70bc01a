// SPDX-License-Identifier: GPL-2.0

//! The netlink socket.

use std::io;

use netlink_sys::{protocols::NETLINK_GENERIC, Socket, SocketAddr};
use nix::sys::socket::{setsockopt, sockopt};

use super::{Answer, Transport, Trouble};
use crate::nl::message::{decode, Datagram, Reply, Request};

/// Larger than any datagram the kernel makes (32 KiB for a dump; a single
/// reply is smaller still).
const BUFFER: usize = 256 * 1024;
/// What every socket takes, whatever its machine is set to.
const USUAL: usize = 16 * 1024;
/// How often a listing that changed while it was read is read again.
const DUMP_TRIES: u32 = 10;

/// A socket to the kernel's generic netlink.
pub(crate) struct NetlinkSocket {
    socket: Socket,
    sequence: u32,
    buffer: Vec<u8>,
}

/// What one exchange brought.
enum Exchange {
    Complete(Answer),
    Interrupted,
}

impl NetlinkSocket {
    /// Opens a socket that asks for the kernel's own words with each refusal.
    pub(crate) fn open() -> Result<Self, Trouble> {
        let mut socket = Socket::new(NETLINK_GENERIC).map_err(|e| broken("open", &e))?;
        socket.bind_auto().map_err(|e| broken("bind", &e))?;
        socket
            .connect(&SocketAddr::new(0, 0))
            .map_err(|e| broken("connect", &e))?;
        // Both are comfort: an old kernel without them still answers.
        let _ = socket.set_ext_ack(true);
        let _ = socket.set_cap_ack(true);
        Ok(Self {
            socket,
            sequence: 0,
            buffer: Vec::with_capacity(BUFFER),
        })
    }

    fn exchange(&mut self, request: &Request) -> Result<Exchange, Trouble> {
        self.sequence = self.sequence.wrapping_add(1);
        let bytes = request.encode(self.sequence);
        self.make_room(bytes.len())?;
        self.socket
            .send(&bytes, 0)
            .map_err(|e| broken("write to", &e))?;
        self.collect()
    }

    /// Lets the socket take a message that is longer than usual. Only who may
    /// change something in this namespace may do that.
    fn make_room(&self, length: usize) -> Result<(), Trouble> {
        if length <= USUAL {
            return Ok(());
        }
        setsockopt(&self.socket, sockopt::SndBufForce, &length).map_err(|errno| Trouble::Refused {
            errno: errno as i32,
            words: None,
            place: None,
        })
    }

    fn collect(&mut self) -> Result<Exchange, Trouble> {
        let mut answer = Answer::default();
        let mut interrupted = false;
        loop {
            let datagram = self.receive()?;
            interrupted |= datagram.interrupted;
            for reply in datagram.replies {
                match reply {
                    Reply::Data(message) => answer.messages.push(message),
                    Reply::End { errno: 0, .. } if interrupted => return Ok(Exchange::Interrupted),
                    Reply::End {
                        errno: 0, words, ..
                    } => {
                        answer.warning = words;
                        return Ok(Exchange::Complete(answer));
                    }
                    Reply::End {
                        errno,
                        words,
                        place,
                    } => {
                        return Err(Trouble::Refused {
                            errno,
                            words,
                            place,
                        })
                    }
                }
            }
        }
    }

    fn receive(&mut self) -> Result<Datagram, Trouble> {
        loop {
            self.buffer.clear();
            match self.socket.recv(&mut self.buffer, libc::MSG_TRUNC) {
                Ok(length) if length > self.buffer.len() => {
                    return Err(Trouble::Broken(format!(
                        "The kernel sent {length} bytes in one message, more than this tool reads."
                    )));
                }
                Ok(_) => {
                    return decode(&self.buffer, self.sequence).map_err(|e| {
                        Trouble::Broken(format!("The kernel's answer is damaged: {e}."))
                    });
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(broken("read from", &e)),
            }
        }
    }
}

impl Transport for NetlinkSocket {
    fn call(&mut self, request: &Request) -> Result<Answer, Trouble> {
        for _ in 0..DUMP_TRIES {
            if let Exchange::Complete(answer) = self.exchange(request)? {
                return Ok(answer);
            }
        }
        Err(Trouble::Broken(format!(
            "The listing changed each of the {DUMP_TRIES} times that it was read: try again."
        )))
    }
}

fn broken(what: &str, error: &io::Error) -> Trouble {
    Trouble::Broken(format!(
        "Cannot {what} a netlink socket: {error}; the kernel or the sandbox does not allow generic netlink."
    ))
}
