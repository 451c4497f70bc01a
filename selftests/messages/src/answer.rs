// SPDX-License-Identifier: GPL-2.0

//! Whether what the kernel said is what was to come.

use crate::{
    core::{Answer, Expected, Reply},
    model::Verdict,
    socket::{Got, What},
    tally::errno_name,
};

/// The error number of each message's outcome, if all of them are as foretold.
pub(crate) fn check(expected: &[Expected], mut got: Vec<Got>) -> Result<Vec<i32>, String> {
    let all = format!("{got:?}");
    let mut outcomes = Vec::new();
    for each in expected {
        let outcome = one(each, &mut got);
        outcomes.push(
            outcome.map_err(|error| format!("{error}\n  expected: {expected:?}\n  got: {all}"))?,
        );
    }
    if !got.is_empty() {
        return Err(format!(
            "more was said than expected: {got:?}\n  expected: {expected:?}\n  got: {all}"
        ));
    }
    Ok(outcomes)
}

fn one(expected: &Expected, got: &mut Vec<Got>) -> Result<i32, String> {
    match expected.answer {
        Answer::Silence => Ok(0),
        Answer::Reply => {
            let place = got.iter().position(|got| got.sequence == expected.sequence);
            match place.map(|place| got.remove(place).what) {
                Some(What::Data(_)) => Ok(0),
                other => Err(format!("wanted a reply, got {other:?}")),
            }
        }
        Answer::Ack(verdict, reply) => {
            let (listed, last) = take(expected.sequence, got);
            let Some(What::Ack(errno, words)) = last else {
                return Err(format!(
                    "wanted an acknowledgement ({verdict:?}), got {last:?}"
                ));
            };
            same(verdict, errno, words)?;
            let wanted = usize::from(reply == Reply::Some);
            if listed != wanted {
                return Err(format!("wanted {wanted} replies, got {listed}"));
            }
            Ok(errno)
        }
        Answer::End(verdict, count) => end(expected.sequence, verdict, count, false, got),
        Answer::EndOrBusy(verdict, count) => end(expected.sequence, verdict, count, true, got),
    }
}

fn end(
    sequence: u32,
    verdict: Verdict,
    count: Option<usize>,
    may_be_busy: bool,
    got: &mut Vec<Got>,
) -> Result<i32, String> {
    let (listed, last) = take(sequence, got);
    match last {
        Some(What::Ack(libc::EBUSY, _)) if may_be_busy => Ok(libc::EBUSY),
        Some(What::End(errno, words)) => {
            same(verdict, errno, words)?;
            match count {
                Some(count) if count != listed => {
                    Err(format!("wanted {count} listed, got {listed}"))
                }
                _ => Ok(errno),
            }
        }
        last => Err(format!(
            "wanted the end of a listing ({verdict:?}), got {last:?}"
        )),
    }
}

/// Takes the messages of one sequence number up to one that is no data: how
/// many were, and what came then.
fn take(sequence: u32, got: &mut Vec<Got>) -> (usize, Option<What>) {
    let mut listed = 0;
    while let Some(place) = got.iter().position(|got| got.sequence == sequence) {
        match got.remove(place).what {
            What::Data(_) => listed += 1,
            last => return (listed, Some(last)),
        }
    }
    (listed, None)
}

fn same(verdict: Verdict, errno: i32, words: Option<String>) -> Result<(), String> {
    let wanted = verdict.err().map_or(0, |refusal| refusal.errno);
    if errno != wanted {
        return Err(format!(
            "wanted {}, got {} {words:?}",
            errno_name(wanted),
            errno_name(errno)
        ));
    }
    match verdict.err().and_then(|refusal| refusal.text) {
        Some(text) if words.as_deref() != Some(text) => Err(format!(
            "{}: wanted the words {text:?}, got {words:?}",
            errno_name(errno)
        )),
        _ => Ok(()),
    }
}
