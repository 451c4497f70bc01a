// SPDX-License-Identifier: GPL-2.0

//! What a namespace is set to, as the kernel tells it.

use std::net::{Ipv4Addr, Ipv6Addr};

use lvs_wire::netlink::{
    ipvs::{self, dest, svc, svc_flags},
    lvs::{self, laddr},
    toa,
};

use crate::{
    actor::Actor,
    core::{number_of, Numbers},
    family::{Family, TIMEOUTS},
    fields::{named, Fields, Told},
    message::{nest, Attr, Message},
    model::{Dest, Key, Local, Service, State, FULLNAT, SETTINGS},
    socket::{decode, What},
};

/// Reads everything, as one who has the right to.
pub(crate) struct Observer<'a> {
    pub(crate) actor: &'a mut Actor,
    pub(crate) numbers: &'a Numbers,
    /// The settings, too: a file each, which takes its time.
    pub(crate) settings: bool,
}

impl Observer<'_> {
    /// Everything that the actor may see.
    pub(crate) fn state(&mut self) -> Told<State> {
        let mut state = State::default();
        if self.actor.rights.initial {
            state.services = self.services()?;
            let config = self.ask(Family::Ipvs, ipvs::cmd::GET_CONFIG, false, vec![])?;
            let config = Fields::of(one(&config)?);
            for (kept, number) in state.timeouts.iter_mut().zip(TIMEOUTS) {
                *kept = config.u32(number)?;
            }
        }
        self.locals(&mut state)?;
        self.agrees(&state)?;
        for (name, ..) in SETTINGS.iter().filter(|_| self.settings) {
            let text = self
                .actor
                .read(name)
                .map_err(|error| format!("{name}: {error}"))?;
            let value = text
                .trim()
                .parse()
                .map_err(|_| format!("{name} is {text:?}"))?;
            state.settings.insert(*name, value);
        }
        let config = self.ask(Family::Toa, toa::cmd::GET_CONFIG, false, vec![])?;
        let config = Fields::of(one(&config)?);
        state.toa.kinds = config.get(toa::attr::KINDS)?.to_vec();
        for (_, nest) in config
            .0
            .iter()
            .filter(|(kind, _)| *kind == toa::attr::TRUSTED)
        {
            let source = Fields::of(nest);
            let bytes = source.get(toa::trusted::ADDR)?;
            let four = bytes.first_chunk::<4>().filter(|_| bytes.len() == 4);
            let addr = four.map_or_else(
                || {
                    source
                        .array::<16>(toa::trusted::ADDR)
                        .map(|all| Ipv6Addr::from(all).into())
                },
                |four| Ok(Ipv4Addr::from(*four).into()),
            )?;
            state
                .toa
                .trusted
                .push((addr, source.u8(toa::trusted::PREFIX)?));
        }
        Ok(state)
    }

    /// What is sent back to one request, which must be taken.
    pub(crate) fn ask(
        &mut self,
        family: Family,
        command: u8,
        dump: bool,
        attrs: Vec<Attr>,
    ) -> Told<Vec<Vec<u8>>> {
        let message = Message::new(family, command, dump, attrs);
        let kind = number_of(self.numbers, family);
        let bytes = self
            .actor
            .send(&message.encode(kind, 0))
            .map_err(|error| format!("{message}: {error}"))?;
        let mut all = Vec::new();
        let mut is_whole = false;
        for got in decode(&bytes)? {
            match got.what {
                What::Data(data) => all.push(data),
                What::Ack(0, _) | What::End(0, _) => is_whole = true,
                what => return Err(format!("{message} was refused: {what:?}")),
            }
        }
        if is_whole {
            Ok(all)
        } else {
            Err(format!("{message} has no end"))
        }
    }

    fn services(&mut self) -> Told<Vec<Service>> {
        let told = self.ask(Family::Ipvs, ipvs::cmd::GET_SERVICE, true, vec![])?;
        let ours = self.ask(Family::Lvs, lvs::cmd::GET_SERVICE, true, vec![])?;
        if told.len() != ours.len() {
            return Err(format!(
                "IPVS lists {} services, LVS {}",
                told.len(),
                ours.len()
            ));
        }
        let mut services = Vec::new();
        for (told, ours) in told.iter().zip(&ours) {
            let told = Fields::of(told).nest(ipvs::attr::SERVICE)?;
            let ours = Fields::of(ours).nest(lvs::attr::SERVICE)?;
            let key = told.key()?;
            if ours.key()? != key || ours.get(lvs::svc::SCHED)? != told.get(svc::SCHED_NAME)? {
                return Err(format!(
                    "IPVS and LVS do not list the same service at the place of {key:?}"
                ));
            }
            let [a, b, c, d, ..] = told.array::<8>(svc::FLAGS)?;
            let flags = u32::from_ne_bytes([a, b, c, d]);
            if flags & svc_flags::HASHED == 0 {
                return Err(format!("{key:?} is listed as not being in the table"));
            }
            let scheduler = told.get(svc::SCHED_NAME)?.split(|byte| *byte == 0).next();
            services.push(Service {
                scheduler: String::from_utf8_lossy(scheduler.unwrap_or_default()).into_owned(),
                flags: flags & !svc_flags::HASHED,
                timeout: told.u32(svc::TIMEOUT)?,
                netmask: told.array(svc::NETMASK)?,
                masq_only: ours.u32(lvs::svc::FLAGS)? & lvs::svc_flags::MASQ_ONLY != 0,
                dests: self.dests(&key)?,
                key,
            });
        }
        Ok(services)
    }

    /// Oldest first, though listings begin with the latest.
    fn dests(&mut self, key: &Key) -> Told<Vec<Dest>> {
        let told = self.ask(
            Family::Ipvs,
            ipvs::cmd::GET_DEST,
            true,
            vec![nest(ipvs::attr::SERVICE, named(key))],
        )?;
        let ours = self.ask(
            Family::Lvs,
            lvs::cmd::GET_DEST,
            true,
            vec![nest(lvs::attr::SERVICE, named(key))],
        )?;
        if told.len() != ours.len() {
            return Err(format!(
                "IPVS lists {} servers of {key:?}, LVS {}",
                told.len(),
                ours.len()
            ));
        }
        let mut dests = Vec::new();
        for (told, ours) in told.iter().zip(&ours).rev() {
            let told = Fields::of(told).nest(ipvs::attr::DEST)?;
            let ours = Fields::of(ours).nest(lvs::attr::DEST)?;
            let addr = told.addr(dest::ADDR, dest::ADDR_FAMILY)?;
            let (port, weight, method) = (
                told.be16(dest::PORT)?,
                told.u32(dest::WEIGHT)?,
                ours.u32(lvs::dest::CONFIGURED)?,
            );
            let same = ours.addr(lvs::dest::ADDR, lvs::dest::AF)? == addr
                && ours.be16(lvs::dest::PORT)? == port
                && ours.u32(lvs::dest::WEIGHT)? == weight
                && told.u32(dest::FWD_METHOD)? == if method == FULLNAT { 0 } else { method };
            if !same {
                return Err(format!(
                    "IPVS and LVS do not say the same of {addr} port {port} of {key:?}"
                ));
            }
            dests.push(Dest {
                addr,
                port,
                method,
                weight,
                upper: told.u32(dest::U_THRESH)?,
                lower: told.u32(dest::L_THRESH)?,
                tunnel: (
                    told.u8(dest::TUN_TYPE)?,
                    told.be16(dest::TUN_PORT)?,
                    told.u16(dest::TUN_FLAGS)?,
                ),
                in_effect: Some(ours.u32(lvs::dest::METHOD)?),
            });
        }
        Ok(dests)
    }

    fn locals(&mut self, state: &mut State) -> Told<()> {
        for told in self.ask(Family::Lvs, lvs::cmd::GET_LADDR, true, vec![])? {
            let told = Fields::of(&told);
            let owner = told
                .nest(lvs::attr::SERVICE)
                .ok()
                .map(|service| service.key())
                .transpose()?;
            let local = told.nest(lvs::attr::LADDR)?;
            if local.u32(laddr::CONNS)? != 0 {
                return Err(
                    "a local address has connections, though there was no packet".to_string(),
                );
            }
            // One that was removed is listed until the next time that somebody looks for idle ones.
            if local.u8(laddr::DRAINING)? == 0 {
                let (addr, flags) = (
                    local.addr(laddr::ADDR, laddr::AF)?,
                    local.u32(laddr::FLAGS)?,
                );
                let dedicated = flags & lvs::laddr_flags::DEDICATED != 0;
                state
                    .pools
                    .entry(owner)
                    .or_default()
                    .push(Local { addr, dedicated });
            }
        }
        Ok(())
    }

    /// Whether the totals are those of the lists.
    fn agrees(&mut self, state: &State) -> Told<()> {
        let info = self.ask(Family::Lvs, lvs::cmd::GET_INFO, false, vec![])?;
        let info = Fields::of(one(&info)?).nest(lvs::attr::INFO)?;
        let counted = [
            info.u32(lvs::info::SERVICES)?,
            info.u32(lvs::info::DEFAULT_LADDRS)?,
        ]
        .map(|count| count as usize);
        let listed = [
            state.services.len(),
            state.pools.get(&None).map_or(0, Vec::len),
        ];
        if counted != listed {
            return Err(format!(
                "services and default addresses: {counted:?} are counted, {listed:?} listed"
            ));
        }
        Ok(())
    }
}

fn one(told: &[Vec<u8>]) -> Told<&[u8]> {
    told.first()
        .map(Vec::as_slice)
        .ok_or("there is no reply".to_string())
}
