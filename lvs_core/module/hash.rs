// SPDX-License-Identifier: GPL-2.0

//! The keyed hash of a packet's addresses.

use core::net::Ipv4Addr;
use lvs_engine::conn::Protocol;
use lvs_kapi::random;
use lvs_wire::addr::Endpoint;

/// A secret, so that nobody can choose addresses that fall into one chain.
pub(crate) struct Key([u64; 2]);

impl Key {
    pub(crate) fn random() -> Self {
        Self([random::u64() | 1, random::u64() | 1])
    }

    /// Of a packet from `source` to `destination`.
    #[inline]
    pub(crate) fn packet(
        &self,
        protocol: Protocol,
        source: Endpoint<Ipv4Addr>,
        destination: Endpoint<Ipv4Addr>,
    ) -> u32 {
        let ports = u64::from(source.port) << 32
            | u64::from(destination.port) << 16
            | u64::from(protocol.number());
        self.mix(
            u64::from(source.addr.to_bits()) << 32 | u64::from(destination.addr.to_bits()),
            ports,
        )
    }

    /// Of a local address and a server.
    pub(crate) fn endpoint(
        &self,
        protocol: Protocol,
        local: Ipv4Addr,
        real: Endpoint<Ipv4Addr>,
    ) -> u32 {
        self.packet(protocol, real, Endpoint::new(local, 0))
    }

    /// Two rounds of a folded multiplication, each by a secret.
    #[inline]
    fn mix(&self, a: u64, b: u64) -> u32 {
        let [k0, k1] = self.0;
        let once = fold(a ^ k0, b ^ k1);
        let twice = fold(once ^ k1, k0);
        // CAST: The halves are mixed.
        (twice ^ (twice >> 32)) as u32
    }
}

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a).wrapping_mul(u128::from(b));
    // CAST: The two halves.
    (product >> 64) as u64 ^ product as u64
}
