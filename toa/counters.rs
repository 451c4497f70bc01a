// SPDX-License-Identifier: GPL-2.0

//! What is counted in each namespace: one number for each outcome.

use kapi::percpu;
use lvs_kapi as kapi;

/// One counter for each of [`Counter::ALL`].
pub(crate) type Counters = percpu::Counters<{ Counter::ALL.len() }>;

/// An outcome.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counter {
    /// The client of a new connection was learnt.
    Captured,
    /// A new connection came without the option.
    NoOption,
    /// An option of our kinds could not be understood.
    Malformed,
    /// The option came from a source that is not trusted.
    Untrusted,
    /// No memory to remember the client.
    NoMemory,
    /// The limit of connections was reached.
    Full,
    /// The client was given in answer.
    Answered,
    /// A socket whose client is not known was asked.
    Unknown,
    /// Somebody else has changed the answer, or the socket its peer.
    Changed,
    /// An IPv6 client does not fit in the answer of an IPv4 socket.
    NoRoom,
    /// The IPv6 client of an IPv4 connection was given by the socket option.
    Nat64,
}

impl Counter {
    /// All of them, in the order of their numbers.
    pub(crate) const ALL: [Counter; 11] = [
        Counter::Captured,
        Counter::NoOption,
        Counter::Malformed,
        Counter::Untrusted,
        Counter::NoMemory,
        Counter::Full,
        Counter::Answered,
        Counter::Unknown,
        Counter::Changed,
        Counter::NoRoom,
        Counter::Nat64,
    ];

    /// Place among the counters.
    pub(crate) const fn index(self) -> usize {
        // CAST: Fieldless, numbered from 0.
        self as usize
    }

    /// One word, for programs.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Counter::Captured => "captured",
            Counter::NoOption => "no_option",
            Counter::Malformed => "malformed",
            Counter::Untrusted => "untrusted",
            Counter::NoMemory => "no_memory",
            Counter::Full => "table_full",
            Counter::Answered => "answered",
            Counter::Unknown => "unknown",
            Counter::Changed => "changed",
            Counter::NoRoom => "no_room",
            Counter::Nat64 => "answered_nat64",
        }
    }

    /// What it means and what to do, for people.
    pub(crate) const fn hint(self) -> &'static str {
        match self {
            Counter::Captured => "connections whose client was learnt from a TOA option",
            Counter::NoOption => {
                "connections without a TOA option: direct ones, or the balancer does not insert it"
            }
            Counter::Malformed => {
                "options of the configured kinds that are no TOA: another use of the same kind?"
            }
            Counter::Untrusted => {
                "options from a source that is not in the list of trusted sources"
            }
            Counter::NoMemory => "clients forgotten because the kernel was out of memory",
            Counter::Full => "clients forgotten because of the module parameter max_connections",
            Counter::Answered => "times that a program asked for the peer and got the client",
            Counter::Unknown => "times that a program asked for the peer of any other connection",
            Counter::Changed => {
                "answers left alone because the peer is not the one that sent the option \
                 (a BPF program, or connect() on an accepted socket)"
            }
            Counter::NoRoom => {
                "times that the IPv6 client of an IPv4 socket did not fit in its peer's address: \
                 listen on IPv6, or ask with getsockopt 4096"
            }
            Counter::Nat64 => {
                "times that a program got the IPv6 client of an IPv4 connection by getsockopt 4096"
            }
        }
    }
}

// The numbers are places in the list.
const _: () = {
    let mut at = 0;
    while at < Counter::ALL.len() {
        assert!(Counter::ALL[at].index() == at);
        at += 1;
    }
};
