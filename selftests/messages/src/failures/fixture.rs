// SPDX-License-Identifier: GPL-2.0

//! A namespace that is brought into a known state before each operation.

use crate::{
    actor::Actor,
    answer,
    core::{number_of, receive, Expected, Numbers, Rights},
    family::Family,
    message::Message,
    model::{Key, State},
    observe::Observer,
    run::Outcome,
    socket::{decode, Got, Socket, What},
};

use super::{
    is_no_memory,
    nth::{Lack, Nth},
    requests, Seen,
};

const ROOT: Rights = Rights {
    initial: true,
    own: true,
};
/// More than all that the kernel says to one request.
const ROOM: usize = 1 << 20;

/// A namespace, and what it is set to.
pub(super) struct Fixture {
    pub(super) numbers: Numbers,
    root: Actor,
    state: State,
    /// What it was set to when an operation was last prepared.
    prepared: Vec<String>,
    /// Room for answers, there before anything fails: this process must not be the one who lacks memory.
    buffer: Vec<u8>,
}

/// What the kernel said while memory was missing.
struct Answer {
    got: Vec<Got>,
    /// Of sending or receiving.
    trouble: Option<i32>,
}

impl Fixture {
    /// Of the namespace that this process is in.
    pub(super) fn new() -> Outcome<Self> {
        let numbers = crate::numbers()?;
        let mut root = Actor::root().map_err(|error| error.to_string())?;
        let state = Observer {
            actor: &mut root,
            numbers: &numbers,
            settings: false,
        }
        .state()?;
        Ok(Self {
            numbers,
            root,
            state,
            prepared: Vec::new(),
            buffer: vec![0; ROOM],
        })
    }

    fn encode(&self, message: &Message) -> Vec<u8> {
        message.encode(number_of(&self.numbers, message.family), 7)
    }

    /// What the kernel tells now.
    pub(super) fn observer(&mut self) -> Observer<'_> {
        Observer {
            actor: &mut self.root,
            numbers: &self.numbers,
            settings: false,
        }
    }

    /// A request with memory for everything, which is taken.
    pub(super) fn tell(&mut self, message: &Message) -> Outcome {
        let bytes = self.encode(message);
        let expected = receive(&mut self.state, ROOT, &self.numbers, &bytes);
        let told = self.root.send(&bytes).map_err(|error| error.to_string())?;
        let outcomes = answer::check(&expected, decode(&told)?)?;
        match outcomes.as_slice() {
            [0] => Ok(()),
            _ => Err(format!("{message}: {outcomes:?}")),
        }
    }

    /// Nothing is configured any more but what `messages` say.
    pub(super) fn reset(&mut self, messages: &[Message]) -> Outcome {
        self.set(messages, &[])
    }

    /// As [`Self::reset`], but the services `kept` stay ([`requests::others`]).
    pub(super) fn set(&mut self, messages: &[Message], kept: &[Key]) -> Outcome {
        for message in requests::nothing(&self.state, kept).iter().chain(messages) {
            self.tell(message)?;
        }
        self.prepared = self.state.lines();
        Ok(())
    }

    /// Whether nothing has changed since.
    pub(super) fn is_set(&self) -> bool {
        self.state.lines() == self.prepared
    }

    /// A request whose `n`th allocation fails: it is done, or nothing of it is.
    pub(super) fn fail(&mut self, nth: &Nth, n: (u32, Lack), message: &Message) -> Outcome<Seen> {
        let bytes = self.encode(message);
        let (before, mut after) = (self.state.clone(), self.state.clone());
        let expected = receive(&mut after, ROOT, &self.numbers, &bytes);
        // A socket of its own: a listing that broke off would be in the way of the next.
        let socket = Socket::open().map_err(|error| error.to_string())?;
        let buffer = &mut self.buffer;
        let armed = nth.fail(n, || exchange(&socket, &bytes, buffer));
        let (trouble, injection) = armed.map_err(|error| error.to_string())?;
        let got = decode(&self.buffer)?;
        let answer = Answer { got, trouble };
        let told = self.observer().state()?;
        let is_before = before.difference(&told);
        let is_after = after.difference(&told);
        let (errno, may_be_before, may_be_after) = judge(&expected, &answer)?;
        match (&is_before, &is_after) {
            (None, _) if may_be_before => self.state = before,
            (_, None) if may_be_after => self.state = after,
            _ => {
                let [before, after] =
                    [is_before, is_after].map(|lines| lines.unwrap_or("no difference".to_string()));
                return Err(format!(
                    "{:?} {:?}: beside before:\n{before}\nbeside after:\n{after}",
                    answer.got, answer.trouble
                ));
            }
        }
        Ok(Seen { injection, errno })
    }
}

/// The error number, and whether the state may be as it was and as it is to be.
fn judge(expected: &[Expected], answer: &Answer) -> Outcome<(i32, bool, bool)> {
    let last = answer.got.iter().find_map(|got| match &got.what {
        What::Ack(errno, words) | What::End(errno, words) => Some((*errno, words)),
        What::Data(_) => None,
    });
    match (last, answer.trouble) {
        (Some((errno, words)), _) if is_no_memory(errno) => {
            let ours = lvs_engine::config::ConfigError::NoMemory.message();
            match words.as_deref() {
                None => {}
                Some(words) if words == ours => {}
                Some(words) => return Err(format!("the words for a lack of memory are {words:?}")),
            }
            Ok((errno, true, false))
        }
        (Some(_), None) => {
            let outcomes = answer::check(expected, answer.got.clone())?;
            Ok((outcomes.first().copied().unwrap_or(0), false, true))
        }
        // The answer was lost: nobody can say whether it was good.
        (None, Some(errno)) if is_no_memory(errno) => Ok((errno, true, true)),
        _ => Err(format!(
            "an answer without an end: {:?}, {:?}",
            answer.got, answer.trouble
        )),
    }
}

/// Sends and reads; nothing is allocated here.
fn exchange(socket: &Socket, bytes: &[u8], buffer: &mut Vec<u8>) -> Option<i32> {
    buffer.clear();
    let mut trouble = socket
        .send(bytes)
        .err()
        .and_then(|error| error.raw_os_error());
    loop {
        match socket.receive_into(buffer) {
            Ok(true) => {}
            Ok(false) => return trouble,
            // Said once; what was queued before it is still there.
            Err(error) => trouble = error.raw_os_error(),
        }
    }
}

/// Which family a message is meant for, and what it asks.
pub(super) fn asked(message: &Message) -> (Family, u8) {
    (message.family, message.command)
}
