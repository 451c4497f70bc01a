// SPDX-License-Identifier: GPL-2.0

//! What a packet must have become: the laws of translation, said once more in
//! other words than the engine's, over packets as the ends read them.

use crate::{
    director::Opened,
    inet::{self, Check, End, Tcp, View, ACK, RST, SYN},
};
use lvs_engine::{
    conn::{Dir, Method},
    tcp::TcpState,
};

/// What is known of a connection from outside.
pub(crate) struct Known<'a> {
    pub(crate) opened: &'a Opened,
    /// What the server's numbers of the client are ahead by; known when the
    /// first segment has passed.
    pub(crate) delta: Option<u32>,
    /// The server has shown that it knows the client; unknown after a server
    /// has answered a SYN in another way than the first time.
    pub(crate) answered: Option<bool>,
    /// The number of the SYN that opened it.
    pub(crate) client_isn: Option<u32>,
    /// The state that the packet has met.
    pub(crate) met: TcpState,
}

type Verdict = Result<(), String>;

fn same<T: PartialEq + std::fmt::Debug>(what: &str, is: T, should: T) -> Verdict {
    if is == should {
        return Ok(());
    }
    Err(format!("{what} is {is:?}, should be {should:?}"))
}

/// Whether `after` is what a packet becomes. `keeps_ttl`: forwarding has
/// counted the hop.
pub(crate) fn forwarded(
    known: &Known<'_>,
    dir: Dir,
    before: &View,
    after: &[u8],
    keeps_ttl: bool,
) -> Verdict {
    let len = after.len();
    let after = View::read(after).map_err(|why| format!("what leaves has {why}"))?;
    let conn = known.opened;
    same("the TTL", after.ttl, before.ttl - u8::from(!keeps_ttl))?;
    same("the traffic class", after.tos, before.tos)?;
    if conn.method == Method::Droute {
        let mut plain = before.clone();
        plain.ttl = after.ttl;
        return same("a packet by direct routing", after, plain);
    }
    let (came, goes) = match dir {
        Dir::In => ((conn.client, conn.virt), (conn.local, conn.real)),
        Dir::Out => ((conn.real, conn.local), (conn.virt, conn.client)),
    };
    same("the connection's packet", (before.src, before.dst), came)?;
    same("source and destination", (after.src, after.dst), goes)?;
    same("the payload", &after.payload, &before.payload)?;
    checksum(before, &after)?;
    match (before.tcp(), after.tcp()) {
        (Some(old), Some(new)) => {
            tcp(known, dir, old, new)?;
            // What is as long as its sender's MSS allows fits the link.
            match before.check == Check::Right && len > 1500 {
                true => Err(format!("{len} bytes, more than the link takes")),
                false => Ok(()),
            }
        }
        (None, None) => Ok(()),
        _ => Err("another protocol".to_string()),
    }
}

/// What was right is right, what was wrong is wrong, what was not there is not
/// there, unless IPv6 wants it.
fn checksum(before: &View, after: &View) -> Verdict {
    let should = match before.check {
        Check::None if after.src.addr.is_ipv6() => Check::Right,
        check => check,
    };
    same("the checksum", after.check, should)
}

fn tcp(known: &Known<'_>, dir: Dir, old: &Tcp, new: &Tcp) -> Verdict {
    let delta = known.delta.unwrap_or(new.seq.wrapping_sub(old.seq));
    if known.opened.method == Method::Nat {
        same("the difference of NAT", delta, 0)?;
    }
    same("the flags", new.flags, old.flags)?;
    same(
        "the window",
        (new.window, new.urgent),
        (old.window, old.urgent),
    )?;
    let acks = old.flags & ACK != 0;
    let (seq, ack) = match dir {
        Dir::In => (old.seq.wrapping_add(delta), old.ack),
        Dir::Out if acks => (old.seq, old.ack.wrapping_sub(delta)),
        Dir::Out => (old.seq, old.ack),
    };
    same("the sequence number", new.seq, seq)?;
    same("the acknowledgement", new.ack, ack)?;
    match dir {
        Dir::In => options_in(known, old, new),
        Dir::Out => options_out(known, delta, old, new),
    }
}

type Options = Vec<(u8, Vec<u8>)>;

/// To the server: the client's own TOA goes, the right one comes, on a SYN and
/// until the server has answered; to make room, SACK blocks and what says
/// nothing there, and timestamps of a SYN.
fn options_in(known: &Known<'_>, old: &Tcp, new: &Tcp) -> Verdict {
    let syn = old.flags & SYN != 0;
    let first = known.client_isn.map(|isn| isn.wrapping_add(1)) == Some(old.seq);
    // A server that has forgotten might take it for a handshake's.
    let again = match known.met {
        TcpState::Established => syn,
        TcpState::Close => true,
        _ => syn || first,
    };
    match known.answered {
        Some(true) if !again => kept(old, new),
        None if !syn => told(known, old, new).or_else(|_| kept(old, new)),
        _ => told(known, old, new),
    }
}

/// All but what may not be believed passes.
fn kept(old: &Tcp, new: &Tcp) -> Verdict {
    let mut should = inet::readable_options(&old.options);
    should.retain(|(kind, _)| !matches!(kind, 253 | 254));
    let is = inet::options(&new.options).ok_or("options came out malformed")?;
    same("the options", is, should)
}

/// What the server is told of its client.
fn told(known: &Known<'_>, old: &Tcp, new: &Tcp) -> Verdict {
    // Receivers stop at a malformed one.
    let mut should = inet::readable_options(&old.options);
    let mut is = inet::options(&new.options).ok_or("options came out malformed")?;
    should.retain(|(kind, _)| !matches!(kind, 253 | 254));
    let toa = is.iter().position(|(kind, _)| *kind == 254);
    let toa = toa.map(|at| is.remove(at).1);
    let wants = known.opened.has_toa && old.flags & RST == 0 && may_tell(known, old, &should);
    same("TOA", toa.is_some(), wants)?;
    if let Some(toa) = toa {
        let client = known.opened.client;
        same(
            "who TOA says the client is",
            crate::tcp::read_toa(&toa),
            Some(client),
        )?;
    }
    if old.flags & SYN != 0 && !has(&is, 8) {
        should.retain(|(kind, _)| *kind != 8);
    }
    if wants {
        fewer_blocks(&mut should, &is);
    }
    if wants && old.flags & SYN == 0 && !should.iter().all(|option| is.contains(option)) {
        should.retain(says_something);
    }
    same("the options", is, should)
}

/// Whether a segment may carry TOA: it is not signed (which damage may make of
/// it), and there is room beside what must stay: of a SYN, all but timestamps;
/// of others, all but SACK blocks.
fn may_tell(known: &Known<'_>, old: &Tcp, others: &Options) -> bool {
    let syn = old.flags & SYN != 0;
    let stay = others.iter().filter(|option| match syn {
        true => option.0 != 8,
        false => option.0 != 5 && says_something(option),
    });
    let stay: usize = stay.map(|(_, data)| data.len() + 2).sum();
    let toa = if known.opened.client.addr.is_ipv4() {
        8
    } else {
        20
    };
    stay + toa <= 40 && !others.iter().any(signs)
}

/// Whether an option signs its segment.
fn signs((kind, data): &(u8, Vec<u8>)) -> bool {
    match kind {
        19 => data.len() == 16,
        29 => data.len() > 2,
        _ => false,
    }
}

/// Whether an option says something on a segment that is no SYN.
fn says_something(option: &(u8, Vec<u8>)) -> bool {
    let (kind, data) = option;
    match kind {
        5 => !data.is_empty() && data.len() % 8 == 0,
        8 => data.len() == 8,
        30 | 172 | 174 => true,
        _ => signs(option),
    }
}

fn has(options: &Options, kind: u8) -> bool {
    options.iter().any(|(other, _)| *other == kind)
}

/// Blocks that are missing at the right may be.
fn fewer_blocks(should: &mut Options, is: &Options) {
    let left = is
        .iter()
        .find(|(kind, _)| *kind == 5)
        .map(|(_, data)| data.len());
    match left {
        None => should.retain(|(kind, _)| *kind != 5),
        Some(len) => should
            .iter_mut()
            .filter(|(kind, data)| *kind == 5 && len % 8 == 0 && len <= data.len())
            .for_each(|(_, data)| data.truncate(len)),
    }
}

/// To the client: SACK in its numbers, room for TOA in the MSS.
fn options_out(known: &Known<'_>, delta: u32, old: &Tcp, new: &Tcp) -> Verdict {
    let mut should = inet::readable_options(&old.options);
    let is = inet::readable_options(&new.options);
    for (kind, data) in &mut should {
        match kind {
            5 if data.len() % 8 == 0 => {
                for edge in data.chunks_exact_mut(4) {
                    let number = u32::from_be_bytes([edge[0], edge[1], edge[2], edge[3]]);
                    edge.copy_from_slice(&number.wrapping_sub(delta).to_be_bytes());
                }
            }
            2 if old.flags & SYN != 0 && data.len() == 2 => {
                let mss = u16::from_be_bytes([data[0], data[1]]);
                *data = lowered(known.opened, mss).to_be_bytes().to_vec();
            }
            _ => {}
        }
    }
    same("the options", is, should)
}

/// The MSS that a client is told: TOA must fit, and IPv6's header.
fn lowered(conn: &Opened, mss: u16) -> u16 {
    let toa: u16 = match conn.client.addr {
        _ if conn.mss_lower == 0 => 0,
        addr if addr.is_ipv4() => 8,
        _ => 20,
    };
    let between = conn.client.addr.is_ipv6() && conn.real.addr.is_ipv4();
    let most = if between { 1440 } else { u16::MAX - toa };
    let lower = mss.saturating_sub(toa).min(most);
    lower.max(88).min(mss)
}

/// Whether a server knows the client after a segment of its own that began at
/// `isn` for it, in a state `met`; `told`: how far it had acknowledged when it
/// last said SYN.
pub(crate) fn answered(
    before: Option<bool>,
    met: TcpState,
    isn: u32,
    told: &mut u32,
    view: &View,
) -> Option<bool> {
    let Some(tcp) = view.tcp().filter(|tcp| tcp.flags & RST == 0) else {
        return before;
    };
    let acks = tcp.flags & ACK != 0;
    if tcp.flags & SYN != 0 {
        let same = !acks || tcp.ack == isn.wrapping_add(1);
        // A handshake's numbers are only moved on: the answer may be late.
        return match (same, met) {
            (true, _) if before == Some(false) => before,
            (false, TcpState::Established) => {
                *told = tcp.ack;
                Some(false)
            }
            _ => None,
        };
    }
    let past = tcp.ack.wrapping_sub(*told) as i32;
    match !view.payload.is_empty() || (acks && past > 0) {
        true if before.is_some() || !view.payload.is_empty() => Some(true),
        _ => before,
    }
}

/// Whether an ICMP error is what one about a packet of the connection becomes.
pub(crate) fn translated(known: &Known<'_>, dir: Dir, before: &View, after: &[u8]) -> Verdict {
    let after = View::read(after).map_err(|why| format!("an error leaves with {why}"))?;
    let conn = known.opened;
    let (src, dst, inner) = match dir {
        Dir::Out => (conn.virt.addr, conn.client.addr, (conn.client, conn.virt)),
        Dir::In => {
            let reporter = match conn.method {
                Method::Fullnat => conn.local.addr,
                _ => before.src.addr,
            };
            (reporter, conn.real.addr, (conn.real, conn.local))
        }
    };
    same(
        "the ends of an error",
        (after.src.addr, after.dst.addr),
        (src, dst),
    )?;
    same("the checksum of an error", after.check, before.check)?;
    let (old, new) = (embedded(&before.payload), embedded(&after.payload));
    let (Some(old), Some(new)) = (old, new) else {
        return Err("an error that carries no packet".into());
    };
    same("the embedded ends", new.ends, inner)?;
    if let (true, Some(delta)) = (conn.is_tcp, known.delta) {
        let seq = match dir {
            Dir::Out => old.second.wrapping_sub(delta),
            Dir::In => old.second,
        };
        same("the embedded number", new.second, seq)?;
    }
    Ok(())
}

/// The start of a packet inside an ICMP error.
pub(crate) struct Embedded {
    pub(crate) ends: (End, End),
    /// TCP's sequence number.
    pub(crate) second: u32,
    pub(crate) is_tcp: bool,
}

pub(crate) fn embedded(icmp: &[u8]) -> Option<Embedded> {
    let ip = icmp.get(8..)?;
    let at = inet::l4_offset(ip);
    let l4 = ip.get(at..at + 8)?;
    let (src, dst, protocol) = match ip[0] >> 4 {
        4 => (
            <[u8; 4]>::try_from(&ip[12..16]).ok()?.into(),
            <[u8; 4]>::try_from(&ip[16..20]).ok()?.into(),
            ip[9],
        ),
        _ => (
            <[u8; 16]>::try_from(&ip[8..24]).ok()?.into(),
            <[u8; 16]>::try_from(&ip[24..40]).ok()?.into(),
            ip[6],
        ),
    };
    let word = |at: usize| u16::from_be_bytes([l4[at], l4[at + 1]]);
    Some(Embedded {
        ends: (End::new(src, word(0)), End::new(dst, word(2))),
        second: (u32::from(word(4)) << 16) | u32::from(word(6)),
        is_tcp: protocol == inet::TCP,
    })
}

/// How old the numbers may be that a connection remembers: as much as can be
/// sent within the clock's grain.
const STALE: u32 = 200_000;

/// Whether a packet that the director made itself is sound, for an end of the
/// connection, and has about the number that this end expects: `numbers`, of
/// client and server, if they are known.
pub(crate) fn made(conn: &Opened, numbers: (Option<u32>, Option<u32>), bytes: &[u8]) -> Verdict {
    let view = View::read(bytes).map_err(|why| format!("a packet of its own has {why}"))?;
    same("the checksum of its own", view.check, Check::Right)?;
    let ends = (view.src, view.dst);
    let expected = match ends {
        _ if ends == (conn.virt, conn.client) => numbers.0,
        _ if ends == (conn.local, conn.real) => numbers.1,
        _ => {
            return Err(format!(
                "its own packet goes from {} to {}",
                view.src, view.dst
            ))
        }
    };
    let tcp = view.tcp().ok_or("a packet of its own is not TCP")?;
    let off = expected.map_or(0, |number| number.wrapping_sub(tcp.seq) as i32);
    match off.unsigned_abs() > STALE {
        true => Err(format!(
            "its own packet has number {}, expected is {expected:?}",
            tcp.seq
        )),
        false => Ok(()),
    }
}
