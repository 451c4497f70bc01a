// SPDX-License-Identifier: GPL-2.0

//! From clap's matches to a request.

mod dest;
mod listing;
mod namespace;
mod service;

use clap::ArgMatches;

use super::options::WORDS;
use super::request::{Action, Columns, Format, Listing, Request};
use super::{table, values};
use crate::failure::Failure;
use crate::names::Names;

/// What the options are read from.
struct Context<'a> {
    matches: &'a ArgMatches,
    names: &'a dyn Names,
}

/// Builds the request, once the options are seen to fit the command.
pub(crate) fn request(matches: &ArgMatches, names: &dyn Names) -> Result<Request, Failure> {
    let c = Context { matches, names };
    let command = table::command(matches)?;
    if command != "set" {
        c.no_stray_words()?;
    }
    Ok(Request {
        action: c.action(command)?,
        format: c.format(),
    })
}

impl Context<'_> {
    fn action(&self, command: &str) -> Result<Action, Failure> {
        Ok(match command {
            "add-service" => {
                let (key, settings) = self.service_settings()?;
                Action::AddService(key, settings, self.masq_only()?)
            }
            "edit-service" => {
                let (key, settings) = self.service_settings()?;
                Action::EditService(key, settings, self.masq_only()?)
            }
            "delete-service" => Action::DeleteService(self.service()?),
            "clear" => Action::Clear,
            "add-server" => {
                let (service, key, settings) = self.dest_settings()?;
                Action::AddDest(service, key, settings)
            }
            "edit-server" => {
                let (service, key, settings) = self.dest_settings()?;
                Action::EditDest(service, key, settings)
            }
            "delete-server" => {
                let service = self.service()?;
                Action::DeleteDest(service, self.dest(&service)?)
            }
            "list" => Action::List(self.listing()?),
            "zero" => Action::Zero(self.service_opt()?),
            "set" => Action::SetTimeouts(self.timeouts()?),
            "start-daemon" => Action::StartDaemon(self.daemon()?),
            "stop-daemon" => Action::StopDaemon(self.role("stop-daemon")?),
            "restore" if self.flag("replace") => Action::Replace,
            "restore" => Action::Restore,
            "save" => Action::Save,
            "add-laddr" => Action::AddLocal(
                self.service_opt()?,
                self.local_address()?,
                self.flag("dedicated"),
            ),
            "del-laddr" => Action::DeleteLocal(self.service_opt()?, self.local_address()?),
            "get-laddr" => Action::List(Listing::Locals(self.service_opt()?)),
            "version" => Action::Version,
            _ => Action::Help,
        })
    }

    fn flag(&self, name: &str) -> bool {
        self.matches.get_flag(name)
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.matches.get_one::<String>(name).map(String::as_str)
    }

    fn number(&self, name: &str, min: u32, max: u32, what: &str) -> Result<Option<u32>, Failure> {
        self.value(name)
            .map(|text| values::number(text, min, max, what))
            .transpose()
    }

    fn words(&self) -> Vec<&str> {
        self.matches
            .get_many::<String>(WORDS)
            .map(|words| words.map(String::as_str).collect())
            .unwrap_or_default()
    }

    fn no_stray_words(&self) -> Result<(), Failure> {
        match self.words().first() {
            Some(word) => Err(Failure::usage(format!(
                "unexpected argument {word}: every value follows its option."
            ))),
            None => Ok(()),
        }
    }

    fn format(&self) -> Format {
        let columns = [
            ("stats", Columns::Stats),
            ("rate", Columns::Rate),
            ("thresholds", Columns::Thresholds),
            ("persistent-conn", Columns::Persistent),
            ("tun-info", Columns::Tunnel),
        ];
        let chosen = columns.into_iter().find(|(name, _)| self.flag(name));
        Format {
            numeric: self.flag("numeric"),
            columns: chosen.map_or(Columns::Usual, |(_, columns)| columns),
            persistent: self.flag("persistent-conn"),
            nosort: self.flag("nosort"),
            exact: self.flag("exact"),
            json: self.flag("json"),
        }
    }
}
