// SPDX-License-Identifier: GPL-2.0

//! From the words on the command line (or a line of a rules file) to a
//! request that holds together.
//!
//! `split` deals with what stock's option parser allows and clap does not,
//! `options` is the list of options for clap, `table` says which option goes
//! with which command, `values` reads single values, `build` makes the
//! request.

pub(crate) mod build;
pub(crate) mod help;
mod options;
mod refuse;
pub(crate) mod request;
mod split;
mod table;
mod toa;
pub(crate) mod values;

use crate::failure::Failure;
use crate::names::Names;
use request::Request;

/// Understands lines of words. Made once for a whole rules file: listing the
/// options for clap costs more than reading a line.
pub(crate) struct Parser<'n> {
    command: clap::Command,
    names: &'n dyn Names,
}

impl<'n> Parser<'n> {
    /// A parser that asks `names` about hosts and ports.
    pub(crate) fn new(names: &'n dyn Names) -> Self {
        Self {
            command: options::command(),
            names,
        }
    }

    /// Understands the words after the program's name.
    pub(crate) fn parse(&mut self, words: &[String]) -> Result<Request, Failure> {
        match words.first().map(String::as_str) {
            None => Ok(Request::list_all()),
            Some("who") => toa::who(words.get(1..).unwrap_or_default()),
            Some("toa") => toa::toa(words.get(1..).unwrap_or_default()),
            Some(_) => {
                let words = split::prepare(words)?;
                let matches = self
                    .command
                    .try_get_matches_from_mut(words)
                    .map_err(|e| refuse::sentence(&e))?;
                build::request(&matches, self.names)
            }
        }
    }
}

#[cfg(test)]
mod tests;
