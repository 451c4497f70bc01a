// SPDX-License-Identifier: GPL-2.0

//! A seed is one run, and a run that finds something says how to have it again.

use lvs_sim::{run, Config, Planted};

/// Short enough for a build that is not optimised.
const SHORT: Config = Config {
    events: 1_500,
    ..Config::FULL
};

#[test]
fn a_seed_is_one_run() {
    let [one, same, other] =
        [7, 7, 8].map(|seed| run(seed, SHORT).expect("a run that finds nothing"));
    assert_eq!((one.trace, &one.tally), (same.trace, &same.tally));
    assert_ne!(one.trace, other.trace);
}

#[test]
fn a_find_says_what_it_is_and_how_it_comes_back() {
    let config = Config {
        planted: Some(Planted::Checksum),
        ..SHORT
    };
    let failure = run(7, config).expect_err("a run that finds the planted fault");
    let report = failure.to_string();
    for words in [
        "the checksum is Wrong",
        "in bytes: [",
        "begins: Talk",
        "again: make sim SEED=7",
    ] {
        assert!(report.contains(words), "{words} is not in:\n{report}");
    }
}
