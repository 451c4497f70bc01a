// SPDX-License-Identifier: GPL-2.0

//! The words of a command line: understood, or refused in one sentence.

use std::cell::RefCell;

use crate::args::Parser;
use crate::failure::{REFUSED, USAGE};
use crate::names::Numbers;

thread_local! {
    static PARSER: RefCell<Parser<'static>> = RefCell::new(Parser::new(&Numbers));
}

/// Command lines with a NUL between them, and words with a newline.
pub(super) fn run(data: &[u8]) {
    data.split(|byte| *byte == 0).for_each(line);
}

fn line(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let words: Vec<String> = text.split('\n').map(str::to_string).collect();
    // As in a rules file, one parser reads many lines.
    let read = PARSER.with_borrow_mut(|parser| parser.parse(&words));
    if let Err(failure) = read {
        assert!([USAGE, REFUSED].contains(&failure.status));
        let text = failure.text;
        assert!(!text.is_empty() && !text.ends_with('\n'), "{text:?}");
    }
}
