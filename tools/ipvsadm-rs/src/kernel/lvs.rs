// SPDX-License-Identifier: GPL-2.0

//! What only lvs can be asked.

use std::net::IpAddr;

use lvs_wire::netlink::lvs::{cmd, VERSION};

use super::refusal::{explain, Operation};
use super::{decode_all, decode_one, Kernel};
use crate::failure::Failure;
use crate::model::conn::{Conn, Endpoint};
use crate::model::dest::{DestKey, Methods};
use crate::model::info::Drop;
use crate::model::laddr::LocalAddress;
use crate::model::rule::SetRule;
use crate::model::service::{Extra, ServiceKey};
use crate::nl::builder::Builder;
use crate::nl::lvs::{conn, dest, drops, laddr, rule, service};
use crate::nl::message::Request;
use crate::socket::{Answer, Trouble};

impl Kernel<'_> {
    /// What lvs adds to each service.
    pub(crate) fn extras(&mut self) -> Result<Vec<(ServiceKey, Extra)>, Failure> {
        let answer = self.lvs_dump(cmd::GET_SERVICE, Builder::default(), Operation::GetService)?;
        decode_all(&answer, service::decode)
    }

    /// What lvs adds to one service.
    pub(crate) fn extra(&mut self, key: &ServiceKey) -> Result<(ServiceKey, Extra), Failure> {
        let mut attrs = Builder::default();
        service::add_named(&mut attrs, key);
        let answer = self.lvs_ask(cmd::GET_SERVICE, attrs, Operation::GetService)?;
        decode_one(&answer, service::decode)
    }

    /// Keeps NAT destinations NAT, or lets local addresses make them FULLNAT.
    pub(crate) fn set_masq_only(
        &mut self,
        key: &ServiceKey,
        masq_only: bool,
    ) -> Result<(), Failure> {
        let attrs = service::encode_flags(key, masq_only);
        self.lvs_ask(cmd::SET_SERVICE, attrs, Operation::SetMasqOnly)
            .map(|_| ())
    }

    /// The methods of a service's destinations; none if it has gone since it
    /// was listed: others may change what is being read.
    pub(crate) fn methods(&mut self, key: &ServiceKey) -> Result<Vec<(DestKey, Methods)>, Failure> {
        let mut attrs = Builder::default();
        service::add_named(&mut attrs, key);
        let request = self.lvs_request(cmd::GET_DEST, true, attrs)?;
        match self.transport.call(&request) {
            Ok(answer) => decode_all(&answer, dest::decode),
            Err(Trouble::Refused {
                errno: libc::ESRCH, ..
            }) => Ok(Vec::new()),
            Err(trouble) => Err(explain(Operation::GetDest, trouble, true)),
        }
    }

    /// Adds a local address to a service, or to the default pool.
    pub(crate) fn add_local(
        &mut self,
        service: Option<&ServiceKey>,
        addr: IpAddr,
        dedicated: bool,
    ) -> Result<(), Failure> {
        let attrs = laddr::encode_new(service, addr, dedicated);
        self.lvs_ask(cmd::NEW_LADDR, attrs, Operation::AddLocal)
            .map(|_| ())
    }

    /// Removes a local address.
    pub(crate) fn delete_local(
        &mut self,
        service: Option<&ServiceKey>,
        addr: IpAddr,
    ) -> Result<(), Failure> {
        let attrs = laddr::encode_name(service, addr);
        self.lvs_ask(cmd::DEL_LADDR, attrs, Operation::DeleteLocal)
            .map(|_| ())
    }

    /// Local addresses of a service, or of the default pool.
    pub(crate) fn locals(
        &mut self,
        service: Option<&ServiceKey>,
    ) -> Result<Vec<LocalAddress>, Failure> {
        let answer = self.lvs_dump(cmd::GET_LADDR, laddr::of(service), Operation::GetLocal)?;
        decode_all(&answer, laddr::decode)
    }

    /// Connections, all or those that leave from a local address and port.
    pub(crate) fn conns(&mut self, local: Option<&Endpoint>) -> Result<Vec<Conn>, Failure> {
        let attrs = local.map(conn::from_local).unwrap_or_default();
        let answer = self.lvs_dump(cmd::GET_CONN, attrs, Operation::GetConn)?;
        decode_all(&answer, conn::decode)
    }

    /// The drop counters.
    pub(crate) fn drops(&mut self) -> Result<Vec<Drop>, Failure> {
        let answer = self.lvs_ask(cmd::GET_DROPS, Builder::default(), Operation::GetDrops)?;
        let lists = decode_all(&answer, drops::decode)?;
        Ok(lists.into_iter().flatten().collect())
    }

    /// The counters of what else happened to packets.
    pub(crate) fn events(&mut self) -> Result<Vec<Drop>, Failure> {
        let answer = self.lvs_ask(cmd::GET_EVENTS, Builder::default(), Operation::GetDrops)?;
        let lists = decode_all(&answer, drops::decode)?;
        Ok(lists.into_iter().flatten().collect())
    }

    /// Puts a set in place of all that there is, at once or not at all. A
    /// refusal comes with the index of the rule that it is about, if the kernel
    /// named one.
    pub(crate) fn replace(
        &mut self,
        rules: &[SetRule<'_>],
    ) -> Result<(), (Option<usize>, Failure)> {
        let mut attrs = Builder::default();
        let mut starts = Vec::with_capacity(rules.len());
        for each in rules {
            starts.push(attrs.len());
            rule::add(&mut attrs, each);
        }
        let request = self
            .lvs_request(cmd::REPLACE, false, attrs)
            .map_err(|why| (None, why))?;
        match self.transport.call(&request) {
            Ok(answer) => {
                self.warnings.extend(answer.warning);
                Ok(())
            }
            Err(trouble) => {
                let rule = match &trouble {
                    Trouble::Refused {
                        place: Some(place), ..
                    } => starts
                        .partition_point(|start| start <= place)
                        .checked_sub(1),
                    _ => None,
                };
                Err((rule, explain(Operation::Replace, trouble, true)))
            }
        }
    }

    fn lvs_ask(
        &mut self,
        command: u8,
        attrs: Builder,
        operation: Operation,
    ) -> Result<Answer, Failure> {
        let request = self.lvs_request(command, false, attrs)?;
        self.call(&request, operation)
    }

    fn lvs_dump(
        &mut self,
        command: u8,
        attrs: Builder,
        operation: Operation,
    ) -> Result<Answer, Failure> {
        let request = self.lvs_request(command, true, attrs)?;
        self.call(&request, operation)
    }

    fn lvs_request(&self, command: u8, dump: bool, attrs: Builder) -> Result<Request, Failure> {
        let family = self.lvs.ok_or_else(|| {
            Failure::refused(
                "This needs the lvs module, and the kernel runs stock ip_vs: \
                 unload it (`ipvsadm -C`, then `modprobe -r` its ip_vs_* schedulers and ip_vs) and load lvs (`modprobe lvs`).",
            )
        })?;
        Ok(Request {
            family,
            version: VERSION,
            command,
            dump,
            attrs: attrs.into_bytes(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nl::attrs::Attrs;
    use crate::socket::Transport;
    use lvs_wire::netlink::lvs::attr;

    /// A kernel that refuses what stands at a place, and counts rules.
    struct Refusing {
        place: Option<usize>,
        rules: usize,
    }

    impl Transport for Refusing {
        fn call(&mut self, request: &Request) -> Result<Answer, Trouble> {
            let mut rest = request.attrs.as_slice();
            while let Some([low, high, ..]) = rest.first_chunk::<4>() {
                let length = usize::from(u16::from_ne_bytes([*low, *high]));
                assert!(Attrs::parse(&rest[..length])
                    .unwrap()
                    .nest(attr::RULE)
                    .is_ok());
                self.rules = self.rules.saturating_add(1);
                rest = &rest[length.next_multiple_of(4)..];
            }
            Err(Trouble::Refused {
                errno: libc::EEXIST,
                words: None,
                place: self.place,
            })
        }
    }

    fn refused_at(place: Option<usize>) -> Option<usize> {
        let mut transport = Refusing { place, rules: 0 };
        let mut kernel = Kernel {
            transport: &mut transport,
            ipvs: 1,
            lvs: Some(2),
            warnings: Vec::new(),
        };
        let local = |last| SetRule::Local(None, [10, 0, 0, last].into(), false);
        let (rule, why) = kernel.replace(&[local(1), local(2), local(3)]).unwrap_err();
        assert_eq!(why.text, "It is there already: a set has everything once.");
        assert_eq!(transport.rules, 3);
        rule
    }

    #[test]
    fn a_refusal_is_about_the_rule_that_its_place_is_in() {
        // A rule, its nest and two values: 24 bytes.
        for (place, rule) in [(0, 0), (23, 0), (24, 1), (47, 1), (48, 2), (71, 2)] {
            assert_eq!(refused_at(Some(place)), Some(rule), "{place}");
        }
        assert_eq!(refused_at(None), None);
    }
}
