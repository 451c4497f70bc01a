// SPDX-License-Identifier: GPL-2.0

//! A tap: a device of the director whose wire ends here, with the header of
//! virtio in front of each frame.

use crate::vnet::Vnet;
use std::io::{Error, ErrorKind};
use tun_rs::{DeviceBuilder, Layer, SyncDevice};

pub(crate) struct Tap {
    device: SyncDevice,
    buffer: Vec<u8>,
}

impl Tap {
    /// Takes the end of a device that exists.
    pub(crate) fn attach(name: &str) -> Result<Self, Error> {
        let device = DeviceBuilder::new()
            .name(name)
            .layer(Layer::L2)
            .offload(true)
            .build_sync()?;
        device.set_nonblocking(true)?;
        Ok(Self {
            device,
            buffer: vec![0; 1 << 17],
        })
    }

    /// Sends a frame into the director; returns when it has been handled there.
    /// False: the device refused it, as it may what contradicts itself.
    pub(crate) fn send(&mut self, vnet: &Vnet, frame: &[u8]) -> Result<bool, Error> {
        let head = vnet.to_bytes();
        self.buffer[..head.len()].copy_from_slice(&head);
        self.buffer[head.len()..head.len() + frame.len()].copy_from_slice(frame);
        match self.device.send(&self.buffer[..head.len() + frame.len()]) {
            Ok(_) => Ok(true),
            Err(e) if matches!(e.raw_os_error(), Some(EINVAL | EFAULT | E2BIG | EMSGSIZE)) => {
                Ok(false)
            }
            Err(e) => Err(e),
        }
    }

    /// The next frame that has left the director, if there is one.
    pub(crate) fn receive(&mut self) -> Result<Option<(Vnet, Vec<u8>)>, Error> {
        match self.device.recv(&mut self.buffer) {
            Ok(len) => {
                Ok(Vnet::split(&self.buffer[..len]).map(|(vnet, frame)| (vnet, frame.to_vec())))
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(e) => Err(e),
        }
    }
}

const E2BIG: i32 = 7;
const EFAULT: i32 = 14;
const EINVAL: i32 = 22;
const EMSGSIZE: i32 = 90;
