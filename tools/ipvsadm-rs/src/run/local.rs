// SPDX-License-Identifier: GPL-2.0

//! Local addresses, owner by owner.

use super::{style, Session};
use crate::args::request::Request;
use crate::failure::Failure;
use crate::model::laddr::LocalAddress;
use crate::model::service::ServiceKey;
use crate::show::{json, laddr};

impl Session<'_, '_, '_> {
    pub(super) fn list_locals(
        &mut self,
        key: Option<&ServiceKey>,
        request: &Request,
    ) -> Result<(), Failure> {
        let owners = match key {
            Some(_) => vec![self.kernel.locals(key)?],
            None => self.all_locals()?,
        };
        if request.format.json {
            let list: Vec<LocalAddress> = owners.into_iter().flatten().collect();
            return self.output.text(&json::text(&json::locals(&list)));
        }
        let style = style(request);
        self.output.text(&laddr::title())?;
        for locals in &owners {
            self.output.text(&laddr::lines(locals, &style))?;
        }
        Ok(())
    }

    /// Every local address, the default pool's first and then each service's.
    pub(super) fn all_locals(&mut self) -> Result<Vec<Vec<LocalAddress>>, Failure> {
        let mut owners: Vec<Vec<LocalAddress>> = Vec::new();
        for local in self.kernel.locals(None)? {
            add(&mut owners, local);
        }
        // Asked of the family that anyone may ask.
        for (key, extra) in self.kernel.extras()? {
            let known = owners.iter().any(|o| belongs(o, Some(&key)));
            if extra.local_addresses > 0 && !known {
                for local in self.kernel.locals(Some(&key))? {
                    add(&mut owners, local);
                }
            }
        }
        Ok(owners)
    }
}

fn add(owners: &mut Vec<Vec<LocalAddress>>, local: LocalAddress) {
    match owners
        .iter_mut()
        .find(|o| belongs(o, local.service.as_ref()))
    {
        Some(owner) => owner.push(local),
        None => owners.push(vec![local]),
    }
}

fn belongs(owner: &[LocalAddress], key: Option<&ServiceKey>) -> bool {
    owner.first().is_some_and(|l| l.service.as_ref() == key)
}
