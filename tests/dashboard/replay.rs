//! A recorded run on the dashboard: ripgrep's own suite, with three of its tests made to fail.
//!
//! The recording is what `--record` wrote, with the paths of its machine exchanged and without the
//! build's progress and the output of tests that passed. Its screens stand as snapshots at a moment
//! in its middle and at its end, in both sizes.

use std::path::Path;

use crate::harness::Harness;
use maelstrom_model::event::{AttemptEvent, Event, EventKind, RunEvent};
use maelstrom_ui::record::RecordingReader;

/// Two tests run, and the three that fail have ended: they were run first, as they had failed before.
const MIDDLE_US: u64 = 18_248_058;

fn events() -> Vec<Event> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/recordings/ripgrep.ndjson");
    let recording = RecordingReader::open(&path).unwrap();
    recording.collect::<Result<_, _>>().unwrap()
}

/// Looks at the screens on which a run is watched: the next failure, and the tree of all tests.
fn look(harness: &mut Harness, moment: &str, columns: u16, rows: u16) {
    for (keys, name) in [
        ("1]", "overview"),
        ("3", "detail"),
        ("2", "tests"),
        ("f", "failed"),
    ] {
        harness.keys(keys);
        insta::assert_snapshot!(
            format!("{moment}_{name}_{columns}x{rows}"),
            harness.screen()
        );
    }
    harness.keys("f");
}

#[test]
fn a_recorded_run_shows_its_middle_and_its_end_in_both_sizes() {
    let events = events();
    let middle = events.partition_point(|event| event.at_us <= MIDDLE_US);
    for (columns, rows) in [(120, 36), (80, 24)] {
        let mut harness = Harness::new(columns, rows);
        harness.feed(events[..middle].iter().cloned());
        look(&mut harness, "middle", columns, rows);
        harness.feed(events[middle..].iter().cloned());
        look(&mut harness, "end", columns, rows);
    }
}

#[test]
fn the_recording_is_whole() {
    let events = events();
    let finished =
        |event: &&Event| matches!(event.kind, EventKind::Attempt(AttemptEvent::Finished(_)));
    assert_eq!(events.iter().filter(finished).count(), 1087);
    assert!(matches!(
        events.last().map(|event| &event.kind),
        Some(EventKind::Run(RunEvent::Finished { .. }))
    ));
}
