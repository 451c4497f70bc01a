// SPDX-License-Identifier: GPL-2.0

//! What is read of a packet before anything is decided.

use crate::conns::{End, V4};
use lvs_engine::{
    conn::{Dir, Protocol, Segment},
    drop_reason::DropReason,
    tcp::Flags,
};
use lvs_kapi::skb::{Packet, L4};
use lvs_wire::{
    ip::{self, Network},
    rewrite::Transport,
    tcp, udp,
};

/// The IP header.
pub(super) type Ip = ip::Packet<V4>;

/// A whole TCP segment or UDP datagram.
#[derive(Clone, Copy)]
pub(super) struct Head {
    pub(super) protocol: Protocol,
    pub(super) source: End,
    pub(super) destination: End,
    pub(super) l4: L4,
    pub(super) dont_fragment: bool,
    pub(super) ttl: u8,
    flags: Flags,
    seq: u32,
    ack: u32,
    payload_len: u32,
}

/// Why a packet is none that is balanced as it is.
pub(super) enum NotOurs {
    /// It is a piece of one.
    Fragment(Ip),
    /// It may be about one.
    Icmp(Ip),
    /// It ends inside its transport header, or that contradicts itself.
    Malformed(V4, DropReason),
    /// It is something else.
    Other,
}

/// What a first look needs: headers without options.
const ENOUGH: u32 = 40;

impl Head {
    /// Reads the headers. Any context.
    #[inline]
    pub(super) fn parse(packet: &mut Packet) -> Result<Self, NotOurs> {
        let len = packet.len();
        let bytes = packet.pull(len.min(ENOUGH)).map_err(|_| NotOurs::Other)?;
        let ip = V4::parse(bytes).map_err(|_| NotOurs::Other)?;
        let protocol = match ip.protocol {
            1 if ip.fragment.is_none() => return Err(NotOurs::Icmp(ip)),
            1 | 6 | 17 if ip.fragment.is_some() => return Err(NotOurs::Fragment(ip)),
            6 => Protocol::Tcp,
            17 => Protocol::Udp,
            _ => return Err(NotOurs::Other),
        };
        match protocol {
            Protocol::Tcp => Self::tcp(packet, ip, len),
            Protocol::Udp => Self::udp(packet, ip, len),
        }
        .map_err(|reason| NotOurs::Malformed(ip.dst, reason))
    }

    #[inline]
    fn tcp(packet: &mut Packet, ip: Ip, len: u32) -> Result<Self, DropReason> {
        let fixed = transport(packet, ip, 20)?;
        let fixed = fixed.first_chunk().ok_or(DropReason::Truncated)?;
        let options = tcp::options_len(fixed).ok_or(DropReason::BadHeader)?;
        let header_len = options.saturating_add(20);
        let header = transport(packet, ip, header_len)?;
        let view = tcp::Header::parse(header).map_err(|_| DropReason::BadHeader)?;
        Ok(Self {
            protocol: Protocol::Tcp,
            source: End::new(ip.src, view.src_port()),
            destination: End::new(ip.dst, view.dst_port()),
            l4: L4 {
                offset: ip.l4_offset,
                transport: Transport::Tcp,
            },
            dont_fragment: ip.dont_fragment,
            ttl: ip.ttl,
            flags: Flags::from_byte(view.flags().0),
            seq: view.seq(),
            ack: view.ack(),
            payload_len: behind(ip, header_len, len)?,
        })
    }

    #[inline]
    fn udp(packet: &mut Packet, ip: Ip, len: u32) -> Result<Self, DropReason> {
        let header = transport(packet, ip, 8)?;
        let view = udp::Header::parse(header).map_err(|_| DropReason::BadHeader)?;
        let payload_len = behind(ip, 8, len)?;
        // An aggregate's own length is checked when it is taken apart.
        if u32::from(view.len()) > payload_len.saturating_add(8) {
            return Err(DropReason::BadHeader);
        }
        Ok(Self {
            protocol: Protocol::Udp,
            source: End::new(ip.src, view.src_port()),
            destination: End::new(ip.dst, view.dst_port()),
            l4: L4 {
                offset: ip.l4_offset,
                transport: Transport::Udp,
            },
            dont_fragment: ip.dont_fragment,
            ttl: ip.ttl,
            flags: Flags::NONE,
            seq: 0,
            ack: 0,
            payload_len,
        })
    }

    /// As the engine looks at it, on its way in `dir`.
    #[inline]
    pub(super) fn segment(&self, dir: Dir) -> Segment {
        Segment {
            dir,
            flags: self.flags,
            seq: self.seq,
            ack: self.ack,
            payload_len: self.payload_len,
        }
    }

    /// The TCP control bits.
    #[inline]
    pub(super) fn flags(&self) -> Flags {
        self.flags
    }

    /// The sequence number.
    pub(super) fn seq(&self) -> u32 {
        self.seq
    }
}

/// The first `len` bytes behind the IP header.
#[inline]
fn transport(packet: &mut Packet, ip: Ip, len: usize) -> Result<&[u8], DropReason> {
    let end = u32::try_from(ip.l4_offset.saturating_add(len)).map_err(|_| DropReason::Truncated)?;
    packet
        .pull(end)
        .map_err(|_| DropReason::Truncated)?
        .get(ip.l4_offset..)
        .ok_or(DropReason::Truncated)
}

/// Bytes of a packet of `len` that follow both headers.
#[inline]
fn behind(ip: Ip, header_len: usize, len: u32) -> Result<u32, DropReason> {
    u32::try_from(ip.l4_offset.saturating_add(header_len))
        .ok()
        .and_then(|end| len.checked_sub(end))
        .ok_or(DropReason::Truncated)
}
