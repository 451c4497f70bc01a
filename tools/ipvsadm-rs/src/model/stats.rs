// SPDX-License-Identifier: GPL-2.0

//! Counters and rates of a service, destination or local address.

/// Totals since the start (or the last `-Z`) and rates over the last seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stats {
    /// Connections scheduled.
    pub(crate) conns: u64,
    /// Packets towards the server.
    pub(crate) in_packets: u64,
    /// Packets towards the client.
    pub(crate) out_packets: u64,
    /// Bytes towards the server.
    pub(crate) in_bytes: u64,
    /// Bytes towards the client.
    pub(crate) out_bytes: u64,
    /// Connections per second.
    pub(crate) conns_rate: u64,
    /// Packets per second towards the server.
    pub(crate) in_packets_rate: u64,
    /// Packets per second towards the client.
    pub(crate) out_packets_rate: u64,
    /// Bytes per second towards the server.
    pub(crate) in_bytes_rate: u64,
    /// Bytes per second towards the client.
    pub(crate) out_bytes_rate: u64,
}

impl Stats {
    /// The five totals in the order every table prints them.
    pub(crate) fn totals(&self) -> [u64; 5] {
        [
            self.conns,
            self.in_packets,
            self.out_packets,
            self.in_bytes,
            self.out_bytes,
        ]
    }

    /// The five rates in the order every table prints them.
    pub(crate) fn rates(&self) -> [u64; 5] {
        [
            self.conns_rate,
            self.in_packets_rate,
            self.out_packets_rate,
            self.in_bytes_rate,
            self.out_bytes_rate,
        ]
    }
}
