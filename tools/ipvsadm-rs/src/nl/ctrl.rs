// SPDX-License-Identifier: GPL-2.0

//! The family of families: what number has a family got?
//! C header: `include/uapi/linux/genetlink.h`.

use super::attrs::{Attrs, Malformed};
use super::builder::Builder;
use super::message::Request;

/// `GENL_ID_CTRL`
const FAMILY: u16 = 0x10;
/// `CTRL_CMD_GETFAMILY`
const GET_FAMILY: u8 = 3;
/// `CTRL_ATTR_FAMILY_ID`
const ATTR_ID: u16 = 1;
/// `CTRL_ATTR_FAMILY_NAME`
const ATTR_NAME: u16 = 2;

/// Asks for the number of a family.
pub(crate) fn get_family(name: &str) -> Request {
    let mut attrs = Builder::default();
    attrs.string(ATTR_NAME, name);
    Request {
        family: FAMILY,
        version: 1,
        command: GET_FAMILY,
        dump: false,
        attrs: attrs.into_bytes(),
    }
}

/// The number in the answer.
pub(crate) fn family_id(attrs: &[u8]) -> Result<u16, Malformed> {
    Attrs::parse(attrs)?.u16(ATTR_ID)
}
