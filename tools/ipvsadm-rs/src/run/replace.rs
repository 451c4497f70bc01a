// SPDX-License-Identifier: GPL-2.0

//! `-R --replace`: rules from a file in place of all that there are.

use super::restore::UNCHANGED;
use super::Session;
use crate::args::request::{Action, MasqOnly};
use crate::failure::Failure;
use crate::model::rule::SetRule;
use crate::rules::{BadLine, Rule};

impl Session<'_, '_, '_> {
    /// One message, so that the kernel takes the whole file or nothing.
    pub(super) fn replace(&mut self) -> Result<(), Failure> {
        let rules = self.rules()?;
        // A program that was to write the rules and failed leaves nothing.
        if rules.is_empty() {
            return Err(Failure::usage(
                "The input has no rules, and --replace would remove everything: `-C` does that, and `-Q` for local addresses.",
            ));
        }
        let set = rules
            .iter()
            .map(|rule| set_rule(&rule.request.action).map_err(|why| unchanged(rule, why)))
            .collect::<Result<Vec<_>, _>>()?;
        self.kernel.replace(&set).map_err(|(index, why)| {
            match index.and_then(|index| rules.get(index)) {
                Some(rule) => unchanged(rule, why),
                None => Failure {
                    text: format!("{} {UNCHANGED}", why.text),
                    ..why
                },
            }
        })
    }
}

/// What a line says that the set has.
fn set_rule(action: &Action) -> Result<SetRule<'_>, Failure> {
    match action {
        Action::AddService(key, settings, masq_only) => {
            Ok(SetRule::Service(key, settings, *masq_only == MasqOnly::On))
        }
        Action::AddDest(service, key, settings) => Ok(SetRule::Dest(service, key, settings)),
        Action::AddLocal(service, addr, dedicated) => {
            Ok(SetRule::Local(service.as_ref(), *addr, *dedicated))
        }
        _ => Err(Failure::usage(
            "With --replace the lines say what there is to be: -A, -a and -P, as -S writes them.",
        )),
    }
}

fn unchanged(rule: &Rule, why: Failure) -> Failure {
    BadLine {
        line: rule.line,
        text: rule.text.clone(),
        why,
    }
    .failure(UNCHANGED)
}
