// SPDX-License-Identifier: GPL-2.0

//! What the programs at both ends of a TCP conversation do.

use super::Asked;
use crate::{
    talk::{Ending, Outcome, Talk, Told},
    tcp::{Cx, Socket, Why},
};

/// The client's program.
pub(super) fn client(socket: &mut Socket, talk: &Talk, cx: &mut Cx<'_>) {
    let done = socket.got / talk.reply;
    let asked = socket.asked(talk.request);
    if talk.ending == Ending::SynRst {
        socket.abort(cx);
        return;
    }
    if socket.got == talk.replies() && asked == talk.rounds {
        match talk.ending {
            Ending::ClientFin | Ending::BothFin | Ending::ClientHalf => socket.close(cx),
            Ending::ClientRst => socket.abort(cx),
            Ending::ServerFin if socket.heard_fin => socket.close(cx),
            _ => {}
        }
    } else if socket.heard_fin && talk.ending != Ending::ServerHalf {
        // Cut short: nothing can be expected any more.
        socket.close(cx);
    } else if asked < talk.rounds && done == asked {
        let pause = talk.pause_ms;
        match socket.wake_ms {
            None if pause > 0 => socket.wake_ms = Some(cx.now_ms + pause),
            Some(at) if at > cx.now_ms => {}
            _ => {
                socket.wake_ms = None;
                socket.write(talk.request, cx);
                match talk.ending {
                    Ending::ClientRstEarly if asked + 1 == talk.rounds => socket.abort(cx),
                    Ending::Vanish => socket.is_deaf = true,
                    _ => {}
                }
            }
        }
    }
    if socket.wake_ms.is_some_and(|at| at <= cx.now_ms) {
        socket.wake_ms = None;
    }
}

/// The server's program.
pub(super) fn server(socket: &mut Socket, talk: &Talk, cx: &mut Cx<'_>) {
    let requests = socket.got / talk.request;
    while socket.asked(talk.reply) < requests.min(talk.rounds) {
        let last = socket.asked(talk.reply) + 1 == talk.rounds;
        if last && talk.ending == Ending::ServerRst {
            socket.abort(cx);
            return;
        }
        socket.write(talk.reply, cx);
        if last
            && matches!(
                talk.ending,
                Ending::ServerFin | Ending::BothFin | Ending::ServerHalf
            )
        {
            socket.close(cx);
        }
    }
    if socket.heard_fin && talk.ending != Ending::ClientHalf {
        socket.close(cx);
    }
}

/// Whether a server that reads its first bytes knows the client as it should.
pub(super) fn learnt(socket: &Socket, talk: &Talk) -> Result<(), String> {
    let right = match talk.told {
        Told::Unknown => return Ok(()),
        Told::Nothing => None,
        Told::Client => Some(talk.client),
    };
    if socket.toa == right {
        return Ok(());
    }
    let toa = socket.toa;
    Err(format!(
        "the server believes that {:?} is {toa:?}",
        talk.client
    ))
}

/// Says how a conversation has ended for its client.
pub(super) fn conclude(socket: &Socket, why: Why, asked: &mut Asked<'_>) {
    let Some(talk) = socket
        .talk
        .and_then(|talk| asked.talks.get_mut(talk as usize))
    else {
        return;
    };
    if talk.outcome.is_some() {
        return;
    }
    let all = socket.got == talk.replies() && socket.has_said_all();
    talk.outcome = Some(match why {
        Why::Closed if all => Outcome::Whole,
        Why::Closed => Outcome::Refused,
        Why::Aborted => Outcome::Reset,
        Why::Reset if talk.ending == Ending::ServerRst => Outcome::Reset,
        Why::Reset if talk.ending == Ending::Silence && all => Outcome::SilenceReset,
        Why::Reset => Outcome::Refused,
        Why::TimedOut => Outcome::TimedOut,
    });
}
