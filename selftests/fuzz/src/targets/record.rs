// SPDX-License-Identifier: GPL-2.0

//! The connection record: what is read is written again as it was.

use lvs_wire::conn::{Error, Record, Records, FIXED_LEN, MAX_LEN};

use crate::reference::word;

/// The bytes are records.
pub(super) fn run(data: &[u8]) {
    if let Ok((record, behind)) = Record::decode(data) {
        let len = data.len() - behind.len();
        one(&record, &data[..len]);
        for cut in 0..len {
            assert!(Record::decode(&data[..cut]).is_err(), "{cut} bytes");
        }
    }
    all(data);
}

fn one(record: &Record, bytes: &[u8]) {
    let len = record.encoded_len();
    // What a later version has put behind what this one knows is lost.
    assert!((FIXED_LEN + 16..=MAX_LEN).contains(&len) && len <= bytes.len());
    let mut written = vec![0xee; len + 3];
    assert_eq!(record.encode(&mut written).map(|rest| rest.len()), Some(3));
    assert_eq!(written[len..], [0xee; 3]);
    let mut expected = bytes[..len].to_vec();
    expected[2..4].copy_from_slice(&(len as u16).to_be_bytes());
    expected[7] = 0;
    assert_eq!(written[..len], expected, "written again");
    assert_eq!(Record::decode(&written), Ok((*record, &[0xee; 3][..])));
    for short in 0..len {
        assert_eq!(record.encode(&mut vec![0; short]), None);
    }
}

fn all(data: &[u8]) {
    let mut rest = data;
    for item in Records::new(data) {
        // One record at a time, each as if it stood alone.
        match Record::decode(rest) {
            Ok((record, behind)) => {
                assert_eq!(item, Ok(record));
                rest = behind;
            }
            Err(error) => {
                assert_eq!(item, Err(error));
                let len = rest.get(2..4).map(|l| usize::from(word(l, 0)));
                rest = len
                    .filter(|len| *len >= 4 && *len % 4 == 0)
                    .and_then(|len| rest.get(len..))
                    .unwrap_or_default();
                let lost = matches!(error, Error::Truncated | Error::Length);
                assert!(
                    lost || error == Error::Family || matches!(error, Error::Version(v) if v != 1)
                );
            }
        }
    }
    assert!(rest.is_empty(), "records left over");
}
