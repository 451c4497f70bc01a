// SPDX-License-Identifier: GPL-2.0

//! What to list.

use super::Context;
use crate::args::request::Listing;
use crate::failure::Failure;

impl Context<'_> {
    pub(super) fn listing(&self) -> Result<Listing, Failure> {
        let service = self.service_opt()?;
        let chosen: Vec<(&str, Listing)> = [
            ("connection", Listing::Conns),
            ("timeout", Listing::Timeouts),
            ("daemon", Listing::Daemons),
            ("drops", Listing::Drops),
        ]
        .into_iter()
        .filter(|(name, _)| self.flag(name))
        .collect();
        let legs = self.flag("conn-legs");
        self.check_listing(&chosen, service.is_some(), legs)?;
        if legs {
            return Ok(Listing::ConnLegs);
        }
        let first = chosen.into_iter().next();
        Ok(first.map_or(Listing::Services(service), |(_, listing)| listing))
    }

    pub(super) fn check_listing(
        &self,
        chosen: &[(&str, Listing)],
        service: bool,
        legs: bool,
    ) -> Result<(), Failure> {
        let names: Vec<&str> = service
            .then_some("service-address")
            .into_iter()
            .chain(
                legs.then_some("conn-legs")
                    .filter(|_| !self.flag("connection")),
            )
            .chain(chosen.iter().map(|(name, _)| *name))
            .collect();
        if let [first, second, ..] = names.as_slice() {
            return Err(Failure::usage(format!(
                "The option '{second}' conflicts with the '{first}' option in the 'list' command: list one thing at a time."
            )));
        }
        let tables = ["stats", "rate", "thresholds"];
        let other = legs || !chosen.is_empty();
        let clash = other && tables.iter().any(|o| self.flag(o));
        let persistent = ["timeout", "daemon", "drops"].iter().any(|o| self.flag(o));
        if clash || (persistent && self.flag("persistent-conn")) {
            return Err(Failure::usage(
                "options conflicts in the list command: --stats, --rate, --thresholds and --persistent-conn are about services.",
            ));
        }
        Ok(())
    }
}
