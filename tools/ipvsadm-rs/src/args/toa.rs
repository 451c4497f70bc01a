// SPDX-License-Identifier: GPL-2.0

//! The two commands that are words: `who` and `toa`.

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::refuse;
use super::request::{Action, Format, Request};
use super::values;
use crate::failure::Failure;
use crate::model::conn::Endpoint;
use crate::model::service::Protocol;
use crate::model::toa::{Prefix, ToaChange};
use crate::names::Numbers;

/// The kinds toa.ko keeps.
const MAX_KINDS: usize = 4;

/// `who LIP:PORT`
pub(crate) fn who(words: &[String]) -> Result<Request, Failure> {
    let command = base("who").arg(Arg::new("place").num_args(0..).action(ArgAction::Append));
    let matches = parse(command, words)?;
    let places = strings(&matches, "place");
    let [text] = places.as_slice() else {
        return Err(Failure::usage(
            "who takes one address and port, such as `who 192.168.0.10:40001`: what a server's log shows for the client.",
        ));
    };
    Ok(Request {
        action: Action::Who(endpoint(text)?),
        // Logs have numbers, and so has the answer.
        format: Format {
            numeric: true,
            ..format(&matches)
        },
    })
}

fn endpoint(text: &str) -> Result<Endpoint, Failure> {
    let wrong = |why: String| {
        Failure::usage(format!(
            "illegal local address:port specified: {why}; give it as in the server's log, such as 192.168.0.10:40001."
        ))
    };
    let place = values::place(text, Protocol::TCP, &Numbers).map_err(wrong)?;
    match place.port {
        Some(port) => Ok(Endpoint {
            addr: place.addr,
            port,
        }),
        None => Err(wrong(format!("`{text}` has no port"))),
    }
}

/// `toa [--kinds LIST] [--trust PREFIX,...]`
pub(crate) fn toa(words: &[String]) -> Result<Request, Failure> {
    let value = |name: &'static str| Arg::new(name).long(name).allow_hyphen_values(true);
    let command = base("toa")
        .arg(value("kinds").action(ArgAction::Set))
        .arg(value("trust").action(ArgAction::Append))
        .arg(Arg::new("words").num_args(0..).action(ArgAction::Append));
    let matches = parse(command, words)?;
    if let Some(word) = strings(&matches, "words").first() {
        return Err(Failure::usage(format!(
            "unexpected argument {word}: toa takes --kinds, --trust, -n and --json."
        )));
    }
    let kinds = matches.get_one::<String>("kinds");
    Ok(Request {
        action: Action::Toa(ToaChange {
            kinds: kinds.map(|text| self::kinds(text)).transpose()?,
            trusted: trusted(&strings(&matches, "trust"))?,
        }),
        format: format(&matches),
    })
}

fn kinds(text: &str) -> Result<Vec<u8>, Failure> {
    let list: Option<Vec<u8>> = text.split(',').map(|k| k.trim().parse().ok()).collect();
    list.filter(|l| (1..=MAX_KINDS).contains(&l.len()))
        .filter(|l| l.iter().all(|k| *k > 1))
        .ok_or_else(|| {
            Failure::usage(format!(
                "illegal kinds specified: `{text}` is not a list of 1 to {MAX_KINDS} TCP option kinds (2 to 255) such as 254,253."
            ))
        })
}

/// `any` alone empties the list: then everyone is believed.
fn trusted(words: &[&str]) -> Result<Option<Vec<Prefix>>, Failure> {
    match words {
        [] => Ok(None),
        ["any"] => Ok(Some(Vec::new())),
        _ => words
            .iter()
            .flat_map(|w| w.split(','))
            .map(prefix)
            .collect::<Result<_, _>>()
            .map(Some),
    }
}

fn prefix(text: &str) -> Result<Prefix, Failure> {
    let (addr, len) = match text.split_once('/') {
        Some((addr, len)) => (addr, len.parse::<u8>().ok()),
        None => (text, Some(u8::MAX)),
    };
    let parsed = addr.parse::<std::net::IpAddr>().ok().zip(len);
    parsed
        .and_then(|(addr, len)| {
            let full = if addr.is_ipv6() { 128 } else { 32 };
            match len {
                u8::MAX if !text.contains('/') => Some(Prefix { addr, len: full }),
                len if len <= full => Some(Prefix { addr, len }),
                _ => None,
            }
        })
        .ok_or_else(|| {
            Failure::usage(format!(
                "illegal trusted source specified: `{text}` is not an address or prefix such as 10.0.0.0/8; `any` alone believes everyone."
            ))
        })
}

fn base(name: &'static str) -> Command {
    let flag = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
    Command::new(name)
        .no_binary_name(true)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .arg(flag("json"))
        .arg(flag("numeric").short('n'))
        .arg(flag("exact").short('X'))
}

fn parse(command: Command, words: &[String]) -> Result<ArgMatches, Failure> {
    command
        .try_get_matches_from(words)
        .map_err(|e| refuse::sentence(&e))
}

fn strings<'m>(matches: &'m ArgMatches, name: &str) -> Vec<&'m str> {
    matches
        .get_many::<String>(name)
        .map(|words| words.map(String::as_str).collect())
        .unwrap_or_default()
}

fn format(matches: &ArgMatches) -> Format {
    Format {
        numeric: matches.get_flag("numeric"),
        exact: matches.get_flag("exact"),
        json: matches.get_flag("json"),
        ..Format::default()
    }
}
