// SPDX-License-Identifier: GPL-2.0

//! Every target holds on every entry of its committed corpus.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

use std::fs;
use std::path::Path;

use lvs_fuzz::{Target, TARGETS};

/// Runs a target on its corpus; a panic prints which entry it was.
fn replay(target: &Target) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target.name);
    let mut entries: Vec<_> = fs::read_dir(&dir)
        .unwrap_or_else(|error| panic!("{}: {error}", dir.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    assert!(!entries.is_empty(), "{} is empty", dir.display());
    for entry in entries {
        println!("{}", entry.display());
        (target.run)(&fs::read(&entry).unwrap());
    }
}

#[test]
fn every_target_has_a_corpus_and_holds_on_it() {
    for target in TARGETS {
        replay(target);
    }
}

#[test]
fn every_corpus_has_a_target() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for entry in fs::read_dir(dir).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(Target::named(&name).is_some(), "{name}");
    }
}

#[test]
#[should_panic(expected = "the planted fault")]
fn the_planted_fault_is_one() {
    (Target::named("planted").unwrap().run)(b"lvs!");
}
