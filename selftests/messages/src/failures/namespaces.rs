// SPDX-License-Identifier: GPL-2.0

//! Network namespaces: one is made or is not, and its first service likewise.

use nix::sched::{unshare, CloneFlags};

use crate::run::Outcome;

use super::{
    fixture::Fixture,
    requests::{new, tcp},
    Seen, Walk,
};

/// A namespace is made.
pub(super) fn created(walk: &mut Walk) -> Outcome {
    walk.once("a network namespace", |nth, n| {
        let (done, injection) = nth
            .fail(n, || unshare(CloneFlags::CLONE_NEWNET))
            .map_err(|error| error.to_string())?;
        let errno = done.err().map_or(0, |errno| errno as i32);
        if errno == 0 {
            // Whoever is in it finds everything there.
            Fixture::new()?.reset(&[])?;
        }
        // Not made: what the kernel's own parts of a namespace call it is theirs, a
        // socket too many or a family that there is not.
        Ok(Seen { injection, errno })
    })
}

/// The first service of a namespace makes what all others then have.
pub(super) fn first_service(walk: &mut Walk) -> Outcome {
    for (family, virt) in [("IPv4", "10.1.0.100"), ("IPv6", "fd00:1::100")] {
        let message = new(&tcp(virt, 80));
        walk.operation(
            &format!("the first service of a namespace, {family}"),
            |nth, n| {
                unshare(CloneFlags::CLONE_NEWNET).map_err(|error| error.to_string())?;
                let mut fixture = Fixture::new()?;
                let seen = fixture.fail(nth, n, &message)?;
                // Refused once, it is taken the next time.
                if seen.errno != 0 {
                    fixture.reset(&[message.clone()])?;
                }
                fixture.reset(&[])?;
                Ok(seen)
            },
        )?;
    }
    Ok(())
}
