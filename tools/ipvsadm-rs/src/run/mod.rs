// SPDX-License-Identifier: GPL-2.0

//! Carrying out a request.

mod change;
mod list;
mod local;
mod output;
mod replace;
mod restore;
mod save;
mod table;
mod toa;

use std::io::{Read, Write};

use crate::args::request::{Action, Request};
use crate::args::{help, Parser};
use crate::failure::Failure;
use crate::kernel::Kernel;
use crate::names::{Names, Numbers, System};
use crate::show::place::Namer;
use crate::show::Style;
use crate::socket::netlink::NetlinkSocket;
use crate::socket::Trouble;
use output::Output;

/// The streams of the process, so that tests can have others.
pub(crate) struct Streams<'s> {
    /// Rules for `-R`.
    pub(crate) input: &'s mut dyn Read,
    /// Listings.
    pub(crate) output: &'s mut dyn Write,
    /// Warnings.
    pub(crate) errors: &'s mut dyn Write,
}

/// Carries out the words after the program's name.
pub(crate) fn run(program: &str, words: &[String], streams: Streams<'_>) -> Result<(), Failure> {
    let request = Parser::new(&System).parse(words)?;
    let mut output = Output::new(streams.output);
    match &request.action {
        Action::Help => output.text(&help::usage(program))?,
        Action::Version => output.text(&help::version())?,
        _ => {
            let mut socket = open()?;
            if let Action::Toa(change) = &request.action {
                toa::run(&mut socket, change, request.format, &mut output)?;
            } else {
                let kernel = Kernel::connect(&mut socket)?;
                Session {
                    kernel,
                    output: &mut output,
                    input: streams.input,
                    errors: streams.errors,
                    restoring: false,
                }
                .perform(&request)?;
            }
        }
    }
    output.finish()
}

fn open() -> Result<NetlinkSocket, Failure> {
    NetlinkSocket::open().map_err(|trouble| match trouble {
        Trouble::Broken(text) => Failure::usage(text),
        Trouble::Refused { .. } => {
            Failure::usage("The kernel refused a netlink socket: run this as root.")
        }
    })
}

/// A connection to the kernel and the streams, for one request or a file of them.
struct Session<'s, 'o, 't> {
    kernel: Kernel<'t>,
    output: &'s mut Output<'o>,
    input: &'s mut dyn Read,
    errors: &'s mut dyn Write,
    /// Lines come from a rules file.
    restoring: bool,
}

impl Session<'_, '_, '_> {
    fn perform(&mut self, request: &Request) -> Result<(), Failure> {
        let result = match &request.action {
            Action::List(listing) => self.list(listing, request),
            Action::Save => self.save(request),
            Action::Restore => self.restore(),
            Action::Replace => self.replace(),
            Action::Who(local) => self.who(local, request),
            Action::AddLocal(service, addr, dedicated) => {
                self.add_local(service.as_ref(), *addr, *dedicated)
            }
            Action::DeleteLocal(service, addr) => self.kernel.delete_local(service.as_ref(), *addr),
            Action::Help | Action::Version | Action::Toa(_) => Ok(()),
            _ => self.change(&request.action),
        };
        self.warn();
        result
    }

    /// Shows the kernel's warnings. A lost warning must not undo a success.
    fn warn(&mut self) {
        for warning in self.kernel.take_warnings() {
            let _ = writeln!(self.errors, "Warning: {warning}");
        }
    }
}

/// How a request's listing looks.
fn style(request: &Request) -> Style<'static> {
    let names: &'static dyn Names = if request.format.numeric {
        &Numbers
    } else {
        &System
    };
    Style {
        format: request.format,
        namer: Namer { names },
    }
}
