// SPDX-License-Identifier: GPL-2.0

//! [`DropReason`] and [`Event`]: why a packet was dropped, and what else is
//! counted. One counter each, with a sentence that tells the operator what to
//! do about it.

/// Declares an enum with dense numbers, names and hints from one list.
macro_rules! counted {
    (
        $(#[$meta:meta])*
        $type:ident { $( $(#[$variant_meta:meta])* $variant:ident = $name:literal, $hint:literal; )* }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub enum $type {
            $( $(#[$variant_meta])* #[doc = ""] #[doc = $hint] $variant, )*
        }

        impl $type {
            /// Every variant in the order of its number.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )* ];

            /// How many there are: the size of an array of counters.
            pub const COUNT: usize = Self::ALL.len();

            /// The number of this one, less than [`Self::COUNT`].
            #[inline]
            #[must_use]
            pub const fn id(self) -> usize {
                // CAST: the discriminant is the number.
                self as usize
            }

            /// The name that listings print.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Self::$variant => $name, )* }
            }

            /// What it means and what to do about it.
            #[must_use]
            pub const fn hint(self) -> &'static str {
                match self { $( Self::$variant => $hint, )* }
            }
        }
    };
}

counted! {
    /// Why a packet that the balancer was responsible for went no further.
    DropReason {
        /// No local address.
        NoLocalAddress = "no_local_address",
            "The service has a FULLNAT destination but no local address: add one with ipvsadm-rs -P.";
        /// Pool dry.
        PortsExhausted = "ports_exhausted",
            "Every port of every local address is in use towards this server: add local addresses.";
        /// Nothing to schedule.
        NoDestination = "no_destination",
            "No destination has a weight above 0 and is below its upper threshold: add one, or raise a weight.";
        /// The destination was removed.
        DestinationGone = "destination_gone",
            "The connection's server was removed from the service; set expire_nodest_conn to 1 to reschedule such connections.";
        /// Cut off.
        Truncated = "truncated",
            "The packet is shorter than its headers say: look for a broken sender or driver.";
        /// IP or TCP header wrong.
        BadHeader = "bad_header",
            "A header contradicts itself, or there are too many: look for a broken sender, or an attack.";
        /// Checksum wrong.
        BadChecksum = "bad_checksum",
            "The packet was damaged on its way: look at cables, memory and offload settings.";
        /// Limit.
        TooManyConnections = "too_many_connections",
            "There are as many connections and templates as conn_max allows: raise it, or look for an attack.";
        /// Out of memory.
        NoMemory = "no_memory",
            "The kernel had no memory for the packet or the connection: look at free memory.";
        /// TTL.
        TtlExceeded = "ttl_exceeded",
            "The packet's TTL ran out here: look for a routing loop, or traceroute.";
        /// Too big.
        FragNeeded = "frag_needed",
            "The packet is larger than the MTU towards its receiver and must not be fragmented; the sender was told.";
        /// Unroutable.
        NoRoute = "no_route",
            "There is no route to the receiver: look at ip route get.";
        /// From outside to loopback.
        LoopbackServer = "loopback_server",
            "The server is a loopback address, which is for this host's own clients only: give it another of this host's.";
        /// Bad ICMP.
        BadIcmp = "bad_icmp",
            "An ICMP error carries too little of the packet it is about, or contradicts it.";
        /// Untranslatable.
        NoCounterpart = "no_counterpart",
            "An ICMP error that cannot be said in the other IP version, between an IPv6 client and an IPv4 server.";
        /// Nobody waits.
        LostReply = "lost_reply",
            "A server behind NAT replied to a connection that is not there and was told so (nat_icmp_send).";
        /// Too long.
        TooLong = "too_long",
            "The packet would pass 65535 bytes after it was rewritten or wrapped.";
    }
}

counted! {
    /// What is counted though no packet was dropped for it.
    Event {
        /// No room.
        ToaNoRoom = "toa_no_room",
            "A client segment had no room for the TOA option, the server saw it without one.";
        /// MD5.
        ToaMd5 = "toa_md5",
            "A segment is signed (TCP-MD5 or TCP-AO), so no TOA option was added.";
        /// Port 63881.
        ToaReservedPort = "toa_reserved_port",
            "The client's port would read as Fast Open or SMC in a SYN, so the SYN carried no TOA option.";
        /// Spoofed.
        ToaSpoofedRemoved = "toa_spoofed_removed",
            "A client sent a TOA option of its own, which was removed.";
        /// Inserted.
        ToaInserted = "toa_inserted",
            "Segments that carry a TOA option.";
        /// Taken.
        PortTakenFromTimeWait = "port_taken_from_time_wait",
            "No port was free, so the oldest closed connection gave up its port: add local addresses.";
        /// Taken.
        PortTakenFromUdp = "port_taken_from_udp",
            "No port was free, so a UDP flow silent for 30 s, or 5 s without an answer, gave up its port: add local addresses.";
        /// SYN reuse.
        ConnectionReused = "connection_reused",
            "A SYN met a finished connection with the same ports and started a new one.";
        /// RST.
        RstSentOnExpiry = "rst_sent_on_expiry",
            "A connection that was not closed expired silently, both ends were reset: keepalives are rarer than the timeout.";
        /// Challenge.
        RstSentOnChallenge = "rst_sent_on_challenge",
            "An end of an expired connection asked for the exact number and was reset with it.";
        /// Timestamps.
        TimestampsStripped = "timestamps_stripped",
            "SYNs whose timestamps were removed since their port was in use shortly before.";
        /// Fast Open.
        FastOpenStripped = "fast_open_stripped",
            "SYNs whose TCP Fast Open was removed, so that the handshake proves the client: fullnat_fast_open_entry.";
        /// MSS.
        MssLowered = "mss_lowered",
            "SYN-ACKs whose MSS was lowered to leave room for the TOA option.";
        /// Tunnel.
        TunnelMtuLearnt = "tunnel_mtu_learnt",
            "ICMP errors that said how long packets in a tunnel may be: clients are told when they send longer ones.";
        /// ICMP.
        IcmpTranslated = "icmp_translated",
            "ICMP errors that were translated to the other end.";
        /// Cut.
        OptionsCut = "options_cut",
            "Segments with a malformed TCP option, which was removed with all that was behind it: receivers stop reading there.";
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn check(all: &[(usize, &'static str, &'static str)]) {
        let mut names = BTreeSet::new();
        let mut hints = BTreeSet::new();
        for (place, (id, name, hint)) in all.iter().enumerate() {
            assert_eq!(place, *id);
            assert!(name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'));
            assert!(hint.ends_with('.') && hint.len() > 20 && hint.len() < 128);
            assert!(names.insert(name) && hints.insert(hint));
        }
    }

    #[test]
    fn ids_are_dense_and_names_are_unique() {
        let drops: std::vec::Vec<_> = DropReason::ALL
            .iter()
            .map(|r| (r.id(), r.name(), r.hint()))
            .collect();
        let events: std::vec::Vec<_> = Event::ALL
            .iter()
            .map(|e| (e.id(), e.name(), e.hint()))
            .collect();
        assert_eq!(
            (drops.len(), events.len()),
            (DropReason::COUNT, Event::COUNT)
        );
        check(&drops);
        check(&events);
    }
}
