// SPDX-License-Identifier: GPL-2.0

//! Being told of modules and network devices.
//!
//! C headers: [`include/linux/notifier.h`](srctree/include/linux/notifier.h),
//! [`include/linux/module.h`](srctree/include/linux/module.h),
//! [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use crate::{bindings, module::Entrance, net::Net};
use core::marker::PhantomData;
use kernel::{
    error::to_result,
    ffi::{c_int, c_ulong, c_void},
    prelude::*,
    types::Opaque, //
};

/// Hears of modules that are about to be loaded.
pub trait ModuleEvents: 'static {
    /// The module `name` is loaded and its init function not called yet. An error
    /// refuses it, and is what loading it fails with. May sleep, but must not
    /// load modules or register module notifiers.
    ///
    /// # Errors
    ///
    /// Whatever is to keep the module out.
    fn coming(name: &[u8]) -> Result;
}

/// Hears of network devices.
pub trait DeviceEvents: 'static {
    /// Something happened to `device`, under the RTNL lock; may sleep.
    fn event(device: &Device, event: DeviceEvent);
}

/// What happened to a device (`enum netdev_cmd`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeviceEvent {
    /// It was brought up.
    Up,
    /// It was taken down.
    Down,
    /// It exists.
    Register,
    /// It is going away, or leaves this namespace.
    Unregister,
    /// Its MTU changed.
    MtuChanged,
    /// Something else.
    Other,
}

impl DeviceEvent {
    fn from_raw(event: c_ulong) -> Self {
        match u32::try_from(event) {
            Ok(bindings::netdev_cmd_NETDEV_UP) => Self::Up,
            Ok(bindings::netdev_cmd_NETDEV_DOWN) => Self::Down,
            Ok(bindings::netdev_cmd_NETDEV_REGISTER) => Self::Register,
            Ok(bindings::netdev_cmd_NETDEV_UNREGISTER) => Self::Unregister,
            Ok(bindings::netdev_cmd_NETDEV_CHANGEMTU) => Self::MtuChanged,
            _ => Self::Other,
        }
    }
}

/// A network device, while a notifier is called for it.
#[repr(transparent)]
pub struct Device(Opaque<bindings::net_device>);

impl Device {
    /// Its index in its namespace.
    pub fn index(&self) -> i32 {
        // SAFETY: The device is live.
        unsafe { bindings::lvs_dev_ifindex(self.0.get()) }
    }

    /// Its namespace.
    pub fn net(&self) -> &Net {
        // SAFETY: A device that is not freed has a namespace, which it leaves
        // only under the RTNL lock that is held.
        unsafe { Net::from_raw(bindings::lvs_dev_net(self.0.get())) }
    }
}

/// Which of the kernel's chains a notifier hangs in.
trait Chain {
    /// # Safety
    ///
    /// The block must stay where it is until it is taken out again.
    unsafe fn enter(block: *mut bindings::notifier_block) -> c_int;

    /// Waits until no call of the block is under way.
    ///
    /// # Safety
    ///
    /// The block must have been entered, once.
    unsafe fn leave(block: *mut bindings::notifier_block);

    /// Tells the handler.
    ///
    /// # Safety
    ///
    /// For the kernel, with a block and the data of this chain.
    unsafe extern "C" fn call(
        block: *mut bindings::notifier_block,
        event: c_ulong,
        data: *mut c_void,
    ) -> c_int;
}

/// A block in a chain, taken out when dropped.
///
/// # Invariants
///
/// The block is in the chain.
struct Registration<C: Chain> {
    block: Pin<KBox<Opaque<bindings::notifier_block>>>,
    chain: PhantomData<C>,
    _entrance: Entrance,
}

// SAFETY: Any task may leave a chain; nothing is done through a reference.
unsafe impl<C: Chain> Send for Registration<C> {}
// SAFETY: As above.
unsafe impl<C: Chain> Sync for Registration<C> {}

impl<C: Chain> Registration<C> {
    fn new() -> Result<Self> {
        let block = bindings::notifier_block {
            notifier_call: Some(C::call),
            ..Default::default()
        };
        let block = KBox::pin(Opaque::new(block), GFP_KERNEL)?;
        let _entrance = Entrance::open()?;
        // SAFETY: The box keeps the block in its place until `drop`.
        to_result(unsafe { C::enter(block.get()) })?;
        // INVARIANT: Entered above.
        Ok(Self {
            block,
            chain: PhantomData,
            _entrance,
        })
    }
}

impl<C: Chain> Drop for Registration<C> {
    fn drop(&mut self) {
        // SAFETY: Entered, by the type invariant.
        unsafe { C::leave(self.block.get()) };
    }
}

struct Modules<E>(PhantomData<E>);

impl<E: ModuleEvents> Chain for Modules<E> {
    unsafe fn enter(block: *mut bindings::notifier_block) -> c_int {
        // SAFETY: By the caller's promise.
        unsafe { bindings::register_module_notifier(block) }
    }

    unsafe fn leave(block: *mut bindings::notifier_block) {
        // The chain is a blocking one: calls run under its semaphore, which
        // this takes for writing, so none is under way when it returns.
        // SAFETY: By the caller's promise. It can only fail for a block that
        // is not in the chain.
        unsafe { bindings::unregister_module_notifier(block) };
    }

    unsafe extern "C" fn call(
        _: *mut bindings::notifier_block,
        event: c_ulong,
        data: *mut c_void,
    ) -> c_int {
        // CAST: Small.
        if event != bindings::module_state_MODULE_STATE_COMING as c_ulong {
            // CAST: Zero.
            return bindings::NOTIFY_DONE as c_int;
        }
        // SAFETY: The chain passes the module, whose name lasts and does not
        // change during the call.
        let name = unsafe { &(*data.cast::<bindings::module>()).name };
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        let code = E::coming(name).map_or_else(|error| error.to_errno(), |()| 0);
        // SAFETY: No requirement.
        unsafe { bindings::lvs_notifier_from_errno(code) }
    }
}

struct Devices<E>(PhantomData<E>);

impl<E: DeviceEvents> Chain for Devices<E> {
    unsafe fn enter(block: *mut bindings::notifier_block) -> c_int {
        // SAFETY: By the caller's promise.
        unsafe { bindings::register_netdevice_notifier(block) }
    }

    unsafe fn leave(block: *mut bindings::notifier_block) {
        // Calls run under the RTNL lock, which this takes: none is under way
        // when it returns.
        // SAFETY: By the caller's promise.
        unsafe { bindings::unregister_netdevice_notifier(block) };
    }

    unsafe extern "C" fn call(
        _: *mut bindings::notifier_block,
        event: c_ulong,
        data: *mut c_void,
    ) -> c_int {
        // SAFETY: The chain passes a `netdev_notifier_info`, whose device lasts
        // during the call.
        let device = unsafe { (*data.cast::<bindings::netdev_notifier_info>()).dev };
        // SAFETY: As above; the type is transparent.
        let device = unsafe { &*device.cast::<Device>() };
        E::event(device, DeviceEvent::from_raw(event));
        // CAST: Zero.
        bindings::NOTIFY_DONE as c_int
    }
}

/// `E` hears of modules for as long as this lives. Made and dropped where one
/// may sleep, and not from within the notifier.
pub struct ModuleNotifier<E: ModuleEvents>(#[expect(dead_code)] Registration<Modules<E>>);

impl<E: ModuleEvents> ModuleNotifier<E> {
    /// Begins.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new() -> Result<Self> {
        Registration::new().map(Self)
    }
}

/// `E` hears of devices, also of those that are there already, for as long as
/// this lives. Made and dropped where one may sleep, without the RTNL lock.
pub struct DeviceNotifier<E: DeviceEvents>(#[expect(dead_code)] Registration<Devices<E>>);

impl<E: DeviceEvents> DeviceNotifier<E> {
    /// Begins.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new() -> Result<Self> {
        Registration::new().map(Self)
    }
}
