// SPDX-License-Identifier: GPL-2.0

//! Writing listings.

use std::io::{self, BufWriter, Write};

use crate::failure::{Failure, UNLISTED};

/// A buffered stream; a reader that has seen enough ends the tool quietly.
pub(super) struct Output<'s> {
    stream: BufWriter<&'s mut dyn Write>,
}

impl<'s> Output<'s> {
    /// Buffers a stream.
    pub(super) fn new(stream: &'s mut dyn Write) -> Self {
        Self {
            stream: BufWriter::new(stream),
        }
    }

    /// Writes text as it is.
    pub(super) fn text(&mut self, text: &str) -> Result<(), Failure> {
        self.stream.write_all(text.as_bytes()).map_err(|e| lost(&e))
    }

    /// Writes out what is buffered.
    pub(super) fn finish(&mut self) -> Result<(), Failure> {
        self.stream.flush().map_err(|e| lost(&e))
    }
}

fn lost(error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Failure {
            status: 0,
            text: String::new(),
        };
    }
    Failure {
        status: UNLISTED,
        text: format!("The listing could not be written: {error}."),
    }
}
