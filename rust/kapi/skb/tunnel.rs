// SPDX-License-Identifier: GPL-2.0

//! Packets inside packets, and packets that stay as they are.
//!
//! C headers: [`include/net/ip_tunnels.h`](srctree/include/net/ip_tunnels.h),
//! [`include/net/gue.h`](srctree/include/net/gue.h),
//! [`include/net/gre.h`](srctree/include/net/gre.h)

use super::{Packet, Unavailable};
use crate::{
    bindings,
    net::Net,
    rcu::ReadLock,
    route::{raw, Route},
};
use lvs_wire::{
    addr::Address,
    csum::Sum,
    ip::{HeadEdit, HeadError, Network, TtlStep},
};

/// What a packet is wrapped in between its own header and the outer one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrapping {
    /// Nothing.
    Ipip,
    /// UDP and GUE.
    Gue {
        /// The receiver's UDP port.
        port: u16,
        /// The outer UDP has a checksum.
        checksum: bool,
        /// A checksum that the packet inside still lacks is the receiver's to
        /// make.
        remote_checksum: bool,
    },
    /// GRE.
    Gre {
        /// With a checksum.
        checksum: bool,
    },
}

/// The outer header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outer<A> {
    /// Who wraps.
    pub source: A,
    /// Who unwraps.
    pub destination: A,
    /// Differentiated services and ECN.
    pub dsfield: u8,
    /// Time to live.
    pub ttl: u8,
    /// Routers must not fragment it (IPv4).
    pub dont_fragment: bool,
}

impl Packet {
    /// Wraps the packet, of family `A`, into one of family `B` that is to leave
    /// by `route`. Any context.
    ///
    /// # Errors
    ///
    /// No memory; the packet is to be dropped.
    pub fn wrap<A: Address, B: Address>(
        &mut self,
        net: &Net,
        rcu: &ReadLock,
        route: &Route,
        outer: &Outer<B>,
        wrapping: Wrapping,
    ) -> Result<(), Unavailable> {
        let (source, destination) = (raw(outer.source), raw(outer.destination));
        let (tunnel, port, checksum, remote_checksum) = match wrapping {
            Wrapping::Ipip => (bindings::lvs_tunnel_LVS_TUNNEL_IPIP, 0, false, false),
            Wrapping::Gue {
                port,
                checksum,
                remote_checksum,
            } => {
                let gue = bindings::lvs_tunnel_LVS_TUNNEL_GUE;
                (gue, port, checksum, remote_checksum)
            }
            Wrapping::Gre { checksum } => (bindings::lvs_tunnel_LVS_TUNNEL_GRE, 0, checksum, false),
        };
        let outer = bindings::lvs_outer {
            tunnel,
            inner_family: A::FAMILY.af(),
            family: B::FAMILY.af(),
            saddr: source.as_ptr().cast(),
            daddr: destination.as_ptr().cast(),
            port: port.to_be(),
            checksum,
            remote_checksum,
            dsfield: outer.dsfield,
            ttl: outer.ttl,
            dont_fragment: outer.dont_fragment,
        };
        // SAFETY: Owned by the type invariant; the addresses are as long as the
        // families', and the route is live.
        let wrapped = unsafe {
            bindings::lvs_skb_wrap(net.as_ptr(), self.as_ptr(), route.as_ptr(rcu), &outer)
        };
        if wrapped {
            Ok(())
        } else {
            Err(Unavailable)
        }
    }

    /// Lets this host's routes know what an ICMP error of family `A` says: that
    /// a packet of `protocol`, whose start is at `offset` in the error, was too
    /// long for a link of `mtu` bytes. Any context.
    pub fn learn_mtu<A: Address>(&mut self, net: &Net, offset: u32, protocol: u8, mtu: u32) {
        // SAFETY: Owned by the type invariant; the function checks the offset.
        unsafe {
            bindings::lvs_learn_mtu(
                net.as_ptr(),
                self.as_ptr(),
                A::FAMILY.af(),
                offset,
                protocol,
                mtu,
            );
        }
    }

    /// Lets the packet cross a router and changes nothing else. Any context.
    ///
    /// # Errors
    ///
    /// No memory, or nothing is left of its time to live.
    pub fn cross<A: Network>(&mut self, ttl: TtlStep) -> Result<(), Unavailable> {
        if ttl == TtlStep::Keep {
            return Ok(());
        }
        // CAST: 40 at most.
        let header = self.writable(A::HEADER_LEN as u32)?;
        let edit = HeadEdit {
            ttl,
            grow: 0,
            addresses: Sum::ZERO,
        };
        A::edit_head(header, edit).map_err(|_: HeadError| Unavailable)
    }

    /// Differentiated services and ECN of the packet, of family `A`. Any
    /// context.
    #[inline]
    pub fn dsfield<A: Network>(&self) -> u8 {
        A::dsfield(self.linear())
    }
}
