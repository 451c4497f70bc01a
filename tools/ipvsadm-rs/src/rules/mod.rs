// SPDX-License-Identifier: GPL-2.0

//! Rules files: one command a line, words apart by blanks, as `-S` writes
//! them. A word that begins with `#` ends the line. Lines may begin with the
//! program's name.

use crate::args::request::{Action, Request};
use crate::args::Parser;
use crate::failure::Failure;
use crate::names::Names;

/// A line that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// Its number, from 1.
    pub(crate) line: usize,
    /// Its text.
    pub(crate) text: String,
    /// What it asks for.
    pub(crate) request: Request,
}

/// A line that cannot be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadLine {
    /// Its number, from 1.
    pub(crate) line: usize,
    /// Its text.
    pub(crate) text: String,
    /// What is wrong with it.
    pub(crate) why: Failure,
}

impl BadLine {
    /// The reason to stop, with what became of the other lines.
    pub(crate) fn failure(self, others: &str) -> Failure {
        Failure {
            status: self.why.status,
            text: format!(
                "line {}: `{}`: {} {others}",
                self.line, self.text, self.why.text
            ),
        }
    }
}

/// Understands every line, or none.
pub(crate) fn parse(text: &str, names: &dyn Names) -> Result<Vec<Rule>, BadLine> {
    let mut parser = Parser::new(names);
    let mut rules = Vec::new();
    for (line, text) in (1_usize..).zip(text.lines()) {
        let words = words(text);
        if words.is_empty() {
            continue;
        }
        let request = request(&words, &mut parser).map_err(|why| BadLine {
            line,
            text: text.trim().to_string(),
            why,
        })?;
        rules.push(Rule {
            line,
            text: text.trim().to_string(),
            request,
        });
    }
    Ok(rules)
}

fn words(line: &str) -> Vec<String> {
    let mut words: Vec<String> = line
        .split_ascii_whitespace()
        .take_while(|word| !word.starts_with('#'))
        .filter(|word| !["ipvsadm", "ipvsadm-rs"].contains(word))
        .map(str::to_string)
        .collect();
    unsign_mark(&mut words);
    words
}

/// Stock's `-S` writes marks above 2^31 as negative numbers, and its `-R`
/// then refuses them.
fn unsign_mark(words: &mut [String]) {
    let at = words.iter().position(|word| word == "-f");
    let mark = at
        .and_then(|at| at.checked_add(1))
        .and_then(|at| words.get_mut(at));
    if let Some(mark) = mark {
        if let Ok(negative @ i32::MIN..0) = mark.parse::<i32>() {
            *mark = (negative as u32).to_string();
        }
    }
}

fn request(words: &[String], parser: &mut Parser<'_>) -> Result<Request, Failure> {
    let request = parser.parse(words)?;
    match request.action {
        Action::Restore | Action::Replace => Err(Failure::usage(
            "-R cannot stand in a rules file: it reads one.",
        )),
        Action::Who(_) | Action::Toa(_) => Err(Failure::usage(
            "A rules file is about services, destinations and local addresses only.",
        )),
        _ => Ok(request),
    }
}

#[cfg(test)]
mod tests;
