// SPDX-License-Identifier: GPL-2.0

//! loom's locks and atomics, and a toy grace period that knows every read
//! section: what is retired is freed as soon as the sections that there are
//! at that moment have ended, which is the earliest that RCU allows.
//!
//! Memory that is freed is kept until the interleaving is over, and marked: a
//! model that looks at it fails instead of reading what happens to be there.

use crate::{
    entry::{Entry, Item},
    NoMemory,
};
use core::{
    cell::{Cell, RefCell},
    marker::PhantomData,
    ptr::NonNull,
    sync::atomic::Ordering,
};
use loom::{
    sync::{Mutex, MutexGuard},
    thread::Thread,
};
use std::{
    alloc::{dealloc, Layout},
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

pub(crate) use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize};

pub(crate) type Array<T> = Vec<T>;
pub(crate) type Shared<T> = std::sync::Arc<T>;

/// Stands where the kernel's queue entry does.
#[derive(Clone, Copy, Default)]
pub(crate) struct Head {
    _words: [usize; 2],
}

/// A cell whose every access is a write to loom: all of them are guarded.
pub(crate) struct UnsafeCell<T>(loom::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(loom::cell::UnsafeCell::new(value))
    }

    #[track_caller]
    pub(crate) fn get(&self) -> *mut T {
        self.0.with_mut(|value| value)
    }
}

/// A piece of memory, and who has looked at it.
struct Block {
    layout: Layout,
    freed: bool,
    looks: loom::cell::UnsafeCell<()>,
}

/// What waits for a grace period.
struct Retired {
    sections: BTreeSet<u64>,
    address: usize,
    free: unsafe fn(usize),
}

/// The world of one interleaving. loom runs the threads of a model in turn on
/// one real thread, so that this is consistent by itself; that the order in
/// which its sections change matters, loom is told by `Order::sections`.
#[derive(Default)]
struct World {
    blocks: BTreeMap<usize, Block>,
    sections: BTreeSet<u64>,
    last_section: u64,
    retired: Vec<Retired>,
    sleepers: Vec<(Thread, BTreeSet<u64>)>,
}

/// What RCU promises about order, and no more: the end of a grace period comes
/// after its beginning and after the sections that it has waited for, and a
/// section that it has not waited for comes after its beginning, and after its
/// end if it begins later. Sections say nothing about one another.
struct Order {
    /// Touched with each look at the set of sections and each change of it.
    sections: AtomicUsize,
    sections_ended: AtomicUsize,
    grace_periods: AtomicUsize,
}

std::thread_local! {
    static WORLD: RefCell<World> = RefCell::default();
    static ORDER: Cell<Option<&'static Order>> = const { Cell::new(None) };
}

fn world<R>(with: impl FnOnce(&mut World) -> R) -> R {
    WORLD.with(|world| with(&mut world.borrow_mut()))
}

fn order() -> &'static Order {
    ORDER.get().expect("inside of model::check")
}

/// Looks at the sections that there are, or changes them, in one step.
fn sections<R>(with: impl FnOnce(&mut World) -> R) -> R {
    // ORDERING: None.
    order().sections.fetch_add(1, Ordering::Relaxed);
    world(with)
}

/// The sections that a grace period which begins now must wait for.
fn grace_period_begins() -> BTreeSet<u64> {
    order().grace_periods.fetch_add(1, Ordering::Release);
    sections(|world| world.sections.clone())
}

/// The sections that it had to wait for have ended.
fn grace_period_over() {
    // ORDERING: A read-modify-write sees the newest, whatever its order.
    order().sections_ended.fetch_add(0, Ordering::Acquire);
    order().grace_periods.fetch_add(1, Ordering::AcqRel);
}

/// A read section.
pub struct ReadLock(u64);

impl ReadLock {
    /// Enters a read section.
    pub fn new() -> Self {
        let section = sections(|world| {
            world.last_section += 1;
            world.sections.insert(world.last_section);
            world.last_section
        });
        order().grace_periods.fetch_add(0, Ordering::Acquire);
        Self(section)
    }
}

impl Default for ReadLock {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for ReadLock {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        order().sections_ended.fetch_add(1, Ordering::Release);
        let (over, awake) = sections(|world| {
            world.sections.remove(&self.0);
            let (over, waiting): (Vec<_>, _) = core::mem::take(&mut world.retired)
                .into_iter()
                .partition(|retired| world.sections.is_disjoint(&retired.sections));
            world.retired = waiting;
            let (awake, asleep): (Vec<_>, _) = core::mem::take(&mut world.sleepers)
                .into_iter()
                .partition(|(_, sections)| world.sections.is_disjoint(sections));
            world.sleepers = asleep;
            (over, awake)
        });
        for (thread, _) in awake {
            thread.unpark();
        }
        if !over.is_empty() {
            grace_period_over();
        }
        for retired in over {
            // SAFETY: Its grace period is over.
            unsafe { (retired.free)(retired.address) };
        }
    }
}

/// A lock as the kernel's spin lock is used.
pub(crate) struct Lock<T>(Mutex<T>);

impl<T> Lock<T> {
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().expect("a panic ends the model")
    }
}

/// Where entries come from.
pub struct Cache<T: Item>(PhantomData<fn() -> T>);

impl<T: Item> Default for Cache<T> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T: Item> Cache<T> {
    /// Bytes of a value: loom's links have no size worth a name.
    pub const ENTRY_SIZE: usize = size_of::<T>();

    pub(crate) fn allocate(&self, entry: Entry<T>) -> Result<NonNull<Entry<T>>, NoMemory> {
        boxed(entry)
    }
}

pub(crate) fn try_array<T>(
    len: usize,
    mut each: impl FnMut() -> Option<T>,
) -> Result<Array<T>, NoMemory> {
    (0..len).map(|_| each().ok_or(NoMemory)).collect()
}

pub(crate) fn lock<T>(value: T) -> Lock<T> {
    Lock(Mutex::new(value))
}

pub(crate) fn boxed<T>(value: T) -> Result<NonNull<T>, NoMemory> {
    let memory = NonNull::from(Box::leak(Box::new(value)));
    let block = Block {
        layout: Layout::new::<T>(),
        freed: false,
        looks: loom::cell::UnsafeCell::new(()),
    };
    // Who looks at it must come after this.
    block.looks.with_mut(|_| ());
    world(|world| world.blocks.insert(memory.addr().get(), block));
    Ok(memory)
}

/// See `sync::deref`.
///
/// # Safety
///
/// It must be live for `'a`: made by [`boxed`], which is looked at, and not
/// freed, which is too.
#[track_caller]
pub(crate) unsafe fn deref<'a, T>(pointer: NonNull<T>) -> &'a T {
    world(|world| {
        let block = world.blocks.get(&pointer.addr().get());
        let block = block.expect("a pointer to what was allocated");
        assert!(!block.freed, "used after it was freed");
        block.looks.with(|_| ());
    });
    // SAFETY: By the caller's promise.
    unsafe { pointer.as_ref() }
}

/// # Safety
///
/// `value` must come from [`boxed`] and must not be used again.
pub(crate) unsafe fn unbox<T>(value: NonNull<T>) {
    world(|world| {
        let block = world.blocks.get_mut(&value.addr().get());
        let block = block.expect("a pointer to what was allocated");
        assert!(!block.freed, "freed twice");
        block.freed = true;
        // Who looked at it must come before this.
        block.looks.with_mut(|_| ());
    });
    // SAFETY: By the caller's promise. The memory stays.
    unsafe { value.drop_in_place() };
}

/// Waits until the sections that there are have ended.
pub(crate) fn synchronize() {
    let sections = grace_period_begins();
    if !sections.is_empty() {
        // loom lets nobody in between this look and the sleep.
        world(|world| world.sleepers.push((loom::thread::current(), sections)));
        loom::thread::park();
    }
    grace_period_over();
}

unsafe fn free<T: Item>(entry: usize) {
    let entry = core::ptr::with_exposed_provenance_mut::<Entry<T>>(entry);
    // SAFETY: From `retire`, once.
    unsafe { unbox(NonNull::new_unchecked(entry)) };
}

/// # Safety
///
/// `entry` must be live, claimed by the caller, in no chain and no slot, and
/// must be retired once.
pub(crate) unsafe fn retire<T: Item>(entry: *mut Entry<T>) {
    // SAFETY: Live and claimed by the caller; the place is used for nothing
    // else any more.
    unsafe { (*deref(NonNull::new_unchecked(entry)).place.get()).retired = Head::default() };
    let sections = grace_period_begins();
    let address = entry.expose_provenance();
    if sections.is_empty() {
        grace_period_over();
        // SAFETY: There is no section.
        unsafe { free::<T>(address) };
    } else {
        let free = free::<T>;
        world(|world| {
            world.retired.push(Retired {
                sections,
                address,
                free,
            });
        });
    }
}

/// What models are run by.
pub mod model {
    use super::*;
    use std::{
        sync::atomic::{AtomicU64, Ordering::Relaxed},
        time::Instant,
    };

    fn begin() {
        world(|world| {
            for (address, block) in core::mem::take(&mut world.blocks) {
                let memory = core::ptr::with_exposed_provenance_mut(address);
                // SAFETY: From a box of that layout; its value was dropped, or
                // is given up with the interleaving.
                unsafe { dealloc(memory, block.layout) };
            }
            *world = World::default();
        });
        let order = Order {
            sections: AtomicUsize::new(0),
            sections_ended: AtomicUsize::new(0),
            grace_periods: AtomicUsize::new(0),
        };
        if let Some(old) = ORDER.replace(Some(Box::leak(Box::new(order)))) {
            // SAFETY: Leaked here, and the interleaving that used it is over.
            drop(unsafe { Box::from_raw(core::ptr::from_ref(old).cast_mut()) });
        }
    }

    /// Memory that has not been given back.
    #[must_use]
    pub fn leaked() -> usize {
        world(|world| world.blocks.values().filter(|block| !block.freed).count())
    }

    /// Runs `model` in every interleaving of its threads that takes the CPU
    /// from one of them at most `preemptions` times where it could have gone
    /// on. All that the model has made it must have given back at its end.
    pub fn check(name: &str, preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
        let count = std::sync::Arc::new(AtomicU64::new(0));
        let counted = count.clone();
        let start = Instant::now();
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(preemptions);
        builder.max_branches = 20_000;
        builder.check(move || {
            counted.fetch_add(1, Relaxed);
            begin();
            model();
            assert_eq!(leaked(), 0, "pieces of memory were not given back");
        });
        let count = count.load(Relaxed);
        // One could be by chance of a model that does nothing.
        assert!(count > 1, "{name}: there was nothing to choose");
        let ms = start.elapsed().as_millis();
        std::println!("# {name}: {count} interleavings, {preemptions} preemptions, {ms} ms");
    }
}
