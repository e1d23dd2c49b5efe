//! What programs of ours have written and others may have changed: recordings, histories, kept jobs;
//! streams of jobs; what terminals are typed and shown.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use maelstrom_engine::job_file;
use maelstrom_engine::run::history::HistoryStore;
use maelstrom_fuzz::{Parts, file, scratch};
use maelstrom_model::event::{Event, OutputStream};
use maelstrom_model::ids::{Attempt, TestId};
use maelstrom_runners::run::escape::{EscapeCharacter, EscapeParser};
use maelstrom_runners::run::split::JsonSplitter;
use maelstrom_spec::TestSpecification;
use maelstrom_spec::document::{TextDocument, TextPosition};
use maelstrom_spec::filter::vocabulary;
use maelstrom_spec::job::JobFileEntry;
use maelstrom_spec::read::SpecContext;
use maelstrom_spec::resolve::{RunnerLayers, SpecResolver};
use maelstrom_ui::log::{LogStore, StreamFilter};
use maelstrom_ui::record::{RecordingReader, write_event};
use maelstrom_ui::report::{
    PassingOutputDisplay, ReportStyle, RunReport, RunReportOptions, SlowestTests,
};
use maelstrom_ui::style::OutputColor;
use maelstrom_ui::terminal_features::TerminalFeatureSet;

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
    let options = RunReportOptions {
        style: match parts.byte() % 4 {
            0 => ReportStyle::Lines,
            1 => ReportStyle::Dots,
            2 => ReportStyle::Failures,
            _ => ReportStyle::Names,
        },
        color: OutputColor::Always,
        passing_output: match parts.byte() % 2 {
            0 => PassingOutputDisplay::AtEnd,
            _ => PassingOutputDisplay::Live,
        },
        slowest: SlowestTests {
            count: 5,
            least_us: 0,
        },
        terminal: TerminalFeatureSet::NONE,
    };
    let mut report = RunReport::new(options);
    let mut out = Vec::new();
    for event in RecordingReader::new(parts.0, Path::new("recording")) {
        let event = match event {
            Ok(event) => event,
            Err(error) => return drop(error.to_string()),
        };
        let mut again = Vec::new();
        write_event(&mut again, &event).expect("memory can be written to");
        let read: Event = serde_json::from_slice(&again).expect("what was written can be read");
        assert_eq!(read, event);
        report
            .apply(&event, &mut out)
            .expect("memory can be written to");
        if let Some(wake_us) = report.wake_us() {
            report
                .tick(wake_us, &mut out)
                .expect("memory can be written to");
        }
    }
}

fn history(text: &[u8]) {
    let directory = scratch("history");
    std::fs::create_dir_all(&directory).expect("a directory can be made");
    std::fs::write(directory.join("test-listing.toml"), text).expect("a file can be written");
    if let Err(error) = HistoryStore::new(&directory).load() {
        drop(error.to_string());
    }
}

/// A stream of jobs in two chunks.
fn jobs(mut parts: Parts<'_>) {
    let first = parts.part();
    let mut splitter = JsonSplitter::default();
    let context = SpecContext {
        vocabulary: &vocabulary::CARGO,
        project: Path::new("/project"),
        variables: &[],
    };
    let mut resolver = SpecResolver::new(TestSpecification::default(), None, RunnerLayers::None);
    for mut chunk in [first, parts.0] {
        loop {
            let piece = match splitter.next(&mut chunk) {
                Ok(Some(piece)) => piece,
                Ok(None) => break,
                Err(error) => return drop(error.to_string()),
            };
            let document = TextDocument::part("input", piece.text, TextPosition { ..piece.start });
            match JobFileEntry::read(&document, &context) {
                Ok(JobFileEntry::Containers(containers)) => resolver.define(containers),
                Ok(JobFileEntry::Job(job)) => drop(resolver.resolve_job(&job)),
                Err(error) => drop(error.to_string()),
            }
        }
    }
    drop(splitter.end());
}

fn terminal(mut parts: Parts<'_>) {
    let mut escape = EscapeParser::new(EscapeCharacter(parts.byte()));
    let mut logs = LogStore::new();
    let key = (TestId(1), Attempt(1));
    let mut whole = Vec::new();
    while !parts.is_empty() {
        let bytes = parts.part();
        drop(escape.typed(bytes));
        if bytes.first() == Some(&0) {
            drop(escape.silence());
        }
        logs.append(key, OutputStream::Stdout, bytes, 0);
        whole.extend_from_slice(bytes);
    }
    let lines = logs.line_count(key, StreamFilter::Both);
    assert_eq!(logs.lines(key, StreamFilter::Both, 0..lines).len(), lines);
    assert_eq!(logs.content(key, StreamFilter::Both), whole);
}
