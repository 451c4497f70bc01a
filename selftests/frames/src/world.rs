// SPDX-License-Identifier: GPL-2.0

//! The world around the director: sends frames into its taps, reads all that
//! leaves them, and checks that.

use crate::bed::{self, DIRECTOR_MAC, PEER_MAC};
use crate::flow::Side;
use crate::leak::{self, Latest};
use crate::packet::{self, flag, Draft, TCP, UDP};
use crate::paths::Path;
use crate::tap::Tap;
use crate::verify::{self, Seen};
use crate::vnet::Vnet;
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::io::Error;
use std::thread;
use std::time::{Duration, Instant};

/// A frame on its way into the director.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) side: Side,
    pub(crate) vnet: Vnet,
    pub(crate) bytes: Vec<u8>,
    /// Of a piece: whether all pieces of its datagram are there and sound.
    pub(crate) whole_is_sound: bool,
}

impl Frame {
    /// A packet as a host would send it.
    pub(crate) fn of(side: Side, packet: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(14 + packet.len());
        bytes.extend(DIRECTOR_MAC[side as usize]);
        bytes.extend(PEER_MAC[side as usize]);
        bytes.extend(if packet.first().is_some_and(|b| b >> 4 == 6) {
            [0x86, 0xdd]
        } else {
            [8, 0]
        });
        bytes.extend(packet);
        Self {
            side,
            vnet: Vnet::default(),
            bytes,
            whole_is_sound: true,
        }
    }
}

/// A packet that has left.
pub(crate) struct Output {
    pub(crate) side: Side,
    pub(crate) seen: Seen,
}

/// What was counted.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) frames: u64,
    /// With right checksums and lengths.
    pub(crate) sound: u64,
    /// Refused by the tap itself.
    pub(crate) refused: u64,
    pub(crate) to_virtual: u64,
    pub(crate) to_local: u64,
    pub(crate) to_others: u64,
    /// Said in conversations.
    pub(crate) talk: u64,
    pub(crate) left: u64,
    /// Of those, which were checked as what they came from was sound.
    pub(crate) checked: u64,
    /// Datagrams put together from pieces that left, and checked.
    pub(crate) assembled: u64,
    pub(crate) paths: BTreeMap<Path, u64>,
    pub(crate) failures: u64,
}

/// How many frames may be on their way before what leaves is read.
pub(crate) const BATCH: u32 = 24;

/// Of how many resets is asked at once why they came.
const ASKED: usize = 8;

/// How long a device may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many failures are told in full.
const TOLD: u64 = 12;

pub(crate) struct World {
    taps: [Tap; 2],
    pending: u32,
    pub(crate) count: Counts,
    latest: Latest,
    /// The latest resets, whose receivers may want to know more.
    pub(crate) resets: VecDeque<Output>,
    /// What is being sent, for who reads a failure.
    pub(crate) at: String,
    /// Whether every frame is told.
    pub(crate) tells: bool,
}

/// What the frames were that led to what is read.
enum Input<'a> {
    Sound,
    Unsound(&'a Frame, Option<Seen>),
}

impl World {
    /// Takes the ends of both taps, and returns when the director answers there.
    pub(crate) fn attach() -> Result<Self, Error> {
        let mut world = Self {
            taps: [Tap::attach("client")?, Tap::attach("server")?],
            pending: 0,
            count: Counts::default(),
            latest: Latest::default(),
            resets: VecDeque::new(),
            at: String::new(),
            tells: false,
        };
        for side in [Side::Client, Side::Server] {
            for six in [false, true] {
                world.wait(side, six)?;
            }
        }
        Ok(world)
    }

    /// A device that has got its wire carries nothing yet, and nobody says when it
    /// does: asks until there is an answer.
    fn wait(&mut self, side: Side, six: bool) -> Result<(), Error> {
        let (here, director) = bed::link(side as usize, six);
        let (kind, protocol) = (if six { 128 } else { 8 }, packet::icmp_of(here));
        let echo = Draft::new(here, director, protocol, packet::message(kind, 0, 0, b""));
        let frame = Frame::of(side, &echo.summed().bytes());
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            self.pass(&frame)?;
            thread::sleep(Duration::from_millis(20));
            while let Some((vnet, bytes)) = self.taps[side as usize].receive()? {
                let seen = verify::look(&vnet, &bytes);
                if seen.is_some_and(|seen| (seen.ends.src, seen.ends.dst) == (director, here)) {
                    return Ok(());
                }
            }
        }
        Err(Error::other(format!("{director} does not answer")))
    }

    /// Sends a frame, and checks in its own time what comes of it.
    pub(crate) fn send(&mut self, frame: &Frame) -> Result<(), Error> {
        let seen = verify::look(&frame.vnet, &frame.bytes);
        let sound =
            frame.whole_is_sound && seen.as_ref().is_some_and(|seen| seen.problem.is_none());
        self.count.frames += 1;
        self.count.sound += u64::from(sound);
        if let Some(seen) = &seen {
            self.latest.note(seen.ends.src, seen.ends.dst);
            *match bed::part(seen.ends.dst) {
                Some(bed::Part::Virtual) => &mut self.count.to_virtual,
                Some(bed::Part::Local) => &mut self.count.to_local,
                None => &mut self.count.to_others,
            } += 1;
        }
        if self.tells {
            println!(
                "{}: into {:?}, {:?}, {}",
                self.at,
                frame.side,
                frame.vnet,
                hex(&frame.bytes)
            );
        }
        if sound {
            self.pass(frame)?;
            self.pending += 1;
            if self.pending >= BATCH {
                self.settle()?;
            }
            return Ok(());
        }
        self.settle()?;
        self.pass(frame)?;
        self.read(&Input::Unsound(frame, seen))?;
        Ok(())
    }

    /// Says something in a conversation, and returns what comes of it.
    pub(crate) fn say(&mut self, side: Side, packet: Draft) -> Result<Vec<Output>, Error> {
        self.settle()?;
        self.count.talk += 1;
        self.latest.note(packet.src, packet.dst);
        self.pass(&Frame::of(side, &packet.summed().bytes()))?;
        self.read(&Input::Sound)
    }

    /// Checks all that has left so far.
    pub(crate) fn settle(&mut self) -> Result<(), Error> {
        self.pending = 0;
        self.read(&Input::Sound)?;
        Ok(())
    }

    pub(crate) fn fail(&mut self, what: &str) {
        self.count.failures += 1;
        if self.count.failures <= TOLD {
            println!("failure: {}: {what}", self.at);
        }
    }

    fn pass(&mut self, frame: &Frame) -> Result<(), Error> {
        if !self.taps[frame.side as usize].send(&frame.vnet, &frame.bytes)? {
            self.count.refused += 1;
        }
        Ok(())
    }

    fn read(&mut self, input: &Input<'_>) -> Result<Vec<Output>, Error> {
        let mut out = Vec::new();
        for side in [Side::Client, Side::Server] {
            while let Some((vnet, bytes)) = self.taps[side as usize].receive()? {
                self.count.left += 1;
                if let Some(seen) = verify::look(&vnet, &bytes) {
                    self.judge(side, vnet, &bytes, &seen, input);
                    out.push(Output { side, seen });
                }
            }
        }
        if matches!(input, Input::Sound) {
            self.assemble(&out);
        }
        Ok(out)
    }

    /// Checks a packet that has left.
    fn judge(&mut self, side: Side, vnet: Vnet, bytes: &[u8], seen: &Seen, input: &Input<'_>) {
        let told = || format!("out of {side:?}, {vnet:?}, {}", hex(bytes));
        if self.tells {
            println!("{}: {}", self.at, told());
        }
        if let Some(path) = Path::of(side, seen, vnet.is_big()) {
            *self.count.paths.entry(path).or_insert(0) += 1;
        }
        if let Some(leak) = leak::leak(side, seen, &self.latest) {
            self.fail(&format!("{leak}: {}", told()));
        }
        match (input, seen.problem) {
            (Input::Sound, problem) => {
                self.count.checked += 1;
                if let Some(problem) = problem {
                    self.fail(&format!("{problem}: {}", told()));
                }
            }
            (Input::Unsound(frame, Some(before)), _) if heals(frame, before, seen) => {
                let from = hex(&frame.bytes);
                self.fail(&format!(
                    "damage has become right: from {from} came {}",
                    told()
                ));
            }
            (Input::Unsound(..), _) => {}
        }
        if seen.flags() & flag::RST != 0 {
            if self.resets.len() == ASKED {
                self.resets.pop_front();
            }
            self.resets.push_back(Output {
                side,
                seen: seen.clone(),
            });
        }
    }

    /// Datagrams whose pieces all left at once are checked whole.
    fn assemble(&mut self, out: &[Output]) {
        let mut pieces = BTreeMap::<_, Vec<&Seen>>::new();
        for output in out {
            if let Some((id, ..)) = output.seen.piece {
                let ends = output.seen.ends;
                pieces
                    .entry((ends.src, ends.dst, id))
                    .or_default()
                    .push(&output.seen);
            }
        }
        for (_, mut pieces) in pieces {
            pieces.sort_by_key(|seen| seen.piece.map(|(_, offset, _)| offset));
            let mut whole = Vec::new();
            for seen in &pieces {
                if seen
                    .piece
                    .is_some_and(|(_, offset, _)| offset == whole.len())
                {
                    whole.extend(&seen.l4);
                }
            }
            let (first, last) = (pieces[0], pieces[pieces.len() - 1]);
            let complete = first.piece.is_some_and(|(_, offset, _)| offset == 0)
                && last.piece.is_some_and(|(_, offset, more)| {
                    !more && offset + last.l4.len() == whole.len()
                });
            if complete {
                self.count.assembled += 1;
                let most = if first.ends.src.is_ipv6() {
                    65_535
                } else {
                    65_515
                };
                let problem = verify::behind(first.ends, None, &whole, None).problem;
                let problem = problem.or((whole.len() > most).then_some("it is too long"));
                if let Some(problem) = problem {
                    self.fail(&format!("{problem}, of what was cut: {}", hex(&whole)));
                }
            }
        }
    }
}

/// Whether a packet with a wrong checksum has left with a right one: nobody may
/// hide damage. Its last bytes tell that it is the same.
fn heals(frame: &Frame, before: &Seen, after: &Seen) -> bool {
    let after = after.innermost();
    let wrong = matches!(
        before.problem,
        Some("the TCP checksum is wrong" | "the UDP checksum is wrong")
    );
    let same =
        before.ends.protocol == after.ends.protocol && matches!(after.ends.protocol, TCP | UDP);
    let head = if after.ends.protocol == TCP { 60 } else { 8 };
    let tail = |seen: &Seen| {
        seen.l4
            .len()
            .checked_sub(8)
            .filter(|&at| at >= head)
            .map(|at| seen.l4[at..].to_vec())
    };
    wrong
        && same
        && frame.vnet.flags == 0
        && after.problem.is_none()
        && after.piece.is_none()
        && tail(before).is_some()
        && tail(before) == tail(after)
}

fn hex(bytes: &[u8]) -> String {
    let mut text = format!("{} bytes ", bytes.len());
    for byte in bytes.iter().take(240) {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::testing::flows;

    #[test]
    fn damage_that_has_become_right_is_seen() {
        for flow in flows() {
            let sent = flow.packet(Side::Client, flag::ACK, Vec::new(), vec![9; 200]);
            let right = Frame::of(Side::Client, &sent.clone().summed().bytes());
            let mut wrong = right.clone();
            *wrong.bytes.last_mut().unwrap() ^= 1;
            let mut damaged = sent;
            *damaged.l4.last_mut().unwrap() ^= 1;
            let hidden = Frame::of(Side::Client, &damaged.summed().bytes());
            let look = |frame: &Frame| verify::look(&frame.vnet, &frame.bytes).unwrap();
            assert!(heals(&wrong, &look(&wrong), &look(&hidden)));
            assert!(!heals(&wrong, &look(&wrong), &look(&wrong)));
            assert!(!heals(&right, &look(&right), &look(&right)));
        }
    }
}
