//! What programs of ours have written and others may have changed: recordings, histories, kept jobs;
//! streams of jobs; what terminals are typed and shown.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use maelstrom_spec::document::{Document, Position};
use maelstrom_model::event::{Event, Stream};
use maelstrom_spec::filter::vocabulary;
use maelstrom_model::ids::{Attempt, TestId};
use maelstrom_engine::job_file;
use maelstrom_engine::run::history::Store;
use maelstrom_spec::job::Entry;
use maelstrom_spec::read::Context;
use maelstrom_spec::resolve::{Resolver, RunnerLayers};
use maelstrom_spec::Specification;
use maelstrom_runners::jobs::escape::{Escape, EscapeCharacter};
use maelstrom_runners::jobs::split::Splitter;
use maelstrom_ui::log::{LogStore, Streams};
use maelstrom_ui::record::{Recording, write_event};
use maelstrom_ui::report::{Options, PassingOutput, Report, Verbosity};
use maelstrom_ui::style::Colour;
use maelstrom_fuzz::{Parts, file, scratch};

fuzz_target!(|data: &[u8]| {
    let mut parts = Parts(data);
    match parts.byte() % 8 {
        0..=2 => recording(parts),
        3 => history(parts.0),
        4 => drop(job_file::load(&file("kept.job", parts.0))),
        5 | 6 => jobs(parts),
        _ => terminal(parts),
    }
});

/// Events, as they would be shown.
fn recording(mut parts: Parts<'_>) {
    let options = Options {
        verbosity: match parts.byte() % 2 {
            0 => Verbosity::Plain,
            _ => Verbosity::Quiet,
        },
        colour: Colour::Always,
        passing_output: PassingOutput::Shown,
    };
    let mut report = Report::new(options);
    let mut out = Vec::new();
    for event in Recording::new(parts.0, Path::new("recording")) {
        let event = match event {
            Ok(event) => event,
            Err(error) => return drop(error.to_string()),
        };
        let mut again = Vec::new();
        write_event(&mut again, &event).expect("memory can be written to");
        let read: Event = serde_json::from_slice(&again).expect("what was written can be read");
        assert_eq!(read, event);
        report.apply(&event, &mut out).expect("memory can be written to");
        if let Some(wake_us) = report.wake_us() {
            report.tick(wake_us, &mut out).expect("memory can be written to");
        }
    }
}

fn history(text: &[u8]) {
    let directory = scratch("history");
    std::fs::create_dir_all(&directory).expect("a directory can be made");
    std::fs::write(directory.join("test-listing.toml"), text).expect("a file can be written");
    if let Err(error) = Store::new(&directory).load() {
        drop(error.to_string());
    }
}

/// A stream of jobs in two chunks.
fn jobs(mut parts: Parts<'_>) {
    let first = parts.part();
    let mut splitter = Splitter::default();
    let context = Context {
        vocabulary: &vocabulary::CARGO,
        project: Path::new("/project"),
        variables: &[],
    };
    let mut resolver = Resolver::new(Specification::default(), None, RunnerLayers::None);
    for mut chunk in [first, parts.0] {
        loop {
            let piece = match splitter.next(&mut chunk) {
                Ok(Some(piece)) => piece,
                Ok(None) => break,
                Err(error) => return drop(error.to_string()),
            };
            let document = Document::part("input", piece.text, Position { ..piece.start });
            match Entry::read(&document, &context) {
                Ok(Entry::Containers(containers)) => resolver.define(containers),
                Ok(Entry::Job(job)) => drop(resolver.resolve_job(&job)),
                Err(error) => drop(error.to_string()),
            }
        }
    }
    drop(splitter.end());
}

fn terminal(mut parts: Parts<'_>) {
    let mut escape = Escape::new(EscapeCharacter(parts.byte()));
    let mut logs = LogStore::new();
    let key = (TestId(1), Attempt(1));
    let mut whole = Vec::new();
    while !parts.is_empty() {
        let bytes = parts.part();
        drop(escape.typed(bytes));
        if bytes.first() == Some(&0) {
            drop(escape.silence());
        }
        logs.append(key, Stream::Stdout, bytes, 0);
        whole.extend_from_slice(bytes);
    }
    let lines = logs.line_count(key, Streams::Both);
    assert_eq!(logs.lines(key, Streams::Both, 0..lines).len(), lines);
    assert_eq!(logs.content(key, Streams::Both), whole);
}
