// SPDX-License-Identifier: GPL-2.0

//! The keyed hash of a packet's addresses.

use lvs_engine::conn::Protocol;
use lvs_kapi::random;
use lvs_wire::addr::{Address, AnyAddr, AnyEndpoint, Endpoint, Family};

/// A secret, so that nobody can choose addresses that fall into one chain.
#[derive(Clone, Copy)]
pub(crate) struct Key([u64; 2]);

impl Key {
    pub(crate) fn random() -> Self {
        Self([random::u64() | 1, random::u64() | 1])
    }

    /// Of a packet from `source` to `destination`.
    #[inline]
    pub(crate) fn packet<A: Address>(
        &self,
        protocol: Protocol,
        source: Endpoint<A>,
        destination: Endpoint<A>,
    ) -> u32 {
        let ports = u64::from(source.port) << 32
            | u64::from(destination.port) << 16
            | u64::from(protocol.number());
        let [a, b, c, d] = source.addr.to_words();
        let [e, f, g, h] = destination.addr.to_words();
        let upper = match A::FAMILY {
            Family::V4 => 0,
            Family::V6 => {
                let [k0, k1] = self.0;
                fold(fold(pair(a, b) ^ k1, pair(e, f) ^ k0) ^ k1, pair(c, g) ^ k0)
            }
        };
        self.mix(pair(d, h) ^ upper, ports)
    }

    /// Of a local address and a server, or of any other two.
    pub(crate) fn endpoint(&self, protocol: Protocol, local: AnyAddr, real: AnyEndpoint) -> u32 {
        match (local, real.addr) {
            (AnyAddr::V4(local), AnyAddr::V4(addr)) => self.packet(
                protocol,
                Endpoint::new(addr, real.port),
                Endpoint::new(local, 0),
            ),
            (AnyAddr::V6(local), AnyAddr::V6(addr)) => self.packet(
                protocol,
                Endpoint::new(addr, real.port),
                Endpoint::new(local, 0),
            ),
            // No connection has these: any number will do.
            _ => 0,
        }
    }

    /// Of any number.
    pub(crate) fn number(&self, number: u64) -> u32 {
        self.mix(number, 0)
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
fn pair(high: u32, low: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a).wrapping_mul(u128::from(b));
    // CAST: The two halves.
    (product >> 64) as u64 ^ product as u64
}
