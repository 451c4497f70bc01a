// SPDX-License-Identifier: GPL-2.0

//! `-R`: rules from a file.

use super::Session;
use crate::args::request::Action;
use crate::failure::Failure;
use crate::names::System;
use crate::rules::{self, BadLine, Rule};

/// What a refusal says when no line has had an effect.
pub(super) const UNCHANGED: &str = "Nothing was changed.";

impl Session<'_, '_, '_> {
    /// Understands the whole file before the first change; stops at the
    /// first line that the kernel refuses.
    pub(super) fn restore(&mut self) -> Result<(), Failure> {
        let rules = self.rules()?;
        self.restoring = true;
        for rule in rules {
            self.apply(&rule).map_err(|why| refused(rule, why))?;
        }
        Ok(())
    }

    /// The rules of the input.
    pub(super) fn rules(&mut self) -> Result<Vec<Rule>, Failure> {
        let mut bytes = Vec::new();
        self.input
            .read_to_end(&mut bytes)
            .map_err(|e| Failure::usage(format!("The rules could not be read: {e}.")))?;
        let text = String::from_utf8_lossy(&bytes);
        rules::parse(&text, &System).map_err(|bad| bad.failure(UNCHANGED))
    }

    fn apply(&mut self, rule: &Rule) -> Result<(), Failure> {
        if let Action::AddLocal(service, addr, dedicated) = &rule.request.action {
            // Local addresses outlive `-C`, so a file may find its own.
            let known = self.kernel.locals(service.as_ref())?;
            let same =
                |l: &&crate::model::laddr::LocalAddress| l.service == *service && l.addr == *addr;
            match known.iter().find(same).filter(|l| !l.draining) {
                Some(local) if local.dedicated == *dedicated => return Ok(()),
                // Its connections go on; the new ones find it as the file has it.
                Some(_) => self.kernel.delete_local(service.as_ref(), *addr)?,
                None => {}
            }
        }
        self.perform(&rule.request)
    }
}

fn refused(rule: Rule, why: Failure) -> Failure {
    BadLine {
        line: rule.line,
        text: rule.text,
        why,
    }
    .failure("The lines before it are in place.")
}
