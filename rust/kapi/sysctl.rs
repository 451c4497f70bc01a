// SPDX-License-Identifier: GPL-2.0

//! Settings in `/proc/sys/net`, for each network namespace.
//!
//! A setting is an integer or a line of text that two functions read and write. Where its value
//! is kept is the namespace state's affair; the table holds a reference to the
//! state, so that neither can outlive what it needs.
//!
//! Tables are made through [`crate::netns::Attachments`].
//!
//! C header: [`include/linux/sysctl.h`](srctree/include/linux/sysctl.h)

use crate::{bindings, net::Net};
use core::{
    ffi::{c_int, c_void},
    mem::size_of,
    ptr::{self, NonNull}, //
};
use kernel::{
    error::from_result,
    prelude::*,
    sync::Arc, //
};

/// One setting of the state `T`.
pub struct Setting<T> {
    /// The file's name.
    pub name: &'static CStr,
    /// Who may do what.
    pub access: Access,
    /// What is in it.
    pub value: Value<T>,
}

/// What a setting is.
pub enum Value<T> {
    /// An integer.
    Number {
        /// Least value that may be written; others are refused with `EINVAL`.
        min: i32,
        /// Greatest value that may be written.
        max: i32,
        /// The value now. May sleep.
        read: fn(&T) -> i32,
        /// Takes a value between `min` and `max`; may refuse it. May sleep.
        write: fn(&T, i32) -> Result,
    },
    /// A line of text.
    Text {
        /// The text now. May sleep.
        read: fn(&T) -> Text,
        /// Takes a text without its end of line; may refuse it. May sleep.
        write: fn(&T, &[u8]) -> Result,
    },
}

/// Room for a line of text: the rest is zero; the last byte is taken for one.
pub type Text = [u8; 64];

/// Who may do what with a setting.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// All may read, root of the namespace may write.
    Write,
    /// All may read.
    ReadOnly,
    /// Root of the namespace may read and write, nobody else either.
    Secret,
}

/// Settings of one namespace under one path, gone when dropped.
pub(crate) struct Table {
    header: NonNull<bindings::ctl_table_header>,
    /// What the header refers to.
    #[expect(dead_code, reason = "held for its drop alone")]
    rows: KBox<dyn Held>,
}

trait Held {}
impl<T: Send + Sync + 'static, const N: usize> Held for Rows<T, N> {}

// SAFETY: Any task may unregister and drop the rows, whose state is `Send` and
// `Sync`; nothing is done through a shared reference.
unsafe impl Send for Table {}
// SAFETY: As above.
unsafe impl Sync for Table {}

/// The C table, and what its rows refer to.
struct Rows<T: 'static, const N: usize> {
    #[expect(dead_code, reason = "held for its drop alone")]
    rows: KBox<[bindings::ctl_table; N]>,
    #[expect(dead_code, reason = "held for its drop alone")]
    entries: KBox<[Entry<T>; N]>,
}

/// What one file's handler needs.
struct Entry<T: 'static> {
    state: Arc<T>,
    setting: &'static Setting<T>,
}

impl Table {
    /// Makes the files. The caller drops the value while `net` is still there.
    /// May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, also for a name that exists already.
    pub(crate) fn register<T: Send + Sync + 'static, const N: usize>(
        net: &Net,
        path: &'static CStr,
        settings: &'static [Setting<T>; N],
        state: &Arc<T>,
    ) -> Result<Self> {
        let entries = KBox::new(
            settings.each_ref().map(|setting| Entry {
                state: state.clone(),
                setting,
            }),
            GFP_KERNEL,
        )?;
        let mut rows = KBox::new(entries.each_ref().map(row), GFP_KERNEL)?;
        // 7.2 may take a right away from a row.
        let first = rows.as_mut_ptr();
        let rows = KBox::new(Rows { rows, entries }, GFP_KERNEL)?;
        // SAFETY: Path and names are static; the rows, and the entries they
        // point at, are in boxes of their own that last until the header is
        // unregistered in `drop`.
        let header =
            unsafe { bindings::register_net_sysctl_sz(net.as_ptr(), path.as_char_ptr(), first, N) };
        Ok(Self {
            header: NonNull::new(header).ok_or(ENOMEM)?,
            rows,
        })
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        // Waits for handlers that are running (`start_unregistering`), and
        // none begins after it.
        // SAFETY: Registered in `register`, and unregistered once.
        unsafe { bindings::unregister_net_sysctl_table(self.header.as_ptr()) };
    }
}

/// The C description of an entry.
fn row<T: Send + Sync + 'static>(entry: &Entry<T>) -> bindings::ctl_table {
    bindings::ctl_table {
        procname: entry.setting.name.as_char_ptr(),
        data: ptr::null_mut(),
        // CAST: Four.
        maxlen: size_of::<c_int>() as c_int,
        mode: match entry.setting.access {
            Access::Write => 0o644,
            Access::ReadOnly => 0o444,
            Access::Secret => 0o600,
        },
        proc_handler: Some(handle::<T>),
        poll: ptr::null_mut(),
        extra1: ptr::from_ref(entry).cast_mut().cast(),
        extra2: ptr::null_mut(),
    }
}

/// Reads or writes a setting.
///
/// # Safety
///
/// For the kernel, with a row that [`row`] made for an `Entry<T>`.
unsafe extern "C" fn handle<T: Send + Sync + 'static>(
    row: *const bindings::ctl_table,
    writes: c_int,
    buffer: *mut c_void,
    length: *mut usize,
    position: *mut bindings::loff_t,
) -> c_int {
    // SAFETY: The table keeps the entry until no handler runs.
    let Entry { state, setting } = unsafe { &*(*row).extra1.cast::<Entry<T>>() };
    // SAFETY: The row is live.
    let row = unsafe { *row };
    let pass_on = |row: &bindings::ctl_table, handler: Handler| {
        // SAFETY: The row describes values that are live during the call, as
        // the handler wants them; the other arguments are the kernel's own.
        unsafe { handler(row, writes, buffer, length, position) }
    };
    let took = |done: c_int, take: &dyn Fn() -> Result| {
        if done != 0 || writes == 0 {
            return done;
        }
        from_result(|| take().map(|()| 0))
    };
    // The kernel parses and prints a value of our own, which is ours to judge.
    match setting.value {
        Value::Number {
            mut min,
            mut max,
            read,
            write,
        } => {
            let mut value = read(state);
            let row = bindings::ctl_table {
                data: ptr::from_mut(&mut value).cast(),
                extra1: ptr::from_mut(&mut min).cast(),
                extra2: ptr::from_mut(&mut max).cast(),
                ..row
            };
            let done = pass_on(&row, bindings::proc_dointvec_minmax);
            took(done, &|| write(state, value))
        }
        Value::Text { read, write } => {
            let mut value = read(state);
            // C looks for the end.
            if let Some(last) = value.last_mut() {
                *last = 0;
            }
            let row = bindings::ctl_table {
                data: ptr::from_mut(&mut value).cast(),
                // CAST: 64.
                maxlen: size_of::<Text>() as c_int,
                ..row
            };
            let done = pass_on(&row, bindings::proc_dostring);
            let line = value.split(|byte| *byte == 0).next().unwrap_or_default();
            took(done, &|| write(state, line))
        }
    }
}

/// A handler of the kernel's own.
type Handler = unsafe extern "C" fn(
    *const bindings::ctl_table,
    c_int,
    *mut c_void,
    *mut usize,
    *mut bindings::loff_t,
) -> c_int;
