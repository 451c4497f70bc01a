// SPDX-License-Identifier: GPL-2.0

//! The numbers of the three generic netlink families, one file per family.
//!
//! They are what the kernel side and the command line agree on; the YAML
//! specs under `Documentation/netlink/specs` say the same to everyone else.

pub mod ipvs;
pub mod lvs;
pub mod toa;

#[cfg(test)]
mod tests {
    use super::{ipvs, lvs, toa};

    /// Spot checks against `include/uapi/linux/ip_vs.h` of Linux 7.3, and of
    /// what must agree between families.
    #[test]
    fn the_numbers_are_those_of_linux() {
        assert_eq!((ipvs::cmd::NEW_SERVICE, ipvs::cmd::FLUSH), (1, 17));
        assert_eq!((ipvs::attr::SERVICE, ipvs::attr::TIMEOUT_UDP), (1, 6));
        assert_eq!((ipvs::svc::SCHED_NAME, ipvs::svc::STATS64), (6, 12));
        assert_eq!((ipvs::dest::ADDR_FAMILY, ipvs::dest::TUN_FLAGS), (11, 15));
        assert_eq!((ipvs::daemon::MCAST_GROUP, ipvs::daemon::MCAST_TTL), (5, 8));
        assert_eq!((ipvs::stats::CONNS, ipvs::stats::PAD), (1, 11));
        assert_eq!(ipvs::fwd::FULLNAT & ipvs::fwd::MASK, 5);
    }

    #[test]
    fn a_family_name_fits_generic_netlink() {
        // GENL_NAMSIZ is 16 with the ending NUL.
        for name in [ipvs::NAME, lvs::NAME, toa::NAME] {
            assert!(name.len() < 16);
        }
    }
}
