// SPDX-License-Identifier: GPL-2.0

//! TCP, UDP and ICMP headers: written again from what was read, whole or cut
//! off anywhere; and the checksum over all of them.

use std::net::{Ipv4Addr, Ipv6Addr};

use lvs_wire::icmp::{self, ErrorKind, Kind, Message};
use lvs_wire::ip::Network;
use lvs_wire::{csum, tcp, udp};

use crate::reference::{self, word};

/// The bytes are a transport header and its payload.
pub(super) fn run(data: &[u8]) {
    tcp(data);
    udp(data);
    icmp::<Ipv4Addr>(data);
    icmp::<Ipv6Addr>(data);
    checksum(data);
    let ports = data.get(..4).map(|_| (word(data, 0), word(data, 2)));
    assert_eq!(icmp::embedded_ports(data), ports);
}

fn tcp(data: &[u8]) {
    let len = data.get(12).map_or(0, |byte| usize::from(byte >> 4) * 4);
    let header = tcp::Header::parse(data);
    assert_eq!(
        header.is_ok(),
        data.len() >= 20 && len >= 20 && len <= data.len()
    );
    let Ok(header) = header else { return };
    assert_eq!(header.header_len(), len);
    let mut bytes = header.src_port().to_be_bytes().to_vec();
    bytes.extend(header.dst_port().to_be_bytes());
    bytes.extend(header.seq().to_be_bytes());
    bytes.extend(header.ack().to_be_bytes());
    // The lower half of the byte with the length is reserved.
    bytes.extend([data[12], header.flags().0]);
    bytes.extend(header.window().to_be_bytes());
    bytes.extend(header.checksum().to_be_bytes());
    bytes.extend(header.urgent().to_be_bytes());
    bytes.extend(header.option_bytes());
    assert_eq!(bytes, data[..len], "written again");
    let flags = header.flags();
    let bits = [flags.fin(), flags.syn(), flags.rst(), flags.ack()];
    assert_eq!(bits, [1, 2, 4, 16].map(|bit| data[13] & bit != 0));
    for cut in 0..len {
        assert!(tcp::Header::parse(&data[..cut]).is_err(), "{cut} bytes");
    }
}

fn udp(data: &[u8]) {
    let header = udp::Header::parse(data);
    assert_eq!(header.is_ok(), data.len() >= 8 && word(data, 4) >= 8);
    let Ok(header) = header else { return };
    let words = [
        header.src_port(),
        header.dst_port(),
        header.len(),
        header.checksum(),
    ];
    assert_eq!(
        words.map(u16::to_be_bytes).concat(),
        data[..8],
        "written again"
    );
    for cut in 0..8 {
        assert!(udp::Header::parse(&data[..cut]).is_err(), "{cut} bytes");
    }
}

fn icmp<A: Network>(data: &[u8]) {
    let message = Message::<A>::parse(data);
    assert_eq!(message.is_ok(), data.len() >= 8);
    let Ok(message) = message else { return };
    assert_eq!(message.type_code(), (data[0], data[1]));
    assert_eq!(message.checksum(), word(data, 2));
    assert_eq!(message.body(), &data[8..]);
    assert_eq!(message.embedded(), A::parse(&data[8..]));
    // RFC 792, RFC 4443: which types carry a packet.
    let carries = match A::VERSION {
        4 => [3, 4, 11, 12].contains(&data[0]),
        _ => (1..=4).contains(&data[0]),
    };
    assert_eq!(matches!(message.kind(), Kind::Error(_)), carries);
    let mut fixed: [u8; 8] = data[..8].try_into().unwrap();
    if let Kind::Error(ErrorKind::TooBig { mtu }) = message.kind() {
        A::set_icmp_mtu(&mut fixed, mtu);
        assert_eq!(fixed, data[..8], "the MTU written again");
    }
}

fn checksum(data: &[u8]) {
    let (src, dst) = (
        Ipv4Addr::new(192, 0, 2, 1),
        Ipv4Addr::new(198, 51, 100, 255),
    );
    let len = u16::try_from(data.len()).unwrap().to_be_bytes();
    let pseudo = [&src.octets()[..], &dst.octets(), &[0, 6], &len].concat();
    let right = reference::sum(&[&pseudo, data].concat()) == 0xffff;
    assert_eq!(csum::verify(src, dst, csum::TCP, data), right);
}
