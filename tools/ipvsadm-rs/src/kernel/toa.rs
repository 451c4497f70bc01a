// SPDX-License-Identifier: GPL-2.0

//! What toa.ko on a real server can be asked.

use lvs_wire::netlink::toa::{cmd, NAME, VERSION};

use super::connect::resolve;
use super::refusal::{explain, Operation};
use super::understand;
use crate::failure::Failure;
use crate::model::toa::{Toa, ToaChange};
use crate::nl::builder::Builder;
use crate::nl::message::Request;
use crate::nl::toa;
use crate::socket::{Answer, Transport};

/// The family a loaded toa.ko has registered.
pub(crate) struct ToaModule<'t> {
    transport: &'t mut dyn Transport,
    family: u16,
}

impl<'t> ToaModule<'t> {
    /// Finds the family.
    pub(crate) fn connect(transport: &'t mut dyn Transport) -> Result<Self, Failure> {
        let family = resolve(transport, NAME)?.ok_or_else(|| {
            Failure::usage(
                "toa.ko is not loaded on this machine: it belongs on the real servers, load it there with `modprobe toa`.",
            )
        })?;
        Ok(Self { transport, family })
    }

    /// Counters and settings.
    pub(crate) fn read(&mut self) -> Result<Toa, Failure> {
        let mut state = Toa::default();
        for command in [cmd::GET_STATS, cmd::GET_CONFIG] {
            let answer = self.call(command, Builder::default(), Operation::GetToa)?;
            for message in &answer.messages {
                understand(toa::merge(&mut state, message))?;
            }
        }
        Ok(state)
    }

    /// Changes settings.
    pub(crate) fn change(&mut self, change: &ToaChange) -> Result<(), Failure> {
        self.call(cmd::SET_CONFIG, toa::encode(change), Operation::SetToa)
            .map(|_| ())
    }

    fn call(
        &mut self,
        command: u8,
        attrs: Builder,
        operation: Operation,
    ) -> Result<Answer, Failure> {
        let request = Request {
            family: self.family,
            version: VERSION,
            command,
            dump: false,
            attrs: attrs.into_bytes(),
        };
        self.transport
            .call(&request)
            .map_err(|trouble| explain(operation, trouble, true))
    }
}
