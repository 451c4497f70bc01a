// SPDX-License-Identifier: GPL-2.0

//! What the kernel's netlink makes of the bytes of one send, before a family
//! sees them and after: `netlink_rcv_skb`, `genl_rcv_msg`, `genl_header_check`.

use crate::{
    attrs::{Attrs, Strictness},
    family::Family,
    message::{ACK, DUMP, HEADERS, NLMSG_HEADER, REQUEST},
    model::{Refusal, Request, State, Verdict},
};

/// `NLM_F_ECHO`
const ECHO: u16 = 0x8;
/// `NLMSG_MIN_TYPE`
const MIN_TYPE: u16 = 0x10;

/// Who sends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rights {
    /// Has CAP_NET_ADMIN in the initial user namespace.
    pub(crate) initial: bool,
    /// Has it in the user namespace that owns the network namespace.
    pub(crate) own: bool,
}

/// What is to come of one message.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    pub(crate) sequence: u32,
    /// The command, if a family was reached: for the counts.
    pub(crate) command: Option<(Family, u8)>,
    pub(crate) answer: Answer,
}

/// What is to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// Nothing.
    Silence,
    /// An acknowledgement, good or bad, behind a reply or alone.
    Ack(Verdict, Reply),
    /// A reply without one.
    Reply,
    /// A listing's end, and how many were listed, if that is certain.
    End(Verdict, Option<usize>),
    /// As `End`, or `EBUSY`: a listing may be under way on that socket.
    EndOrBusy(Verdict, Option<usize>),
}

/// Whether one message comes before the acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Some,
    None,
}

/// What the numbers of the families are in this kernel.
pub(crate) type Numbers = [(Family, u16); 3];

/// The number of a family.
pub(crate) fn number_of(numbers: &Numbers, family: Family) -> u16 {
    let found = numbers.iter().find(|(known, _)| *known == family);
    found.expect("all are there").1
}

/// One message as the kernel finds it in what was sent.
struct Found<'a> {
    kind: u16,
    flags: u16,
    sequence: u32,
    bytes: &'a [u8],
}

/// What is to come of `bytes`, and what the state is afterwards.
pub(crate) fn receive(
    state: &mut State,
    rights: Rights,
    numbers: &Numbers,
    bytes: &[u8],
) -> Vec<Expected> {
    let (mut rest, mut all, mut lists) = (bytes, Vec::new(), false);
    while let Some(found) = first(rest) {
        rest = rest
            .get(found.bytes.len().next_multiple_of(4)..)
            .unwrap_or_default();
        let mut expected = handle(state, rights, numbers, &found);
        if let Answer::End(verdict, count) = expected.answer {
            if lists {
                expected.answer = Answer::EndOrBusy(verdict, count);
            }
            lists = true;
        }
        all.push(expected);
    }
    all
}

fn first(bytes: &[u8]) -> Option<Found<'_>> {
    let header = bytes.first_chunk::<NLMSG_HEADER>()?;
    let half = |at: usize| u16::from_ne_bytes([header[at], header[at + 1]]);
    let word = |at: usize| {
        u32::from_ne_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
    };
    let length = usize::try_from(word(0))
        .ok()
        .filter(|length| *length >= NLMSG_HEADER)?;
    Some(Found {
        kind: half(4),
        flags: half(6),
        sequence: word(8),
        bytes: bytes.get(..length)?,
    })
}

fn handle(state: &mut State, rights: Rights, numbers: &Numbers, found: &Found<'_>) -> Expected {
    let (mut command, acks) = (None, found.flags & ACK != 0);
    let answer = if found.flags & REQUEST == 0 || found.kind < MIN_TYPE {
        acknowledged(Ok(()), acks, Reply::None)
    } else if let Some((family, _)) = numbers.iter().find(|(_, number)| *number == found.kind) {
        command = found
            .bytes
            .get(NLMSG_HEADER)
            .map(|command| (*family, *command));
        request(state, rights, *family, found, acks)
    } else {
        acknowledged(Err(Refusal::core(libc::ENOENT)), acks, Reply::None)
    };
    Expected {
        sequence: found.sequence,
        command,
        answer,
    }
}

fn acknowledged(verdict: Verdict, acks: bool, reply: Reply) -> Answer {
    match (verdict, acks, reply) {
        (Ok(()), false, Reply::None) => Answer::Silence,
        (Ok(()), false, Reply::Some) => Answer::Reply,
        (verdict, ..) => Answer::Ack(verdict, if verdict.is_ok() { reply } else { Reply::None }),
    }
}

fn request(
    state: &mut State,
    rights: Rights,
    family: Family,
    found: &Found<'_>,
    acks: bool,
) -> Answer {
    let refused = |errno| acknowledged(Err(Refusal::core(errno)), acks, Reply::None);
    let Some([command, _version, reserved @ ..]) = found.bytes.get(NLMSG_HEADER..HEADERS) else {
        return refused(libc::EINVAL);
    };
    let lists = found.flags & DUMP == DUMP;
    if *command >= family.strict_from() {
        let flags = if lists {
            found.flags & !DUMP
        } else {
            found.flags
        };
        if *reserved != [0, 0] || flags & !(REQUEST | ACK | ECHO) != 0 {
            return refused(libc::EINVAL);
        }
    }
    let known = family.command(*command);
    let Some(known) = known.filter(|known| if lists { known.dumps } else { known.does }) else {
        return refused(libc::EOPNOTSUPP);
    };
    let may = match family {
        Family::Ipvs => rights.initial,
        Family::Lvs => rights.initial || !known.writes,
        Family::Toa => rights.own || !known.writes,
    };
    if !may {
        return refused(libc::EPERM);
    }
    let body = found.bytes.get(HEADERS..).unwrap_or_default();
    let attrs = match Attrs::parse(body, family.policy(), family.strictness()) {
        Ok(attrs) => attrs,
        // The core leaves the attributes of an old family's listing alone; what cannot be parsed is not there.
        Err(_) if lists && family.strictness() == Strictness::Lenient => Attrs::none(),
        Err(errno) => return refused(errno),
    };
    if lists {
        return match state.lists(family, *command, &attrs) {
            Ok(count) => Answer::End(Ok(()), count),
            Err(refusal) => Answer::End(Err(refusal), Some(0)),
        };
    }
    let reply = if known.writes {
        Reply::None
    } else {
        Reply::Some
    };
    let verdict = state.does(family, *command, &Request { attrs, body });
    acknowledged(verdict, acks, reply)
}
