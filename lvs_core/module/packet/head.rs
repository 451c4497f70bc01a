// SPDX-License-Identifier: GPL-2.0

//! What is read of a packet before anything is decided.

use crate::family::Family;
use lvs_engine::{
    conn::{Dir, Protocol, Segment},
    drop_reason::DropReason,
    tcp::Flags,
};
use lvs_kapi::skb::{Packet, L4};
use lvs_wire::{
    addr::{Endpoint, Family as AnyFamily},
    ip,
    rewrite::Transport,
    tcp, udp,
};

/// A whole TCP segment or UDP datagram.
#[derive(Clone, Copy)]
pub(super) struct Head<A> {
    pub(super) protocol: Protocol,
    pub(super) source: Endpoint<A>,
    pub(super) destination: Endpoint<A>,
    pub(super) l4: L4,
    pub(super) dont_fragment: bool,
    pub(super) ttl: u8,
    flags: Flags,
    seq: u32,
    ack: u32,
    payload_len: u32,
    rare_options: bool,
}

/// Why a packet is none that is balanced as it is.
pub(super) enum NotOurs<A> {
    /// It is a piece of one.
    Fragment(ip::Packet<A>),
    /// It may be about one.
    Icmp(ip::Packet<A>),
    /// It ends inside its transport header, or that contradicts itself.
    Malformed(A, DropReason),
    /// It is something else.
    Other,
}

/// What a first look needs: the IP header, and a TCP header without options.
const fn enough<A: Family>() -> u32 {
    // CAST: 60 at most.
    A::HEADER_LEN as u32 + 20
}

/// Where the control bits are in a TCP header (RFC 9293, section 3.1).
const FLAGS: usize = 13;

/// The most that a chain of IPv6 extension headers is read of.
const CHAIN: u32 = 512;

impl<A: Family> Head<A> {
    /// Reads the IP header. Any context. `None`: it is none that the stack will
    /// take.
    #[inline]
    pub(super) fn ip(packet: &mut Packet) -> Option<ip::Packet<A>> {
        let len = packet.len();
        let bytes = packet.pull(len.min(enough::<A>())).ok()?;
        match A::parse(bytes) {
            Ok(ip) => Some(ip),
            Err(ip::Error::ExtensionTruncated) => behind_extensions(packet, len),
            Err(_) => None,
        }
    }

    /// Whether a segment with FIN or RST may be behind the IP header: what is
    /// not there to be seen may be one. Any context.
    #[inline]
    pub(super) fn may_end(packet: &Packet, ip: ip::Packet<A>) -> bool {
        let flags = packet.linear().get(ip.l4_offset.wrapping_add(FLAGS));
        ip.protocol == 6
            && flags.is_none_or(|flags| {
                let flags = Flags::from_byte(*flags);
                flags.fin() || flags.rst()
            })
    }

    /// Reads the header behind the IP header. Any context.
    #[inline]
    pub(super) fn transport(packet: &mut Packet, ip: ip::Packet<A>) -> Result<Self, NotOurs<A>> {
        let len = packet.len();
        let protocol = match ip.protocol {
            _ if is_piece(&ip) => return Err(NotOurs::Fragment(ip)),
            icmp if icmp == A::ICMP => return Err(NotOurs::Icmp(ip)),
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
    fn tcp(packet: &mut Packet, ip: ip::Packet<A>, len: u32) -> Result<Self, DropReason> {
        let fixed = transport(packet, ip, 20)?;
        let fixed = fixed.first_chunk().ok_or(DropReason::Truncated)?;
        let options = tcp::options_len(fixed).ok_or(DropReason::BadHeader)?;
        let header_len = options.saturating_add(20);
        let header = transport(packet, ip, header_len)?;
        let view = tcp::Header::parse(header).map_err(|_| DropReason::BadHeader)?;
        Ok(Self {
            protocol: Protocol::Tcp,
            source: Endpoint::new(ip.src, view.src_port()),
            destination: Endpoint::new(ip.dst, view.dst_port()),
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
            rare_options: view.has_rare_options(),
        })
    }

    #[inline]
    fn udp(packet: &mut Packet, ip: ip::Packet<A>, len: u32) -> Result<Self, DropReason> {
        let header = transport(packet, ip, 8)?;
        let view = udp::Header::parse(header).map_err(|_| DropReason::BadHeader)?;
        let payload_len = behind(ip, 8, len)?;
        // An aggregate's own length is checked when it is taken apart.
        if u32::from(view.len()) > payload_len.saturating_add(8) {
            return Err(DropReason::BadHeader);
        }
        Ok(Self {
            protocol: Protocol::Udp,
            source: Endpoint::new(ip.src, view.src_port()),
            destination: Endpoint::new(ip.dst, view.dst_port()),
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
            rare_options: false,
        })
    }

    /// An ICMP error about a packet of `protocol`, to be sent on as it is.
    pub(super) fn of_error(protocol: Protocol, ip: ip::Packet<A>) -> Self {
        let (source, destination) = (Endpoint::new(ip.src, 0), Endpoint::new(ip.dst, 0));
        Self::of_answer_to(protocol, source, destination, ip)
    }

    /// As [`Head::of_error`], with the ends that the answer to the packet would
    /// have which the error is about.
    pub(super) fn of_answer_to(
        protocol: Protocol,
        source: Endpoint<A>,
        destination: Endpoint<A>,
        ip: ip::Packet<A>,
    ) -> Self {
        Self {
            protocol,
            source,
            destination,
            l4: L4 {
                offset: ip.l4_offset,
                transport: Transport::Udp,
            },
            dont_fragment: ip.dont_fragment,
            ttl: ip.ttl,
            flags: Flags::NONE,
            seq: 0,
            ack: 0,
            payload_len: 0,
            rare_options: false,
        }
    }

    /// Of a packet that this host is only sending: it may cut its datagrams,
    /// which no router does to those of IPv6.
    #[inline]
    pub(super) fn of_this_host(mut self) -> Self {
        if A::FAMILY == AnyFamily::V6 && self.protocol == Protocol::Udp {
            self.dont_fragment = false;
        }
        self
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
            rare_options: self.rare_options,
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

/// The rare header that goes on behind what was looked at first.
#[cold]
fn behind_extensions<A: Family>(packet: &mut Packet, len: u32) -> Option<ip::Packet<A>> {
    A::parse(packet.pull(len.min(CHAIN)).ok()?).ok()
}

/// Whether a packet is a piece of one that is ours to look at. An IPv6
/// fragment that is the whole packet (RFC 6946) is none.
#[inline]
fn is_piece<A: Family>(ip: &ip::Packet<A>) -> bool {
    ip.fragment
        .is_some_and(|piece| piece.more || piece.offset != 0)
        && (matches!(ip.protocol, 6 | 17) || ip.protocol == A::ICMP)
}

/// The first `len` bytes behind the IP header.
#[inline]
fn transport<A>(packet: &mut Packet, ip: ip::Packet<A>, len: usize) -> Result<&[u8], DropReason> {
    let end = u32::try_from(ip.l4_offset.saturating_add(len)).map_err(|_| DropReason::Truncated)?;
    packet
        .pull(end)
        .map_err(|_| DropReason::Truncated)?
        .get(ip.l4_offset..)
        .ok_or(DropReason::Truncated)
}

/// Bytes of a packet of `len` that follow both headers.
#[inline]
fn behind<A>(ip: ip::Packet<A>, header_len: usize, len: u32) -> Result<u32, DropReason> {
    u32::try_from(ip.l4_offset.saturating_add(header_len))
        .ok()
        .and_then(|end| len.checked_sub(end))
        .ok_or(DropReason::Truncated)
}
