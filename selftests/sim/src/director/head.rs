// SPDX-License-Identifier: GPL-2.0

//! What is read of a packet before anything is decided
//! (`lvs_core/module/packet/head.rs`).

use lvs_engine::{
    conn::{Dir, Protocol, Segment},
    drop_reason::DropReason,
    tcp::Flags,
};
use lvs_wire::{
    addr::Endpoint,
    ip::{self, Network},
    rewrite::Transport,
    tcp, udp,
};

/// A whole TCP segment or UDP datagram.
#[derive(Clone, Copy)]
pub(super) struct Head<A> {
    pub(super) protocol: Protocol,
    pub(super) source: Endpoint<A>,
    pub(super) destination: Endpoint<A>,
    pub(super) l4_offset: usize,
    pub(super) transport: Transport,
    pub(super) ttl: u8,
    pub(super) flags: Flags,
    pub(super) seq: u32,
    ack: u32,
    pub(super) payload_len: u32,
    rare_options: bool,
}

impl<A: Network> Head<A> {
    /// Reads the header behind the IP header; why there is none, if it is not
    /// just another protocol.
    pub(super) fn read(bytes: &[u8], ip: ip::Packet<A>) -> Result<Self, Option<DropReason>> {
        let protocol = Protocol::from_number(ip.protocol).ok_or(None)?;
        let l4 = bytes.get(ip.l4_offset..).ok_or(DropReason::Truncated)?;
        let (source, destination);
        let (mut flags, mut seq, mut ack, mut rare_options) = (Flags::NONE, 0, 0, false);
        let payload_len = match protocol {
            Protocol::Tcp => {
                let view = tcp::Header::parse(l4).map_err(|error| match error {
                    tcp::Error::DataOffset => DropReason::BadHeader,
                    _ => DropReason::Truncated,
                })?;
                (source, destination) = (view.src_port(), view.dst_port());
                flags = Flags::from(view.flags());
                (seq, ack) = (view.seq(), view.ack());
                rare_options = view.has_rare_options();
                l4.len() - view.header_len()
            }
            Protocol::Udp => {
                let view = udp::Header::parse(l4).map_err(|_| DropReason::BadHeader)?;
                if usize::from(view.len()) > l4.len() {
                    return Err(Some(DropReason::BadHeader));
                }
                (source, destination) = (view.src_port(), view.dst_port());
                l4.len() - 8
            }
        };
        Ok(Self {
            protocol,
            source: Endpoint::new(ip.src, source),
            destination: Endpoint::new(ip.dst, destination),
            l4_offset: ip.l4_offset,
            transport: match protocol {
                Protocol::Tcp => Transport::Tcp,
                Protocol::Udp => Transport::Udp,
            },
            ttl: ip.ttl,
            flags,
            seq,
            ack,
            payload_len: payload_len as u32,
            rare_options,
        })
    }

    /// As the engine looks at it, on its way in `dir`.
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
}
