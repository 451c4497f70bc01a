// SPDX-License-Identifier: GPL-2.0

//! What holds for the whole namespace.

/// Version and table size, as the `IPVS` family tells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Info {
    /// 0x010201 is 1.2.1.
    pub(crate) version: u32,
    /// Size of the connection table.
    pub(crate) size: u32,
}

impl Info {
    /// The version as people write it.
    pub(crate) fn version_text(&self) -> String {
        let [_, major, minor, patch] = self.version.to_be_bytes();
        format!("{major}.{minor}.{patch}")
    }
}

/// Timeouts in seconds; 0 leaves one as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Timeouts {
    /// Established TCP.
    pub(crate) tcp: u32,
    /// TCP after a FIN.
    pub(crate) tcp_fin: u32,
    /// UDP.
    pub(crate) udp: u32,
}

/// A reason for which packets are dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Drop {
    /// The reason's number.
    pub(crate) id: u32,
    /// The reason's name.
    pub(crate) name: String,
    /// What to look at.
    pub(crate) hint: String,
    /// Packets dropped for it.
    pub(crate) count: u64,
}
