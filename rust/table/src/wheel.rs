// SPDX-License-Identifier: GPL-2.0

//! The timer wheel: which entries to look at, and when.
//!
//! A slot is one tick wide. An entry stands in the slot at which it was due
//! when it was put there; that it has been put off since is noticed when its
//! slot comes up. Hence only an entry that is due *earlier* has to be moved.

use crate::{
    entry::{Entry, Item, Ref, Side, Timer, NO_SLOT},
    sync::{
        self,
        sizes::{SLOTS, WHEELS},
        Lock,
    },
    NoMemory,
};
use core::{ptr, ptr::NonNull};

/// Entries that are looked at in one go with softirqs off.
const BATCH: usize = 64;

/// What an entry whose time has come says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// It has ended.
    Now,
    /// Ask again at that tick.
    At(u32),
}

struct Wheel<T: Item> {
    slots: sync::Array<*mut Entry<T>>,
    /// The tick that was looked at last.
    turned: u32,
}

// SAFETY: The entries may be sent and shared.
unsafe impl<T: Item> Send for Wheel<T> {}

pub(crate) struct Wheels<T: Item>(sync::Array<Lock<Wheel<T>>>);

impl<T: Item> Wheels<T> {
    pub(crate) fn new(now: u32) -> Result<Self, NoMemory> {
        let mut slots = [const { None }; WHEELS];
        for slots in &mut slots {
            *slots = Some(sync::array(SLOTS, ptr::null_mut)?);
        }
        let mut slots = slots.into_iter().flatten();
        let wheels = sync::try_array(WHEELS, || {
            slots
                .next()
                .map(|slots| sync::lock(Wheel { slots, turned: now }))
        })?;
        Ok(Self(wheels))
    }

    fn of(&self, entry: Ref<'_, T>) -> &Lock<Wheel<T>> {
        // Not the bits that choose the chain's lock.
        let index = (entry.entry().hash(Side::First) >> 16) as usize & (WHEELS - 1);
        // SAFETY: Masked to the number of wheels.
        unsafe { self.0.get_unchecked(index) }
    }

    /// Puts a new entry in, unless somebody has taken it out already.
    pub(crate) fn arm(&self, entry: Ref<'_, T>, tick: u32) {
        let mut wheel = self.of(entry).lock();
        // Who takes it out comes here after claiming it: before this, and it
        // is seen, or after, and it is disarmed.
        if !entry.entry().is_dead() {
            wheel.put(entry, tick);
        }
    }

    /// Moves an entry, unless it is on its way out.
    pub(crate) fn rearm(&self, entry: Ref<'_, T>, tick: u32) {
        let mut wheel = self.of(entry).lock();
        if wheel.take(entry) {
            wheel.put(entry, tick);
        }
    }

    /// Takes an entry out, if it is in.
    pub(crate) fn disarm(&self, entry: Ref<'_, T>) {
        self.of(entry).lock().take(entry);
    }

    /// Turns every wheel up to `now`. Entries that have ended are claimed and
    /// passed to `ended`, with no lock held.
    pub(crate) fn turn(
        &self,
        now: u32,
        due: &mut impl FnMut(&T) -> Due,
        ended: &mut impl FnMut(Ref<'_, T>),
    ) {
        for wheel in self.0.iter() {
            loop {
                let (mut list, done) = wheel.lock().collect(now, due);
                while let Some(entry) = pop(&mut list) {
                    ended(entry);
                }
                if done {
                    break;
                }
            }
        }
    }

    /// Empties every wheel.
    pub(crate) fn drain(&self, ended: &mut impl FnMut(Ref<'_, T>)) {
        for wheel in self.0.iter() {
            for slot in 0..SLOTS {
                loop {
                    let mut list = ptr::null_mut();
                    let done = wheel
                        .lock()
                        .collect_slot(slot, &mut |_| Due::Now, &mut list);
                    while let Some(entry) = pop(&mut list) {
                        ended(entry);
                    }
                    if done {
                        break;
                    }
                }
            }
        }
    }
}

/// An entry's place in a slot or a list.
///
/// # Safety
///
/// The entry must be live, and who looks at the place or changes it must hold
/// the wheel's lock or have claimed the entry.
unsafe fn timer<T: Item>(entry: *mut Entry<T>) -> *mut Timer<T> {
    // SAFETY: Live, by the caller's promise.
    let entry = unsafe { sync::deref(NonNull::new_unchecked(entry)) };
    // SAFETY: The union's parts are at its start, and any content will do.
    unsafe { &raw mut (*entry.place.get()).timer }
}

/// Takes the first off a list of claimed entries, linked through their timers.
fn pop<'a, T: Item>(list: &mut *mut Entry<T>) -> Option<Ref<'a, T>> {
    let entry = NonNull::new(*list)?;
    // SAFETY: Claimed by whoever made the list, in no slot: live, and its
    // timer is the list's.
    *list = unsafe { (*timer(entry.as_ptr())).next };
    // SAFETY: Claimed and not yet retired, which is the caller's next step.
    Some(unsafe { Ref::assume(entry) })
}

impl<T: Item> Wheel<T> {
    fn slot_of(tick: u32) -> usize {
        tick as usize & (SLOTS - 1)
    }

    fn put(&mut self, entry: Ref<'_, T>, tick: u32) {
        // No earlier than the next tick that will be looked at, no later than
        // once round.
        let ahead = tick.wrapping_sub(self.turned);
        let ahead = if ahead == 0 || ahead > u32::MAX / 2 {
            1
        } else {
            ahead.min(SLOTS as u32 - 1)
        };
        let slot = Self::slot_of(self.turned.wrapping_add(ahead));
        let at = entry.as_ptr();
        // SAFETY: `slot < SLOTS`.
        let head = unsafe { self.slots.get_unchecked_mut(slot) };
        let next = *head;
        // SAFETY: The entry is live and in no slot; its place and slot, and
        // those of the entries in slots, are guarded by this wheel's lock.
        unsafe {
            *entry.entry().slot.get() = slot as u16;
            *timer(at) = Timer {
                prev: ptr::null_mut(),
                next,
            };
            if !next.is_null() {
                (*timer(next)).prev = at;
            }
        }
        *head = at;
    }

    /// Takes an entry out; whether it was in.
    fn take(&mut self, entry: Ref<'_, T>) -> bool {
        let at = entry.as_ptr();
        // SAFETY: Guarded by the lock, as above.
        let slot = unsafe { entry.entry().slot.get().replace(NO_SLOT) };
        if slot == NO_SLOT {
            return false;
        }
        // SAFETY: The entry is in that slot, so that its place is a timer and
        // its neighbours are in the slot too, hence live.
        unsafe {
            let Timer { prev, next } = *timer(at);
            if prev.is_null() {
                *self.slots.get_unchecked_mut(slot as usize) = next;
            } else {
                (*timer(prev)).next = next;
            }
            if !next.is_null() {
                (*timer(next)).prev = prev;
            }
        }
        true
    }

    /// Goes on towards `now`; a list of what has ended, and whether `now` is
    /// reached.
    fn collect(&mut self, now: u32, due: &mut impl FnMut(&T) -> Due) -> (*mut Entry<T>, bool) {
        let mut list = ptr::null_mut();
        // A clock that stood still or a first turn long after: once round is
        // all there is.
        if now.wrapping_sub(self.turned) > SLOTS as u32
            && now.wrapping_sub(self.turned) < u32::MAX / 2
        {
            self.turned = now.wrapping_sub(SLOTS as u32);
        }
        while now.wrapping_sub(self.turned).wrapping_sub(1) < u32::MAX / 2 {
            let tick = self.turned.wrapping_add(1);
            // What is put back goes ahead of this tick.
            self.turned = tick;
            if !self.collect_slot(Self::slot_of(tick), due, &mut list) {
                self.turned = tick.wrapping_sub(1);
                return (list, false);
            }
        }
        (list, true)
    }

    /// Looks at the entries of one slot, at most a batch; whether it is empty.
    fn collect_slot(
        &mut self,
        slot: usize,
        due: &mut impl FnMut(&T) -> Due,
        list: &mut *mut Entry<T>,
    ) -> bool {
        for _ in 0..BATCH {
            // SAFETY: The callers pass slots below `SLOTS`.
            let head = unsafe { *self.slots.get_unchecked(slot) };
            let Some(entry) = NonNull::new(head) else {
                return true;
            };
            // SAFETY: In a slot, hence live until it is taken out, under this
            // lock.
            let entry = unsafe { Ref::assume(entry) };
            let verdict = due(&entry);
            self.take(entry);
            match verdict {
                Due::At(tick) => self.put(entry, tick),
                // If somebody else has claimed it, they find it taken out.
                Due::Now if entry.claim() => {
                    // SAFETY: Claimed and in no slot: its place is ours.
                    unsafe {
                        *timer(entry.as_ptr()) = Timer {
                            prev: ptr::null_mut(),
                            next: *list,
                        };
                    }
                    *list = entry.as_ptr();
                }
                Due::Now => {}
            }
        }
        false
    }
}
