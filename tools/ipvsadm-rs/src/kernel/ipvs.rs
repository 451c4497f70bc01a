// SPDX-License-Identifier: GPL-2.0

//! What the family `IPVS` can be asked, by either module.

use lvs_wire::netlink::ipvs::{cmd, VERSION};

use super::refusal::Operation;
use super::{decode_all, decode_one, understand, Kernel};
use crate::failure::Failure;
use crate::model::daemon::{Daemon, Role};
use crate::model::dest::{Dest, DestKey, DestSettings};
use crate::model::info::{Info, Timeouts};
use crate::model::service::{Service, ServiceKey, Settings};
use crate::nl::builder::Builder;
use crate::nl::ipvs::{daemon, dest, info, service};
use crate::nl::message::Request;
use crate::socket::Answer;

impl Kernel<'_> {
    /// Version and table size.
    pub(crate) fn info(&mut self) -> Result<Info, Failure> {
        let answer = self.ask(cmd::GET_INFO, Builder::default(), Operation::GetInfo)?;
        decode_one(&answer, info::decode)
    }

    /// Every service, in the kernel's order.
    pub(crate) fn services(&mut self) -> Result<Vec<Service>, Failure> {
        let answer = self.dump(cmd::GET_SERVICE, Builder::default(), Operation::GetService)?;
        decode_all(&answer, service::decode)
    }

    /// One service.
    pub(crate) fn service(&mut self, key: &ServiceKey) -> Result<Service, Failure> {
        let answer = self.ask(cmd::GET_SERVICE, service::named(key), Operation::GetService)?;
        decode_one(&answer, service::decode)
    }

    /// A service's destinations, in the kernel's order.
    pub(crate) fn dests(&mut self, key: &ServiceKey) -> Result<Vec<Dest>, Failure> {
        let answer = self.dump(cmd::GET_DEST, service::named(key), Operation::GetDest)?;
        let family = key.family();
        answer
            .messages
            .iter()
            .map(|m| understand(dest::decode(m, family)))
            .collect()
    }

    /// Adds a service.
    pub(crate) fn add_service(
        &mut self,
        key: &ServiceKey,
        settings: &Settings,
    ) -> Result<(), Failure> {
        let attrs = service::full(key, settings);
        self.tell(cmd::NEW_SERVICE, attrs, Operation::AddService)
    }

    /// Replaces a service's settings.
    pub(crate) fn edit_service(
        &mut self,
        key: &ServiceKey,
        settings: &Settings,
    ) -> Result<(), Failure> {
        let attrs = service::full(key, settings);
        self.tell(cmd::SET_SERVICE, attrs, Operation::EditService)
    }

    /// Deletes a service and its destinations.
    pub(crate) fn delete_service(&mut self, key: &ServiceKey) -> Result<(), Failure> {
        self.tell(
            cmd::DEL_SERVICE,
            service::named(key),
            Operation::DeleteService,
        )
    }

    /// Deletes every service.
    pub(crate) fn clear(&mut self) -> Result<(), Failure> {
        self.tell(cmd::FLUSH, Builder::default(), Operation::Clear)
    }

    /// Zeroes the counters of a service, or all.
    pub(crate) fn zero(&mut self, key: Option<&ServiceKey>) -> Result<(), Failure> {
        let attrs = key.map(service::named).unwrap_or_default();
        self.tell(cmd::ZERO, attrs, Operation::Zero)
    }

    /// Adds a destination.
    pub(crate) fn add_dest(
        &mut self,
        service_key: &ServiceKey,
        key: &DestKey,
        settings: &DestSettings,
    ) -> Result<(), Failure> {
        let mut attrs = service::named(service_key);
        dest::add_full(&mut attrs, key, settings);
        self.tell(cmd::NEW_DEST, attrs, Operation::AddDest)
    }

    /// Replaces a destination's settings.
    pub(crate) fn edit_dest(
        &mut self,
        service_key: &ServiceKey,
        key: &DestKey,
        settings: &DestSettings,
    ) -> Result<(), Failure> {
        let mut attrs = service::named(service_key);
        dest::add_full(&mut attrs, key, settings);
        self.tell(cmd::SET_DEST, attrs, Operation::EditDest)
    }

    /// Deletes a destination.
    pub(crate) fn delete_dest(
        &mut self,
        service_key: &ServiceKey,
        key: &DestKey,
    ) -> Result<(), Failure> {
        let mut attrs = service::named(service_key);
        dest::add_named(&mut attrs, key);
        self.tell(cmd::DEL_DEST, attrs, Operation::DeleteDest)
    }

    /// The three timeouts.
    pub(crate) fn timeouts(&mut self) -> Result<Timeouts, Failure> {
        let answer = self.ask(cmd::GET_CONFIG, Builder::default(), Operation::GetTimeouts)?;
        decode_one(&answer, info::decode_timeouts)
    }

    /// Sets the timeouts that are not 0.
    pub(crate) fn set_timeouts(&mut self, timeouts: &Timeouts) -> Result<(), Failure> {
        let attrs = info::encode_timeouts(timeouts);
        self.tell(cmd::SET_CONFIG, attrs, Operation::SetTimeouts)
    }

    /// The sync daemons that run.
    pub(crate) fn daemons(&mut self) -> Result<Vec<Daemon>, Failure> {
        let answer = self.dump(cmd::GET_DAEMON, Builder::default(), Operation::GetDaemon)?;
        decode_all(&answer, daemon::decode)
    }

    /// Starts a sync daemon.
    pub(crate) fn start_daemon(&mut self, settings: &Daemon) -> Result<(), Failure> {
        let attrs = daemon::encode_start(settings);
        self.tell(cmd::NEW_DAEMON, attrs, Operation::StartDaemon)
    }

    /// Stops a sync daemon.
    pub(crate) fn stop_daemon(&mut self, role: Role) -> Result<(), Failure> {
        self.tell(
            cmd::DEL_DAEMON,
            daemon::encode_stop(role),
            Operation::StopDaemon,
        )
    }

    fn tell(&mut self, command: u8, attrs: Builder, operation: Operation) -> Result<(), Failure> {
        self.ask(command, attrs, operation).map(|_| ())
    }

    fn ask(
        &mut self,
        command: u8,
        attrs: Builder,
        operation: Operation,
    ) -> Result<Answer, Failure> {
        let request = self.ipvs_request(command, false, attrs);
        self.call(&request, operation)
    }

    fn dump(
        &mut self,
        command: u8,
        attrs: Builder,
        operation: Operation,
    ) -> Result<Answer, Failure> {
        let request = self.ipvs_request(command, true, attrs);
        self.call(&request, operation)
    }

    fn ipvs_request(&self, command: u8, dump: bool, attrs: Builder) -> Request {
        Request {
            family: self.ipvs,
            version: VERSION,
            command,
            dump,
            attrs: attrs.into_bytes(),
        }
    }
}
