// SPDX-License-Identifier: GPL-2.0

//! Refusals as sentences: stock's words for each error number, then the
//! kernel's own words or, where it sent none, what to do.

use crate::failure::{Failure, REFUSED, UNLISTED, USAGE};
use crate::socket::Trouble;

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// `-A`
    AddService,
    /// `-E`
    EditService,
    /// `-D`
    DeleteService,
    /// `-C`
    Clear,
    /// `-Z`
    Zero,
    /// `-a`
    AddDest,
    /// `-e`
    EditDest,
    /// `-d`
    DeleteDest,
    /// `--set`
    SetTimeouts,
    /// `--start-daemon`
    StartDaemon,
    /// `--stop-daemon`
    StopDaemon,
    /// Version and size.
    GetInfo,
    /// Services.
    GetService,
    /// Destinations.
    GetDest,
    /// `-L --timeout`
    GetTimeouts,
    /// `-L --daemon`
    GetDaemon,
    /// `--masq-only`
    SetMasqOnly,
    /// `-P`
    AddLocal,
    /// `-Q`
    DeleteLocal,
    /// `-R --replace`
    Replace,
    /// `-G`
    GetLocal,
    /// `--conn-legs`, `who`
    GetConn,
    /// `-L --drops`
    GetDrops,
    /// `toa`
    GetToa,
    /// `toa --kinds`, `toa --trust`
    SetToa,
}

impl Operation {
    fn status(self) -> u8 {
        match self {
            Self::GetInfo
            | Self::GetService
            | Self::GetDest
            | Self::GetTimeouts
            | Self::GetDaemon
            | Self::GetLocal
            | Self::GetConn
            | Self::GetDrops
            | Self::GetToa => UNLISTED,
            _ => REFUSED,
        }
    }
}

/// What an error number means, and what to do about it.
struct Meaning {
    /// Stock's words where it has some, because scripts look for them.
    what: &'static str,
    /// What to do.
    todo: &'static str,
    /// How much the kernel's own words, if it sent any, are worth beside these.
    words: Words,
}

/// What becomes of the kernel's own words.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Words {
    /// They say no more than ours, and ours name the options to use.
    Drop,
    /// They say which of several things it was.
    Append,
    /// They say all.
    Alone,
}

/// Turns trouble into a sentence and an exit status.
pub(crate) fn explain(operation: Operation, trouble: Trouble, lvs: bool) -> Failure {
    match trouble {
        Trouble::Broken(text) => Failure {
            status: operation.status(),
            text,
        },
        Trouble::Refused { errno, words, .. } => Failure {
            // Stock finds out that it may not before it looks at the command.
            status: match errno {
                libc::EPERM => USAGE,
                _ => operation.status(),
            },
            text: sentence(operation, errno, words.as_deref(), lvs),
        },
    }
}

fn sentence(operation: Operation, errno: i32, words: Option<&str>, lvs: bool) -> String {
    let meaning = specific(operation, errno).or_else(|| general(errno, lvs));
    match (meaning, words) {
        (Some(m), Some(words)) if m.words == Words::Append => {
            format!("{}: {}", m.what, ended(&continued(words)))
        }
        (Some(m), Some(words)) if m.words == Words::Alone => alone(words),
        (Some(m), _) => format!("{}: {}.", m.what, m.todo),
        (None, Some(words)) => alone(words),
        (None, None) => format!(
            "The kernel refused: {}; its log (`dmesg`) may say more.",
            system_words(errno)
        ),
    }
}

fn ended(words: &str) -> String {
    let words = words.trim_end();
    if words.ends_with(['.', '!', '?']) {
        words.to_string()
    } else {
        format!("{words}.")
    }
}

/// Words that stand alone, as a sentence.
fn alone(words: &str) -> String {
    let words = ended(words);
    let mut chars = words.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => words,
    }
}

/// A sentence as the end of another: `No such` becomes `no such`, `IPv6` stays.
fn continued(words: &str) -> String {
    let mut chars = words.chars();
    match (chars.next(), chars.next()) {
        (Some(first), Some(second)) if second.is_lowercase() || second == ' ' => {
            let rest = words.get(first.len_utf8()..).unwrap_or_default();
            format!("{}{rest}", first.to_lowercase())
        }
        _ => words.to_string(),
    }
}

/// The C library's words for an error number.
fn system_words(errno: i32) -> String {
    let text = std::io::Error::from_raw_os_error(errno).to_string();
    text.split(" (os error")
        .next()
        .unwrap_or_default()
        .to_lowercase()
}

fn specific(operation: Operation, errno: i32) -> Option<Meaning> {
    use Operation as O;
    let (what, todo) = match (operation, errno) {
        (O::AddService, libc::EEXIST) => (
            "Service already exists",
            "change it with -E, or delete it with -D first",
        ),
        (O::AddService | O::EditService | O::Replace, libc::ENOENT) => (
            "Scheduler or persistence engine not found",
            "check the names after -s and --pe, and that their modules can be loaded",
        ),
        (
            O::EditService | O::DeleteService | O::Zero | O::GetService | O::GetDest,
            libc::ESRCH | libc::ENOENT,
        ) => ("No such service", "`-L -n` lists those that exist"),
        (O::AddDest | O::EditDest | O::DeleteDest, libc::ESRCH) => {
            ("Service not defined", "add it with -A first")
        }
        (O::Replace, libc::EEXIST) => ("It is there already", "a set has everything once"),
        (O::Replace, libc::ESRCH) => (
            "Service not defined",
            "its line with -A comes before those with its servers",
        ),
        (O::AddDest, libc::EEXIST) => (
            "Destination already exists",
            "change it with -e, or delete it with -d first",
        ),
        (O::EditDest | O::DeleteDest, libc::ENOENT) => (
            "No such destination",
            "`-L -n` lists the service's destinations",
        ),
        (O::AddDest, libc::EINVAL) => (
            "Invalid operation.  Possibly wrong module version, address not unicast, ...",
            "check that the real server's address is a unicast address and of the service's family",
        ),
        (O::AddDest | O::EditDest | O::Replace, libc::ERANGE) => (
            "Weight or thresholds out of range",
            "the lower threshold (-y) must not be above the upper one (-x)",
        ),
        (O::StartDaemon, libc::EEXIST) => {
            ("Daemon has already run", "stop it with --stop-daemon first")
        }
        (O::StartDaemon, libc::ENODEV) => (
            "No such interface",
            "name one that exists with --mcast-interface",
        ),
        (O::StopDaemon, libc::ESRCH) => ("No daemon is running", "there is nothing to stop"),
        (O::SetMasqOnly, libc::ESRCH | libc::ENOENT) => ("No such service", "add it with -A first"),
        (O::AddLocal, libc::EEXIST) => (
            "Local address already exists",
            "`-G -n` lists those that exist",
        ),
        (O::DeleteLocal, libc::ENOENT | libc::ESRCH) => {
            ("No such local address", "`-G -n` lists those that exist")
        }
        (O::AddLocal, libc::EADDRNOTAVAIL) => (
            "The address is not this machine's",
            "add it to an interface with `ip address add` first",
        ),
        _ => return None,
    };
    let words = match errno {
        libc::EEXIST | libc::ESRCH => Words::Drop,
        libc::ENOENT if !matches!(operation, O::AddService | O::EditService | O::Replace) => {
            Words::Drop
        }
        libc::ENOENT => Words::Append,
        _ => Words::Alone,
    };
    Some(Meaning { what, todo, words })
}

fn general(errno: i32, lvs: bool) -> Option<Meaning> {
    let (what, todo) = match errno {
        libc::EPERM | libc::EACCES => (
            "Permission denied (you must be root)",
            "run it with sudo; root of a user namespace may use -G, -L --drops and `toa`",
        ),
        libc::EINVAL => (
            "Invalid operation.  Possibly wrong module version, address not unicast, ...",
            "check the addresses and values against the manual page",
        ),
        libc::ENOPROTOOPT => (
            "Protocol not available",
            "the module is being loaded or unloaded, or does not know this",
        ),
        libc::ENOMEM | libc::ENOBUFS => (
            "Memory allocation problem",
            "free some memory and try again",
        ),
        libc::EOPNOTSUPP if lvs => (
            "Operation not supported",
            "this version of the lvs module does not do it",
        ),
        libc::EOPNOTSUPP => (
            "Operation not supported",
            "this kernel's ip_vs does not do it",
        ),
        libc::EAFNOSUPPORT => (
            "Operation not supported with specified address family",
            "is IPv6 switched off in this kernel?",
        ),
        libc::EMSGSIZE => (
            "Module is wrong version",
            "the tool and the module do not match",
        ),
        libc::ENOENT | libc::ESRCH => ("Not found", "`-L -n` and `-G -n` list what exists"),
        libc::EEXIST => ("It already exists", "`-L -n` and `-G -n` list what exists"),
        libc::EBUSY => (
            "It is in use",
            "wait for its connections to end, or stop its users",
        ),
        libc::ERANGE => ("A value is out of range", "the manual page has the ranges"),
        _ => return None,
    };
    let words = match errno {
        libc::EPERM | libc::EACCES => Words::Drop,
        _ => Words::Alone,
    };
    Some(Meaning { what, todo, words })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(operation: Operation, errno: i32, words: Option<&str>) -> Failure {
        let words = words.map(str::to_string);
        let place = None;
        let trouble = Trouble::Refused {
            errno,
            words,
            place,
        };
        explain(operation, trouble, true)
    }

    #[test]
    fn stocks_words_come_first() {
        let f = refused(Operation::AddService, libc::EEXIST, None);
        assert_eq!(f.status, REFUSED);
        assert_eq!(
            f.text,
            "Service already exists: change it with -E, or delete it with -D first."
        );
    }

    #[test]
    fn the_kernels_words_are_a_sentence_of_their_own() {
        let words = "Tunnels are not supported yet: use masquerading or FULLNAT.";
        let f = refused(Operation::AddDest, libc::EOPNOTSUPP, Some(words));
        assert_eq!(f.text, words);
    }

    #[test]
    fn the_kernels_words_say_which_name_is_unknown() {
        let f = refused(
            Operation::AddService,
            libc::ENOENT,
            Some("No scheduler has this name"),
        );
        assert_eq!(
            f.text,
            "Scheduler or persistence engine not found: no scheduler has this name."
        );
    }

    #[test]
    fn our_advice_names_the_options() {
        let f = refused(
            Operation::DeleteService,
            libc::ESRCH,
            Some("There is no such service: add it first."),
        );
        assert_eq!(f.text, "No such service: `-L -n` lists those that exist.");
    }

    #[test]
    fn no_error_number_is_ever_bare() {
        // 41 and 58 are no error numbers; the C library has no words for them.
        for errno in (1..134).filter(|e| ![41, 58].contains(e)) {
            let f = refused(Operation::Clear, errno, None);
            assert!(f.text.ends_with('.'), "{}", f.text);
            assert!(f.text.len() > 20, "{}", f.text);
            assert!(!f.text.contains(&errno.to_string()), "{}", f.text);
        }
    }

    #[test]
    fn a_listing_that_fails_ends_with_one() {
        assert_eq!(
            refused(Operation::GetConn, libc::ENOMEM, None).status,
            UNLISTED
        );
        assert_eq!(refused(Operation::GetConn, libc::EPERM, None).status, USAGE);
    }
}
