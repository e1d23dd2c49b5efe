//! The lines of `go test -json`.

use std::io::{self, Write};

use super::EventExport;
use maelstrom_model::event::Event;

/// The stream of `go test -json`.
#[derive(Debug, Default)]
pub struct Test2JsonStream;

impl EventExport for Test2JsonStream {
    fn apply(&mut self, _event: &Event, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}
