// SPDX-License-Identifier: GPL-2.0

//! What can be asked of the kernel, in the model's words.

mod connect;
mod ipvs;
mod lvs;
pub(crate) mod refusal;
mod toa;

use crate::failure::Failure;
use crate::nl::attrs::Malformed;
use crate::nl::message::Request;
use crate::socket::{Answer, Transport};
use refusal::{explain, Operation};

pub(crate) use toa::ToaModule;

/// The families a loaded module has registered.
pub(crate) struct Kernel<'t> {
    transport: &'t mut dyn Transport,
    ipvs: u16,
    lvs: Option<u16>,
    /// Warnings that came with successes, oldest first.
    warnings: Vec<String>,
}

/// A reply per message, decoded.
type Decode<T> = fn(&[u8]) -> Result<T, Malformed>;

impl Kernel<'_> {
    /// Whether the module is lvs rather than stock ip_vs.
    pub(crate) fn is_lvs(&self) -> bool {
        self.lvs.is_some()
    }

    /// Adds a warning of our own to the kernel's.
    pub(crate) fn add_warning(&mut self, text: &str) {
        self.warnings.push(text.to_string());
    }

    /// Takes the warnings so far.
    pub(crate) fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    fn call(&mut self, request: &Request, operation: Operation) -> Result<Answer, Failure> {
        let answer = self
            .transport
            .call(request)
            .map_err(|trouble| explain(operation, trouble, self.lvs.is_some()))?;
        self.warnings.extend(answer.warning.clone());
        Ok(answer)
    }
}

/// Decodes every message of an answer.
fn decode_all<T>(answer: &Answer, decode: Decode<T>) -> Result<Vec<T>, Failure> {
    answer
        .messages
        .iter()
        .map(|m| understand(decode(m)))
        .collect()
}

/// Decodes the only message of an answer.
fn decode_one<T>(answer: &Answer, decode: Decode<T>) -> Result<T, Failure> {
    let message = answer.messages.first().ok_or_else(|| {
        Failure::unlisted("The kernel acknowledged the question but sent no answer: the module does not match this tool.")
    })?;
    understand(decode(message))
}

fn understand<T>(decoded: Result<T, Malformed>) -> Result<T, Failure> {
    decoded.map_err(|why| {
        Failure::unlisted(format!(
            "The kernel's answer makes no sense ({why}): the module does not match this tool."
        ))
    })
}
