// SPDX-License-Identifier: GPL-2.0

//! Netlink and generic netlink headers, acknowledgements and refusals.

use netlink_packet_core::{
    NetlinkBuffer, NLMSG_DONE, NLMSG_ERROR, NLMSG_NOOP, NLM_F_ACK, NLM_F_ACK_TLVS, NLM_F_CAPPED,
    NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST,
};

use super::attrs::{text, Attrs, Malformed};

/// Bytes of `struct nlmsghdr`.
const NETLINK_HEADER_LEN: usize = 16;
/// Bytes of the generic netlink header: command, version, two reserved.
const GENL_HEADER_LEN: usize = 4;
/// `NLMSGERR_ATTR_MSG`: the kernel's own words.
const ERROR_ATTR_MSG: u16 = 1;
/// `NLMSGERR_ATTR_OFFS`: where in the request the culprit is, in bytes.
const ERROR_ATTR_OFFS: u16 = 2;

/// A request before it has a sequence number.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// The family's number, which the kernel gave it.
    pub(crate) family: u16,
    /// The family's version.
    pub(crate) version: u8,
    /// The command.
    pub(crate) command: u8,
    /// Asks for all of them instead of one.
    pub(crate) dump: bool,
    /// The attributes.
    pub(crate) attrs: Vec<u8>,
}

/// One message of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Attributes, behind a generic netlink header.
    Data(Vec<u8>),
    /// The end: the error number (0: done as asked) and the kernel's words.
    End {
        /// A positive error number, 0 for success.
        errno: i32,
        /// The extended acknowledgement.
        words: Option<String>,
        /// Which attribute it is about, in bytes from the first one.
        place: Option<usize>,
    },
}

/// What a datagram holds.
#[derive(Debug, Default)]
pub(crate) struct Datagram {
    /// The replies to our sequence number.
    pub(crate) replies: Vec<Reply>,
    /// The kernel says that the listing changed under the dump.
    pub(crate) interrupted: bool,
}

impl Request {
    /// The bytes to send.
    pub(crate) fn encode(&self, sequence: u32) -> Vec<u8> {
        let mut bytes = vec![0; NETLINK_HEADER_LEN];
        bytes.extend([self.command, self.version, 0, 0]);
        bytes.extend(&self.attrs);
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let mut header = NetlinkBuffer::new(&mut bytes);
        header.set_length(length);
        header.set_message_type(self.family);
        header.set_flags(self.flags());
        header.set_sequence_number(sequence);
        bytes
    }

    fn flags(&self) -> u16 {
        // A dump ends by itself; asking for an acknowledgement too would
        // leave one behind in the socket.
        let wish = if self.dump { NLM_F_DUMP } else { NLM_F_ACK };
        NLM_F_REQUEST | wish
    }
}

/// Splits what the kernel sent into the replies to one request.
pub(crate) fn decode(mut bytes: &[u8], sequence: u32) -> Result<Datagram, Malformed> {
    let mut datagram = Datagram::default();
    while !bytes.is_empty() {
        let message = NetlinkBuffer::new_checked(bytes).map_err(|_| Malformed::Message)?;
        let length = usize::try_from(message.length()).map_err(|_| Malformed::Message)?;
        if message.sequence_number() == sequence {
            let flags = message.flags();
            datagram.interrupted |= flags & NLM_F_DUMP_INTR != 0;
            let reply = read(message.message_type(), flags, message.payload())?;
            datagram.replies.extend(reply);
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(datagram)
}

fn read(kind: u16, flags: u16, payload: &[u8]) -> Result<Option<Reply>, Malformed> {
    match kind {
        NLMSG_NOOP => Ok(None),
        NLMSG_ERROR => end(flags, payload, embedded(flags, payload)).map(Some),
        // A dump may end without a number; then it ended well.
        NLMSG_DONE if payload.len() < 4 => Ok(Some(Reply::End {
            errno: 0,
            words: None,
            place: None,
        })),
        NLMSG_DONE => end(flags, payload, Some(4)).map(Some),
        _ => payload
            .get(GENL_HEADER_LEN..)
            .map(|attrs| Some(Reply::Data(attrs.to_vec())))
            .ok_or(Malformed::Message),
    }
}

/// Where an error's attributes begin: behind the number and the request's
/// header, and behind the whole request unless the kernel left it out.
fn embedded(flags: u16, payload: &[u8]) -> Option<usize> {
    let header_end = NETLINK_HEADER_LEN.checked_add(4)?;
    if flags & NLM_F_CAPPED != 0 {
        return Some(header_end);
    }
    let request = NetlinkBuffer::new_checked(payload.get(4..)?).ok()?;
    let length = usize::try_from(request.length()).ok()?;
    length.next_multiple_of(4).checked_add(4)
}

fn end(flags: u16, payload: &[u8], attrs_at: Option<usize>) -> Result<Reply, Malformed> {
    let number: [u8; 4] = payload
        .get(..4)
        .and_then(|b| b.try_into().ok())
        .ok_or(Malformed::Message)?;
    let attrs = attrs_at.filter(|_| flags & NLM_F_ACK_TLVS != 0);
    let attrs = attrs.and_then(|at| Attrs::parse(payload.get(at..)?).ok());
    Ok(Reply::End {
        errno: i32::from_ne_bytes(number).saturating_neg(),
        words: attrs.as_ref().and_then(words),
        place: attrs.as_ref().and_then(place),
    })
}

fn words(attrs: &Attrs<'_>) -> Option<String> {
    let words = attrs.get(ERROR_ATTR_MSG).map(text);
    words.filter(|text| !text.is_empty())
}

/// The kernel counts from the header on.
fn place(attrs: &Attrs<'_>) -> Option<usize> {
    let place = usize::try_from(attrs.u32(ERROR_ATTR_OFFS).ok()?).ok()?;
    place
        .checked_sub(NETLINK_HEADER_LEN)?
        .checked_sub(GENL_HEADER_LEN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nl::builder::Builder;
    use proptest::prelude::*;

    fn message(kind: u16, flags: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; NETLINK_HEADER_LEN];
        bytes.extend(payload);
        let length = u32::try_from(bytes.len()).unwrap();
        let mut header = NetlinkBuffer::new(&mut bytes);
        header.set_length(length);
        header.set_message_type(kind);
        header.set_flags(flags);
        header.set_sequence_number(sequence);
        bytes
    }

    #[test]
    fn a_request_has_both_headers() {
        let request = Request {
            family: 0x1b,
            version: 1,
            command: 8,
            dump: true,
            attrs: vec![4, 0, 1, 0],
        };
        assert_eq!(
            request.encode(9),
            [24, 0, 0, 0, 0x1b, 0, 1, 3, 9, 0, 0, 0, 0, 0, 0, 0, 8, 1, 0, 0, 4, 0, 1, 0]
        );
    }

    #[test]
    fn a_refusal_brings_the_kernels_words() {
        let mut attrs = Builder::default();
        attrs.string(ERROR_ATTR_MSG, "no such scheduler");
        attrs.u32(ERROR_ATTR_OFFS, 28);
        let mut payload = (-2_i32).to_ne_bytes().to_vec();
        payload.extend(message(0x1b, 5, 3, &[]));
        payload.extend(attrs.into_bytes());
        let bytes = message(NLMSG_ERROR, NLM_F_CAPPED | NLM_F_ACK_TLVS, 3, &payload);
        assert_eq!(
            decode(&bytes, 3).unwrap().replies,
            [Reply::End {
                errno: 2,
                words: Some("no such scheduler".into()),
                place: Some(8),
            }]
        );
    }

    #[test]
    fn words_come_after_a_request_that_was_not_left_out() {
        let mut attrs = Builder::default();
        attrs.string(ERROR_ATTR_MSG, "why");
        let mut payload = (-22_i32).to_ne_bytes().to_vec();
        payload.extend(message(0x1b, 5, 3, &[1, 1, 0, 0, 8, 0, 1, 0, 1, 2, 3, 4]));
        payload.extend(attrs.into_bytes());
        let bytes = message(NLMSG_ERROR, NLM_F_ACK_TLVS, 3, &payload);
        assert_eq!(
            decode(&bytes, 3).unwrap().replies,
            [Reply::End {
                errno: 22,
                words: Some("why".into()),
                place: None,
            }]
        );
    }

    #[test]
    fn replies_to_others_are_left_alone() {
        let bytes = message(0x1b, 0, 4, &[1, 1, 0, 0]);
        assert!(decode(&bytes, 3).unwrap().replies.is_empty());
    }

    #[test]
    fn a_dump_is_data_then_an_end() {
        let mut bytes = message(0x1b, 2, 3, &[1, 1, 0, 0, 4, 0, 1, 0]);
        bytes.extend(message(NLMSG_DONE, 2, 3, &[0, 0, 0, 0]));
        assert_eq!(
            decode(&bytes, 3).unwrap().replies,
            [
                Reply::Data(vec![4, 0, 1, 0]),
                Reply::End {
                    errno: 0,
                    words: None,
                    place: None,
                }
            ]
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), sequence: u32) {
            let _ = decode(&bytes, sequence);
        }

        #[test]
        fn no_payload_makes_it_panic(kind in 0_u16..5, flags: u16, payload in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = decode(&message(kind, flags, 1, &payload), 1);
        }
    }
}
