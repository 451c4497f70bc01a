// SPDX-License-Identifier: GPL-2.0

//! TCP as a load balancer sees it: flags, sequence numbers, states.

pub mod flags;
pub mod seq;
pub mod state;

pub use flags::Flags;
pub use state::TcpState;
