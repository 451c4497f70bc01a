// SPDX-License-Identifier: GPL-2.0

//! What root may change in a namespace while it runs: the values behind the
//! sysctls and `ipvsadm --set`.

use core::sync::atomic::{AtomicI32, AtomicU32, Ordering::Relaxed};
use kernel::{alloc::AllocError, static_lock_class};
use lvs_engine::{
    conn::{ReusePolicy, ToaKinds},
    isn::Timestamps,
    ports::{RangeError, Ranges},
    timeouts::Timeouts,
};
use lvs_kapi::{
    gfp::Gfp,
    lock::SpinLockBh,
    random,
    rcu::{self, ReadLock},
};

/// The settings of one namespace.
pub(crate) struct Settings {
    /// Read for every packet. Writers hold the lock of `ports`.
    timeouts: rcu::Cell<Timeouts>,
    ports: SpinLockBh<Ranges>,
    pub(crate) timestamps: AtomicU32,
    pub(crate) conn_reuse_mode: AtomicU32,
    pub(crate) expire_nodest_conn: AtomicU32,
    /// Whether a SYN starts a closed FULLNAT connection over in any mode.
    pub(crate) conn_reused: AtomicU32,
    /// At how many ports in use is looked for one that gives way.
    pub(crate) lport_tries: AtomicU32,
    /// Whether both ends of a connection that expires while established are
    /// sent a RST.
    pub(crate) expire_rst: AtomicU32,
    /// Whether servers are told the client's address.
    pub(crate) toa: AtomicU32,
    /// The kind of the option that tells clients of IPv6.
    pub(crate) toa_kind_v6: AtomicU32,
    /// Whether a template ends when its server's weight is 0.
    pub(crate) expire_quiescent_template: AtomicU32,
    /// Whether a service by mark without a server lets packets pass.
    pub(crate) cache_bypass: AtomicU32,
    /// Whether a TCP connection may begin with any segment but RST.
    pub(crate) sloppy_tcp: AtomicU32,
    /// How many connections there may be.
    pub(crate) conn_max: AtomicU32,
    /// Whether tunnelled packets keep their DF.
    pub(crate) pmtu_disc: AtomicU32,
    /// Whether replies are routed anew as packets from their virtual address,
    /// where that can make a difference.
    pub(crate) snat_reroute: AtomicU32,
    /// What chains of connections may hold on average, as a power of two.
    pub(crate) conn_lfactor: AtomicI32,
    /// Whether a server hears that nobody knows what it replies to.
    pub(crate) nat_icmp_send: AtomicU32,
    /// Whether an ICMP error may be the first that is seen of a connection.
    pub(crate) schedule_icmp: AtomicU32,
    /// Of the initial sequence numbers that servers see.
    isn_key: SpinLockBh<random::Key>,
    /// Whether the MSS that clients are told leaves room for that.
    pub(crate) lower_mss: AtomicU32,
    /// Whether clients may send data with their SYN.
    pub(crate) fast_open: AtomicU32,
}

impl Settings {
    pub(crate) fn new() -> Self {
        Self {
            // Empty: the default.
            timeouts: rcu::Cell::empty(),
            ports: SpinLockBh::new(Ranges::DEFAULT, c"lvs_port_range", static_lock_class!()),
            timestamps: AtomicU32::new(2),
            conn_reuse_mode: AtomicU32::new(ReusePolicy::DEFAULT.conn_reuse_mode),
            expire_nodest_conn: AtomicU32::new(0),
            conn_reused: AtomicU32::new(1),
            lport_tries: AtomicU32::new(256),
            expire_rst: AtomicU32::new(1),
            toa: AtomicU32::new(1),
            toa_kind_v6: AtomicU32::new(ToaKinds::DEFAULT.v6.into()),
            expire_quiescent_template: AtomicU32::new(0),
            cache_bypass: AtomicU32::new(0),
            sloppy_tcp: AtomicU32::new(0),
            conn_max: AtomicU32::new(1 << 30),
            pmtu_disc: AtomicU32::new(1),
            snat_reroute: AtomicU32::new(1),
            conn_lfactor: AtomicI32::new(0),
            nat_icmp_send: AtomicU32::new(0),
            schedule_icmp: AtomicU32::new(0),
            isn_key: SpinLockBh::new(random::Key::random(), c"lvs_isn_key", static_lock_class!()),
            lower_mss: AtomicU32::new(1),
            fast_open: AtomicU32::new(0),
        }
    }

    /// Any context.
    #[inline]
    pub(crate) fn timeouts<'r>(&'r self, rcu: &'r ReadLock) -> &'r Timeouts {
        self.timeouts.read(rcu).unwrap_or(&Timeouts::DEFAULT)
    }

    /// Changes timeouts; all or, when `change` fails, none. Any context.
    pub(crate) fn change_timeouts<E: From<AllocError>>(
        &self,
        change: impl FnOnce(&mut Timeouts) -> Result<(), E>,
    ) -> Result<(), E> {
        let _writer = self.ports.lock();
        let rcu = ReadLock::new();
        let mut timeouts = *self.timeouts(&rcu);
        change(&mut timeouts)?;
        let timeouts = rcu::Boxed::new(timeouts, Gfp::Atomic)?;
        self.timeouts.replace(Some(timeouts));
        Ok(())
    }

    /// The ports that FULLNAT connections leave from.
    pub(crate) fn ports(&self) -> Ranges {
        *self.ports.lock()
    }

    /// Sets `fullnat_lport_min` and `_max`.
    pub(crate) fn set_ports(&self, first: u16, last: u16) -> Result<(), RangeError> {
        *self.ports.lock() = Ranges::new(first, last)?;
        Ok(())
    }

    /// The secret of initial sequence numbers. Any context.
    pub(crate) fn isn_key(&self) -> random::Key {
        *self.isn_key.lock()
    }

    /// Takes a secret that other directors have too. Any context.
    pub(crate) fn set_isn_key(&self, key: random::Key) {
        *self.isn_key.lock() = key;
    }

    pub(crate) fn timestamps(&self) -> Timestamps {
        Timestamps::from_number(self.timestamps.load(Relaxed)).unwrap_or_default()
    }

    pub(crate) fn reuse(&self) -> ReusePolicy {
        ReusePolicy {
            conn_reuse_mode: self.conn_reuse_mode.load(Relaxed),
            fullnat_conn_reused: self.conn_reused.load(Relaxed) != 0,
            expire_nodest_conn: self.expire_nodest_conn.load(Relaxed) != 0,
        }
    }

    pub(crate) fn expire_quiescent_template(&self) -> bool {
        self.expire_quiescent_template.load(Relaxed) != 0
    }

    pub(crate) fn cache_bypass(&self) -> bool {
        self.cache_bypass.load(Relaxed) != 0
    }

    pub(crate) fn lport_tries(&self) -> usize {
        // CAST: Widening.
        self.lport_tries.load(Relaxed) as usize
    }

    pub(crate) fn sloppy_tcp(&self) -> bool {
        self.sloppy_tcp.load(Relaxed) != 0
    }

    pub(crate) fn conn_max(&self) -> usize {
        // CAST: Widening.
        self.conn_max.load(Relaxed) as usize
    }

    pub(crate) fn pmtu_disc(&self) -> bool {
        self.pmtu_disc.load(Relaxed) != 0
    }

    pub(crate) fn conn_lfactor(&self) -> i32 {
        self.conn_lfactor.load(Relaxed)
    }

    pub(crate) fn schedule_icmp(&self) -> bool {
        self.schedule_icmp.load(Relaxed) != 0
    }

    #[inline]
    pub(crate) fn nat_icmp_send(&self) -> bool {
        self.nat_icmp_send.load(Relaxed) != 0
    }

    #[inline]
    pub(crate) fn snat_reroute(&self) -> bool {
        self.snat_reroute.load(Relaxed) != 0
    }

    pub(crate) fn toa(&self) -> bool {
        self.toa.load(Relaxed) != 0
    }

    /// Any context.
    #[inline]
    pub(crate) fn toa_kinds(&self) -> ToaKinds {
        ToaKinds {
            // CAST: One of two that fit.
            v6: self.toa_kind_v6.load(Relaxed) as u8,
            ..ToaKinds::DEFAULT
        }
    }

    pub(crate) fn lower_mss(&self) -> bool {
        self.lower_mss.load(Relaxed) != 0
    }

    pub(crate) fn fast_open(&self) -> bool {
        self.fast_open.load(Relaxed) != 0
    }
}
