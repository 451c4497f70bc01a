// SPDX-License-Identifier: GPL-2.0

//! A run: messages are made, sent and foretold, one after another, and now and
//! then everything is read and compared with the model.

use std::collections::VecDeque;

use fastrand::Rng;

use crate::{
    actor::Actor,
    answer,
    core::{number_of, receive, Expected, Numbers},
    generate::Generator,
    message::{hex, Message},
    model::{is_secret, State},
    mutate::mutate,
    observe::Observer,
    socket::{decode, Socket, What},
    tally::Tally,
};

/// What a run is asked for.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) count: u64,
    /// After how many messages everything is compared.
    pub(crate) every: u64,
}

/// A run under way.
pub(crate) struct Run {
    plan: Plan,
    numbers: Numbers,
    actors: Vec<Actor>,
    /// By [`Actor::place`].
    states: [State; 2],
    /// Listings that nobody has read to their end.
    halves: Vec<Socket>,
    /// Messages so far.
    sent: u64,
    pub(crate) tally: Tally,
    pub(crate) compared: u64,
    /// What was sent last, for who reads a failure.
    latest: VecDeque<String>,
}

/// What went wrong, in words.
pub(crate) type Outcome<T = ()> = Result<T, String>;

/// Most listings that are read later.
const HALVES: usize = 4;
/// How many of the latest messages a failure shows.
const LATEST: usize = 8;
/// Who has nothing to be told apart from: the file of the secret.
const SECRET: &str = "fullnat_isn_secret";

/// A message and what it was meant to be.
type Sent = (Message, Vec<u8>);

impl Run {
    /// Reads what the namespaces are set to before anything is sent.
    pub(crate) fn new(plan: Plan, numbers: Numbers) -> Outcome<Self> {
        let mut actors =
            Actor::all().map_err(|error| format!("who sends cannot be started: {error}"))?;
        let states = [
            observe(&mut actors, &numbers, 0)?,
            observe(&mut actors, &numbers, 1)?,
        ];
        Ok(Self {
            plan,
            numbers,
            actors,
            states,
            halves: Vec::new(),
            sent: 0,
            tally: Tally::default(),
            compared: 0,
            latest: VecDeque::new(),
        })
    }

    /// All of it.
    pub(crate) fn run(&mut self) -> Outcome {
        let mut next = self.plan.every;
        while self.sent < self.plan.count {
            self.step().map_err(|error| self.report(&error))?;
            if self.sent >= next {
                next = self.sent + self.plan.every;
                self.compare().map_err(|error| self.report(&error))?;
            }
        }
        self.halves.clear();
        self.compare().map_err(|error| self.report(&error))
    }

    fn report(&self, error: &str) -> String {
        let latest: Vec<&str> = self.latest.iter().map(String::as_str).collect();
        // The generator knows nothing of the comparisons, so they may be made more often.
        format!(
            "after message {}:\n{error}\nthe latest messages:\n{}\nrepeat: lvs_messages --seed {} --count {} --every 1",
            self.sent,
            latest.join("\n"),
            self.plan.seed,
            self.sent
        )
    }

    /// One send, or something else that is tried with the kernel.
    fn step(&mut self) -> Outcome {
        // Each step has a generator of its own, so that how many numbers one takes is no matter to the next.
        let mut rng =
            Rng::with_seed(self.plan.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ self.sent);
        match rng.u32(..1000) {
            0..=899 => self.exchange(&mut rng),
            900..=949 => self.setting(&mut rng),
            950..=979 => self.abandon(&mut rng),
            _ => self.half(&mut rng),
        }
    }

    fn note(&mut self, line: String) {
        self.latest.push_back(line);
        if self.latest.len() > LATEST {
            self.latest.pop_front();
        }
    }

    /// Messages for one send.
    fn messages(&mut self, rng: &mut Rng, place: usize, name: &str) -> Vec<Sent> {
        let count = if rng.u32(..10) == 0 {
            rng.usize(2..=4)
        } else {
            1
        };
        let mut all = Vec::new();
        for _ in 0..count {
            let state = &self.states[place];
            let mut message = Generator { rng, state }.request();
            if rng.bool() {
                mutate(rng, &mut message);
            }
            self.sent += 1;
            let sequence = u32::try_from(self.sent).expect("runs are shorter");
            let bytes = message.encode(number_of(&self.numbers, message.family), sequence);
            self.note(format!(
                "{} by {name}: {message}\n    {}",
                self.sent,
                hex(&bytes)
            ));
            all.push((message, bytes));
        }
        all
    }

    /// One who sends: root most often.
    fn actor(&self, rng: &mut Rng) -> usize {
        match rng.u32(..10) {
            0 => 1,
            1 => 2,
            2 => 3,
            _ => 0,
        }
    }

    fn exchange(&mut self, rng: &mut Rng) -> Outcome {
        let who = self.actor(rng);
        let (place, rights, name) = (
            self.actors[who].place,
            self.actors[who].rights,
            self.actors[who].name,
        );
        let sent = self.messages(rng, place, name);
        let bytes = joined(&sent);
        let expected = receive(&mut self.states[place], rights, &self.numbers, &bytes);
        let told = self.actors[who]
            .send(&bytes)
            .map_err(|error| format!("it could not be sent: {error}"))?;
        let outcomes = answer::check(&expected, decode(&told)?)?;
        for (expected, errno) in expected.iter().zip(outcomes) {
            self.tally.count(expected.command, errno);
        }
        Ok(())
    }

    /// Sends, and is gone before anything is read; what was asked for is done all the same.
    fn abandon(&mut self, rng: &mut Rng) -> Outcome {
        let sent = self.messages(rng, 0, "root, who does not read");
        let bytes = joined(&sent);
        let expected: Vec<Expected> = receive(
            &mut self.states[0],
            self.actors[0].rights,
            &self.numbers,
            &bytes,
        );
        let socket = Socket::open().map_err(|error| format!("no socket: {error}"))?;
        socket
            .send(&bytes)
            .map_err(|error| format!("it could not be sent: {error}"))?;
        if rng.bool() {
            socket
                .receive()
                .map_err(|error| format!("nothing could be read: {error}"))?;
        }
        for _ in expected {
            self.tally.count_other("sent, not read", 0);
        }
        Ok(())
    }

    /// Begins to read a listing, or reads one to its end.
    fn half(&mut self, rng: &mut Rng) -> Outcome {
        if self.halves.len() == HALVES || (!self.halves.is_empty() && rng.bool()) {
            let socket = self.halves.swap_remove(rng.usize(..self.halves.len()));
            let mut all = Vec::new();
            while let Some(bytes) = socket
                .receive()
                .map_err(|error| format!("a listing breaks off: {error}"))?
            {
                all.extend(decode(&bytes)?);
            }
            self.tally.count_other("listing read late", 0);
            return match all.last().map(|got| &got.what) {
                Some(What::End(..)) | None => Ok(()),
                other => Err(format!(
                    "a listing that was begun earlier has no end, but {other:?}"
                )),
            };
        }
        let state = &self.states[0];
        let message = loop {
            let message = Generator { rng, state }.request();
            if message.flags & crate::message::DUMP != 0 {
                break message;
            }
        };
        self.sent += 1;
        self.note(format!(
            "{} by root, begun to be read: {message}",
            self.sent
        ));
        let socket = Socket::open().map_err(|error| format!("no socket: {error}"))?;
        socket
            .send(&message.encode(number_of(&self.numbers, message.family), 1))
            .map_err(|error| format!("it could not be sent: {error}"))?;
        let first = socket
            .receive()
            .map_err(|error| format!("a listing breaks off: {error}"))?;
        let first = decode(&first.ok_or("a listing has no beginning")?)?;
        // A short one is over; a long one waits.
        if !first
            .iter()
            .any(|got| matches!(got.what, What::End(..) | What::Ack(..)))
        {
            self.halves.push(socket);
        }
        self.tally.count_other("listing begun", 0);
        Ok(())
    }

    fn setting(&mut self, rng: &mut Rng) -> Outcome {
        let who = self.actor(rng);
        let Actor {
            place,
            rights,
            name,
            ..
        } = self.actors[who];
        let state = &mut self.states[place];
        let mut generator = Generator { rng, state };
        let (setting, text, allowed) = if generator.rng.u32(..12) == 0 {
            let text = generator.secret();
            let allowed = if is_secret(&text) {
                Ok(())
            } else {
                Err(libc::EINVAL)
            };
            (SECRET, text, allowed)
        } else {
            let (setting, text) = generator.setting();
            // Nothing is set for who may not.
            let mut copy = state.clone();
            let allowed = copy.set(setting, &text);
            if rights.own {
                *state = copy;
            }
            (setting.0, text, allowed)
        };
        let expected = if rights.own {
            allowed.err().unwrap_or(0)
        } else {
            libc::EACCES
        };
        self.sent += 1;
        self.note(format!("{} by {name}: {setting} = {text:?}", self.sent));
        let told = self.actors[who].write(setting, &text);
        let errno = told
            .err()
            .map_or(0, |error| error.raw_os_error().unwrap_or(libc::EIO));
        self.tally.count_other("setting", errno);
        if errno != expected {
            return Err(format!(
                "{setting} = {text:?}: wanted {}, got {}",
                crate::tally::errno_name(expected),
                crate::tally::errno_name(errno)
            ));
        }
        Ok(())
    }

    /// Everything in both namespaces.
    fn compare(&mut self) -> Outcome {
        for place in 0..self.states.len() {
            let told = observe(&mut self.actors, &self.numbers, place)?;
            self.compared += 1;
            if let Some(difference) = self.states[place].difference(&told) {
                return Err(format!(
                    "namespace {place} is not as the model is:\n{difference}"
                ));
            }
        }
        Ok(())
    }
}

/// As it is sent: each message begins at a multiple of four.
fn joined(sent: &[Sent]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (_, message) in sent {
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend(message);
    }
    bytes
}

fn observe(actors: &mut [Actor], numbers: &Numbers, place: usize) -> Outcome<State> {
    let may_see = |actor: &&mut Actor| actor.place == place && actor.rights.own;
    let actor = actors
        .iter_mut()
        .find(may_see)
        .expect("each place has an owner");
    let settings = true;
    Observer {
        actor,
        numbers,
        settings,
    }
    .state()
}
