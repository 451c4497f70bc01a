// SPDX-License-Identifier: GPL-2.0

//! What stock's option parser takes and clap does not, put straight before
//! clap sees the words. Bundled letters (`-Ln`), values in the same word
//! (`-t10.0.0.1:80`, `--weight=3`) and the optional value of `-p` are the
//! same in both; the letter `-b` and a word that is no option are not.

use crate::failure::{Failure, REFUSED};

/// What `-b` is for, here and elsewhere.
const B_IS_FLAGS: &str = "-b takes scheduler flags (sh-fallback, sh-port, mh-fallback, mh-port, \
     flag-1, flag-2, flag-3) and goes with -A and -E; FULLNAT is --fullnat here";

/// Looks the words over, and returns those clap shall parse.
pub(crate) fn prepare(words: &[String]) -> Result<Vec<String>, Failure> {
    first_is_an_option(words)?;
    b_has_a_value(words)?;
    Ok(words.iter().filter(|w| *w != "-").cloned().collect())
}

/// The sentence about `-b` as Alibaba's and DPVS's tools have it.
pub(crate) fn b_is_flags() -> Failure {
    Failure::usage(format!("{B_IS_FLAGS}."))
}

fn first_is_an_option(words: &[String]) -> Result<(), Failure> {
    match words.first() {
        Some(word) if word.starts_with('-') => Ok(()),
        Some(word) => Err(Failure {
            status: REFUSED,
            text: format!(
                "`{word}` is not a command: begin with one such as -A, -a, -L, `who` or `toa`; `-h` lists them."
            ),
        }),
        None => Ok(()),
    }
}

/// With a value missing, clap would take the next option for it, and people
/// who know `-b` as FULLNAT would read a riddle.
fn b_has_a_value(words: &[String]) -> Result<(), Failure> {
    let mut pairs = words
        .iter()
        .zip(words.iter().skip(1).map(Some).chain([None]));
    let lonely = pairs.find(|(word, next)| {
        is_b_without_value(word) && next.is_none_or(|next| next.starts_with('-'))
    });
    match lonely {
        // As with every option without its value.
        Some((_, None)) => Err(Failure {
            status: REFUSED,
            ..b_is_flags()
        }),
        Some(_) => Err(b_is_flags()),
        None => Ok(()),
    }
}

/// `-b` alone, or at the end of a bundle of flags.
fn is_b_without_value(word: &str) -> bool {
    match word.strip_prefix('-') {
        Some(letters) => {
            letters == "b"
                || (letters.ends_with('b')
                    && letters.chars().rev().skip(1).all(|c| "AEaegim".contains(c)))
        }
        None => false,
    }
}
