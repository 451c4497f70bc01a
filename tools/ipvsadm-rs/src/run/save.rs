// SPDX-License-Identifier: GPL-2.0

//! `-S`: the table as rules.

use super::table::{self, Reading};
use super::{style, Session};
use crate::args::request::Request;
use crate::failure::Failure;
use crate::model::laddr::LocalAddress;
use crate::model::service::ServiceKey;
use crate::show::{rule, Style};

const READING: Reading = Reading {
    nosort: false,
    methods: true,
};

impl Session<'_, '_, '_> {
    /// Local addresses come before the destinations that need them: the pool
    /// first, a service's after the service. Those of a service that is gone
    /// come last; they are waiting for it to come back.
    pub(super) fn save(&mut self, request: &Request) -> Result<(), Failure> {
        let style = style(request);
        let mut owners = if self.kernel.is_lvs() {
            self.all_locals()?
        } else {
            Vec::new()
        };
        self.save_locals(take(&mut owners, None), &style)?;
        for service in table::services(&mut self.kernel, READING)? {
            let dests = table::dests(&mut self.kernel, &service.key, READING)?;
            self.output.text(&rule::service(&service, &style))?;
            self.save_locals(take(&mut owners, Some(&service.key)), &style)?;
            for dest in &dests {
                self.output.text(&rule::dest(&service.key, dest, &style))?;
            }
        }
        self.save_locals(owners.into_iter().flatten().collect(), &style)
    }

    fn save_locals(&mut self, locals: Vec<LocalAddress>, style: &Style<'_>) -> Result<(), Failure> {
        for local in locals.iter().filter(|l| !l.draining) {
            let line = rule::local(local, style);
            self.output.text(&line)?;
        }
        Ok(())
    }
}

/// Takes out the addresses of one owner.
fn take(owners: &mut Vec<Vec<LocalAddress>>, key: Option<&ServiceKey>) -> Vec<LocalAddress> {
    let at = owners
        .iter()
        .position(|o| o.first().is_some_and(|l| l.service.as_ref() == key));
    at.map(|at| owners.remove(at)).unwrap_or_default()
}
