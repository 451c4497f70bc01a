// SPDX-License-Identifier: GPL-2.0

//! clap's errors as single sentences, with stock's exit status.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::Error;

use super::options::WORDS;
use crate::failure::{Failure, REFUSED, USAGE};

/// One sentence about what clap did not like.
pub(crate) fn sentence(error: &Error) -> Failure {
    let option = context(error, ContextKind::InvalidArg);
    let option = option.split(' ').next().unwrap_or_default().to_string();
    match error.kind() {
        ErrorKind::UnknownArgument => unknown(error, &option),
        ErrorKind::ArgumentConflict => failure(
            USAGE,
            format!(
                "multiple '{}' options specified: give it once.",
                bare(&option)
            ),
        ),
        ErrorKind::InvalidValue | ErrorKind::WrongNumberOfValues | ErrorKind::TooFewValues => {
            failure(
                REFUSED,
                format!("{option} needs a value after it; `-h` shows which."),
            )
        }
        ErrorKind::TooManyValues => failure(
            REFUSED,
            format!(
                "{option} takes no value, and `{}` was given.",
                context(error, ContextKind::InvalidValue)
            ),
        ),
        ErrorKind::InvalidUtf8 => failure(
            USAGE,
            "An argument is not valid UTF-8: names and addresses are plain text.".to_string(),
        ),
        _ => failure(
            REFUSED,
            "The arguments do not fit together; `-h` shows how they do.".to_string(),
        ),
    }
}

fn unknown(error: &Error, option: &str) -> Failure {
    if option.is_empty() || option == WORDS || !option.starts_with('-') {
        return failure(USAGE, format!("unexpected argument {option}."));
    }
    let hint = context(error, ContextKind::SuggestedArg);
    let advice = if hint.is_empty() {
        "`-h` lists the options".to_string()
    } else {
        format!("did you mean {hint}?  `-h` lists the options")
    };
    failure(REFUSED, format!("{option}: unknown option: {advice}."))
}

/// The option's name without hyphens and value, as stock names options.
fn bare(option: &str) -> &str {
    option.trim_start_matches('-')
}

fn context(error: &Error, kind: ContextKind) -> String {
    match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(list)) => list.join(" "),
        _ => String::new(),
    }
}

fn failure(status: u8, text: String) -> Failure {
    Failure { status, text }
}
