// SPDX-License-Identifier: GPL-2.0

//! [`Network`]: what lies between hosts. It loses, delays, reorders, doubles
//! and damages packets, and sometimes says that it has lost one.

use crate::{
    inet::{self, Check, View, L4},
    rng::Rng,
};
use std::net::IpAddr;

/// Bytes under way, and the conversation that they are of: for reports, and to
/// know what has befallen it. 0 is none.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) bytes: Vec<u8>,
    pub(crate) tag: u32,
    pub(crate) is_damaged: bool,
    /// The host that it is handed to, if not the one that it is addressed to.
    pub(crate) via: Option<IpAddr>,
}

/// How bad a network is: chances in 10,000 for each packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weather {
    pub(crate) loss: u32,
    pub(crate) double: u32,
    pub(crate) reorder: u32,
    pub(crate) damage: u32,
    /// Of lost packets: those whose sender is told.
    pub(crate) told: u32,
    pub(crate) delay_us: u64,
}

impl Weather {
    pub(crate) const CALM: Self = Self {
        loss: 0,
        double: 0,
        reorder: 0,
        damage: 0,
        told: 0,
        delay_us: 1000,
    };

    pub(crate) fn any(rng: &mut Rng) -> Self {
        if rng.chance(1500) {
            return Self::CALM;
        }
        Self {
            loss: rng.range(0, 600) as u32,
            double: rng.range(0, 400) as u32,
            reorder: rng.range(0, 1000) as u32,
            damage: if rng.chance(5000) {
                0
            } else {
                rng.range(1, 150) as u32
            },
            told: rng.range(0, 5000) as u32,
            delay_us: rng.range(200, 20_000),
        }
    }
}

/// What becomes of a packet.
#[derive(Default)]
pub(crate) struct Fate {
    /// Copies that arrive, each after so many microseconds.
    pub(crate) arrive: Vec<(u64, Frame)>,
    pub(crate) is_lost: bool,
    pub(crate) is_damaged: bool,
    pub(crate) is_doubled: bool,
    pub(crate) is_late: bool,
}

pub(crate) struct Network {
    weather: Weather,
    rng: Rng,
}

impl Network {
    pub(crate) fn new(weather: Weather, rng: &mut Rng) -> Self {
        let rng = rng.fork();
        Self { weather, rng }
    }

    pub(crate) fn carry(&mut self, mut frame: Frame) -> Fate {
        let (weather, rng) = (self.weather, &mut self.rng);
        let mut fate = Fate::default();
        if rng.chance(weather.loss) {
            fate.is_lost = true;
            if let Some(error) = report(&frame, rng).filter(|_| rng.chance(weather.told)) {
                fate.arrive.push((weather.delay_us, error));
            }
            return fate;
        }
        if !frame.is_damaged && rng.chance(weather.damage) && damage(&mut frame.bytes, rng) {
            frame.is_damaged = true;
            fate.is_damaged = true;
        }
        let mut delay = weather.delay_us + rng.range(0, weather.delay_us / 2);
        if rng.chance(weather.reorder) {
            fate.is_late = true;
            delay += rng.range(0, 80_000);
        }
        if rng.chance(weather.double) {
            fate.is_doubled = true;
            let later = delay + rng.range(0, 30_000);
            fate.arrive.push((later, frame.clone()));
        }
        fate.arrive.push((delay, frame));
        fate
    }
}

/// Changes one byte that a checksum covers: sums of one's complement see every
/// such change. Whether there was one.
fn damage(bytes: &mut [u8], rng: &mut Rng) -> bool {
    let unchecked = |view: &View| view.check == Check::None || matches!(view.l4, L4::Other(_));
    if View::read(bytes).map_or(true, |view| unchecked(&view)) {
        return false;
    }
    let l4 = inet::l4_offset(bytes);
    let start = match bytes[0] >> 4 {
        4 => 0,
        // IPv6 leaves all but its addresses to the transport's checksum.
        _ => 8,
    };
    let at = match rng.index(3) {
        0 => rng.range(start, bytes.len() as u64 - 1),
        1 => rng.range(l4 as u64, bytes.len() as u64 - 1),
        _ => rng.range(l4 as u64, bytes.len().min(l4 + 40) as u64 - 1),
    } as usize;
    // A UDP checksum must not become none.
    let is_udp = View::read(bytes).is_ok_and(|view| view.l4 == L4::Udp);
    if is_udp && (l4 + 6..l4 + 8).contains(&at) {
        return false;
    }
    bytes[at] ^= 1 << rng.index(8);
    true
}

/// The error of a router at which a packet's time was up.
fn report(frame: &Frame, rng: &mut Rng) -> Option<Frame> {
    let view = View::read(&frame.bytes).ok()?;
    if matches!(view.l4, L4::Other(_)) || frame.is_damaged {
        return None;
    }
    let (router, protocol, kind): (IpAddr, _, _) = match view.src.addr {
        IpAddr::V4(_) => ([203, 0, 113, 9].into(), 1, 11),
        IpAddr::V6(_) => (
            [0x20, 1, 0xd, 0xb8, 9, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9].into(),
            58,
            3,
        ),
    };
    let least = inet::l4_offset(&frame.bytes) + 8;
    let most = frame.bytes.len().min(500);
    let mut payload = vec![kind, 0, 0, 0, 0, 0, 0, 0];
    payload.extend(&frame.bytes[..rng.range(least as u64, most.max(least) as u64) as usize]);
    let error = View {
        src: inet::End::new(router, 0),
        dst: inet::End::new(view.src.addr, 0),
        ttl: 60,
        tos: 0,
        l4: L4::Other(protocol),
        payload,
        check: Check::Right,
    };
    Some(Frame {
        bytes: error.write(),
        tag: frame.tag,
        is_damaged: false,
        via: None,
    })
}
