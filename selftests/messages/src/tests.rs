// SPDX-License-Identifier: GPL-2.0

//! What needs no kernel: messages are made for a state that goes along.

use fastrand::Rng;

use crate::{
    core::{receive, Answer, Numbers, Rights},
    family::Family,
    generate::Generator,
    message::hex,
    model::{State, SETTINGS},
    mutate::mutate,
    tally::Tally,
};

const NUMBERS: Numbers = [
    (Family::Ipvs, 0x20),
    (Family::Lvs, 0x21),
    (Family::Toa, 0x22),
];
const ROOT: Rights = Rights {
    initial: true,
    own: true,
};

fn state() -> State {
    let settings = SETTINGS
        .iter()
        .map(|(name, _, max)| (*name, *max))
        .collect();
    State {
        settings,
        ..State::default()
    }
}

/// What a run came to.
struct Ran {
    sent: Vec<String>,
    taken: u64,
    refused: u64,
    /// Most services, servers of one, and local addresses of one at any time.
    most: [usize; 3],
    tally: Tally,
}

fn run(seed: u64, mutated: bool) -> Ran {
    let (mut rng, mut state, mut tally) = (Rng::with_seed(seed), state(), Tally::default());
    let (mut sent, mut taken, mut most) = (Vec::new(), [0, 0], [0; 3]);
    for sequence in 0..20_000 {
        let mut message = Generator {
            rng: &mut rng,
            state: &state,
        }
        .request();
        if mutated {
            mutate(&mut rng, &mut message);
        }
        let kind = NUMBERS
            .iter()
            .find(|(family, _)| *family == message.family)
            .unwrap()
            .1;
        let bytes = message.encode(kind, sequence);
        for expected in receive(&mut state, ROOT, &NUMBERS, &bytes) {
            let errno = match expected.answer {
                Answer::Ack(Err(refusal), _) | Answer::End(Err(refusal), _) => refusal.errno,
                _ => 0,
            };
            taken[usize::from(errno != 0)] += 1;
            tally.count(expected.command, errno);
        }
        sent.push(format!("{message} {}", hex(&bytes)));
        let dests = state
            .services
            .iter()
            .map(|service| service.dests.len())
            .max();
        let locals = state.pools.values().map(Vec::len).max();
        let now = [
            state.services.len(),
            dests.unwrap_or(0),
            locals.unwrap_or(0),
        ];
        most = std::array::from_fn(|which| most[which].max(now[which]));
    }
    let [taken, refused] = taken;
    Ran {
        sent,
        taken,
        refused,
        most,
        tally,
    }
}

#[test]
fn a_seed_makes_the_same_messages() {
    let first = run(5, true).sent;
    assert_eq!(first, run(5, true).sent);
    assert_ne!(first, run(6, true).sent);
}

#[test]
fn well_formed_requests_are_mostly_taken_and_the_state_gets_rich() {
    let Ran {
        taken,
        refused,
        most,
        ..
    } = run(1, false);
    assert!(taken > refused, "{taken} {refused}");
    assert!(
        most.iter()
            .zip([15, 5, 3])
            .all(|(most, wanted)| *most > wanted),
        "{most:?}"
    );
}

#[test]
fn every_command_is_taken_once_and_refused_once() {
    let missing = |mutated, word: &str| -> Vec<_> {
        let missing = run(1, mutated).tally.missing();
        missing
            .into_iter()
            .filter(|line| line.contains(word))
            .collect()
    };
    assert_eq!(missing(false, "taken"), Vec::<String>::new());
    assert_eq!(missing(true, "refused"), Vec::<String>::new());
}

#[test]
fn who_has_no_right_changes_nothing() {
    let (mut rng, mut state) = (Rng::with_seed(3), state());
    let before = state.lines();
    let nobody = Rights {
        initial: false,
        own: false,
    };
    for sequence in 0..5_000 {
        let message = Generator {
            rng: &mut rng,
            state: &state,
        }
        .request();
        let kind = NUMBERS
            .iter()
            .find(|(family, _)| *family == message.family)
            .unwrap()
            .1;
        receive(
            &mut state,
            nobody,
            &NUMBERS,
            &message.encode(kind, sequence),
        );
    }
    assert_eq!(before, state.lines());
}
