// SPDX-License-Identifier: GPL-2.0

//! Read-only text files in `/proc/net`, one for each network namespace.
//!
//! A file is either shown at once ([`Single`]) or made of rows ([`Rows`]). No
//! lock is held between two calls of the trait, so an implementation may sleep
//! or enter a read section of its own; what it lists may change meanwhile, and
//! the cursor says what comes next.
//!
//! Files are made through [`crate::netns::Attachments`].
//!
//! C header: [`include/linux/proc_fs.h`](srctree/include/linux/proc_fs.h)

use crate::{
    bindings,
    cursor::{Cursor, Progress},
    net::Net, //
};
use core::{
    ffi::{c_int, c_uint, c_void},
    mem::size_of,
    ptr::{self, NonNull}, //
};
use kernel::{
    error::from_result,
    prelude::*,
    seq_file::SeqFile,
    sync::Arc, //
};

/// A file made of rows, in as many calls as the reader needs.
pub trait Rows: 'static {
    /// What the rows are read from.
    type State: Send + Sync + 'static;

    /// The file's name.
    const NAME: &'static CStr;

    /// Its access mode.
    const MODE: u16 = 0o444;

    /// Writes what stands above the rows. May sleep.
    fn header(state: &Self::State, out: &SeqFile);

    /// Writes the next rows, some or none, and moves the cursor behind them.
    /// May sleep.
    ///
    /// The call may be repeated with the same cursor, when the text did not
    /// fit into the reader's buffer: a few kilobytes at a time are best.
    fn rows(state: &Self::State, cursor: &mut Cursor, out: &SeqFile) -> Progress;
}

/// A file that is shown in one call.
pub trait Single: 'static {
    /// What the text is made from.
    type State: Send + Sync + 'static;

    /// The file's name.
    const NAME: &'static CStr;

    /// Its access mode.
    const MODE: u16 = 0o444;

    /// Writes the text. May sleep; may be repeated, when it did not fit.
    fn show(state: &Self::State, out: &SeqFile);
}

/// A file in a namespace's `/proc/net`, removed when dropped.
///
/// # Invariants
///
/// The entry's data pointer is `Arc::as_ptr` of `state`.
pub(crate) struct File {
    entry: NonNull<bindings::proc_dir_entry>,
    /// Keeps what the entry's data points at.
    #[expect(dead_code, reason = "held for its drop alone")]
    state: KBox<dyn Held>,
}

trait Held: Send + Sync {}
impl<T: Send + Sync> Held for Arc<T> {}

// SAFETY: The entry may be removed by any task; nothing is done through a
// shared reference.
unsafe impl Send for File {}
// SAFETY: As above.
unsafe impl Sync for File {}

impl File {
    /// The file of `F` in `net`. The caller drops it while `net`, whose exit
    /// callbacks remove the directory, is still there. May sleep.
    pub(crate) fn rows<F: Rows>(net: &Net, state: Arc<F::State>) -> Result<Self> {
        let data = Arc::as_ptr(&state).cast_mut().cast();
        let state = KBox::new(state, GFP_KERNEL)?;
        // SAFETY: Name and operations are static; the state that `data` points
        // at is kept until the entry is gone; the private data is a
        // `Position`, for which zeroes are a value.
        let entry = unsafe {
            bindings::proc_create_net_data(
                F::NAME.as_char_ptr(),
                F::MODE,
                bindings::lvs_proc_net(net.as_ptr()),
                const { &Reader::<F>::OPERATIONS },
                // CAST: A few dozen bytes.
                const { size_of::<Position>() as c_uint },
                data,
            )
        };
        Self::new(entry, state)
    }

    /// As [`File::rows`].
    pub(crate) fn single<F: Single>(net: &Net, state: Arc<F::State>) -> Result<Self> {
        let data = Arc::as_ptr(&state).cast_mut().cast();
        let state = KBox::new(state, GFP_KERNEL)?;
        // SAFETY: As in `rows`.
        let entry = unsafe {
            bindings::proc_create_net_single(
                F::NAME.as_char_ptr(),
                F::MODE,
                bindings::lvs_proc_net(net.as_ptr()),
                Some(show_single::<F>),
                data,
            )
        };
        Self::new(entry, state)
    }

    fn new(entry: *mut bindings::proc_dir_entry, state: KBox<dyn Held>) -> Result<Self> {
        // INVARIANT: The callers pass the state that they gave the entry.
        Ok(Self {
            // The kernel does not say why: no memory, or the name exists.
            entry: NonNull::new(entry).ok_or(ENOMEM)?,
            state,
        })
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // Waits for calls that are under way and closes files that are still
        // open (`proc_entry_rundown`): no callback comes after it.
        // SAFETY: The entry is ours and is removed once, while its directory
        // is still there (see `rows`).
        unsafe { bindings::proc_remove(self.entry.as_ptr()) };
    }
}

/// What the kernel keeps for each open file; zeroed when it is opened.
#[repr(C)]
struct Position {
    /// Owned by the kernel, which expects it first.
    net: bindings::seq_net_private,
    /// The rows to show.
    at: Cursor,
    at_end: bool,
    /// What follows the rows that were shown last.
    next: Cursor,
    next_end: bool,
}

/// The state that `file` shows.
///
/// # Safety
///
/// `file` must be open, and its entry's data a live `T` for `'a`.
unsafe fn state_of<'a, T>(file: *mut bindings::seq_file) -> &'a T {
    // SAFETY: An open file has an inode; `i_private` is what `pde_data` reads,
    // the data pointer of the entry, and a `T` by the caller's promise.
    unsafe { &*(*(*(*file).file).f_inode).i_private.cast::<T>() }
}

/// The operations of a file of rows.
struct Reader<F>(core::marker::PhantomData<F>);

impl<F: Rows> Reader<F> {
    const OPERATIONS: bindings::seq_operations = bindings::seq_operations {
        start: Some(Self::start),
        stop: Some(Self::stop),
        next: Some(Self::next),
        show: Some(Self::show),
    };

    /// Stands for the header, as the kernel's `SEQ_START_TOKEN` does.
    fn header_token() -> *mut c_void {
        ptr::without_provenance_mut(1)
    }

    /// # Safety
    ///
    /// `file` must be one of ours, with its lock held, which it is in each of
    /// the callbacks.
    unsafe fn position<'a>(file: *mut bindings::seq_file) -> &'a mut Position {
        // SAFETY: The kernel allocated the private data with the size of a
        // `Position`, zeroed; the lock makes us the only user.
        unsafe { &mut *(*file).private.cast() }
    }

    /// Begins, or goes on where the last call ended.
    ///
    /// # Safety
    ///
    /// For the kernel, as are the other three.
    unsafe extern "C" fn start(
        file: *mut bindings::seq_file,
        index: *mut bindings::loff_t,
    ) -> *mut c_void {
        // SAFETY: This is the callback.
        let position = unsafe { Self::position(file) };
        // SAFETY: The kernel passes its index.
        if unsafe { *index } == 0 {
            position.at = Cursor::default();
            position.at_end = false;
            return Self::header_token();
        }
        if position.at_end {
            return ptr::null_mut();
        }
        ptr::from_mut(position).cast()
    }

    /// Nothing is held between the calls.
    ///
    /// # Safety
    ///
    /// See [`Self::start`].
    unsafe extern "C" fn stop(_: *mut bindings::seq_file, _: *mut c_void) {}

    /// Moves on behind what was shown.
    ///
    /// # Safety
    ///
    /// See [`Self::start`].
    unsafe extern "C" fn next(
        file: *mut bindings::seq_file,
        token: *mut c_void,
        index: *mut bindings::loff_t,
    ) -> *mut c_void {
        // SAFETY: The kernel passes its index, and expects that it changes.
        unsafe { *index = (*index).wrapping_add(1) };
        // SAFETY: This is the callback.
        let position = unsafe { Self::position(file) };
        if token != Self::header_token() {
            position.at = position.next;
            position.at_end = position.next_end;
        }
        if position.at_end {
            return ptr::null_mut();
        }
        ptr::from_mut(position).cast()
    }

    /// Shows the header or some rows.
    ///
    /// # Safety
    ///
    /// See [`Self::start`].
    unsafe extern "C" fn show(file: *mut bindings::seq_file, token: *mut c_void) -> c_int {
        // SAFETY: The file is open; its data is the `F::State` that `File`
        // keeps until no callback can come any more.
        let state = unsafe { state_of::<F::State>(file) };
        // SAFETY: The file's lock is held during the call.
        let out = unsafe { SeqFile::from_raw(file) };
        if token == Self::header_token() {
            F::header(state, out);
            return 0;
        }
        // SAFETY: This is the callback; the reference is not kept during the
        // call below.
        let mut cursor = unsafe { Self::position(file) }.at;
        let progress = F::rows(state, &mut cursor, out);
        // SAFETY: As above.
        let position = unsafe { Self::position(file) };
        position.next = cursor;
        position.next_end = progress == Progress::Done;
        0
    }
}

/// Shows a [`Single`] file.
///
/// # Safety
///
/// For the kernel, with a file that `File::single::<F>` made.
unsafe extern "C" fn show_single<F: Single>(
    file: *mut bindings::seq_file,
    _: *mut c_void,
) -> c_int {
    from_result(|| {
        // SAFETY: As in `Reader::show`.
        let state = unsafe { state_of::<F::State>(file) };
        // SAFETY: As in `Reader::show`.
        F::show(state, unsafe { SeqFile::from_raw(file) });
        Ok(0)
    })
}
