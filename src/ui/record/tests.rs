//! Recordings: writing, reading and replaying.

use super::*;
use maelstrom_model::error::with_causes;
use maelstrom_model::event::{BackendInfo, IsolationMode, RunEvent, RunStarted};
use maelstrom_model::ids::RunId;

fn started(schema: u32) -> Event {
    Event {
        at_us: 0,
        kind: EventKind::Run(RunEvent::Started(RunStarted {
            schema,
            run: RunId(1),
            program: "cargo-maelstrom".to_owned(),
            version: "0".to_owned(),
            command: Vec::new(),
            directory: "/project".to_owned(),
            started_unix_ms: 0,
            backend: BackendInfo::Local,
            isolation: IsolationMode::Container,
        })),
    }
}

fn paused(at_us: u64) -> Event {
    Event {
        at_us,
        kind: EventKind::Run(RunEvent::Paused),
    }
}

fn record(path: &Path, events: EventReceiver) -> (EventReceiver, JoinHandle<()>) {
    let target = RecordingTarget::open(path).unwrap();
    target.record(events).unwrap()
}

fn read(text: &[u8]) -> Result<Vec<Event>, RecordError> {
    RecordingReader::new(text, Path::new("run.ndjson")).collect()
}

#[test]
fn what_was_recorded_is_read_again_and_passes_on_unchanged() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.ndjson");
    let (sender, events) = channel();
    let (mut passed_on, thread) = record(&path, events);
    for event in [started(SCHEMA_VERSION), paused(3), paused(5)] {
        sender.send(event.clone());
        assert_eq!(passed_on.blocking_recv(), Some(event));
    }
    drop(sender);
    thread.join().unwrap();
    let read: Vec<Event> = RecordingReader::open(&path)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(read, [started(SCHEMA_VERSION), paused(3), paused(5)]);
}

#[test]
fn a_file_that_cannot_be_opened_is_an_error_before_the_run() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.ndjson");
    std::fs::write(&path, "an old recording, longer than the new one").unwrap();
    for wrong in [directory.path().to_owned(), path.join("x"), "/x/y".into()] {
        let error = RecordingTarget::open(&wrong).unwrap_err();
        assert_eq!((error.exit_code(), &error.path), (exit_code::USAGE, &wrong));
    }
    // The old recording stays until the new one begins.
    let target = RecordingTarget::open(&path).unwrap();
    assert!(path.metadata().unwrap().len() > 0);
    let (_, events) = channel();
    let (_passed_on, thread) = target.record(events).unwrap();
    thread.join().unwrap();
    assert_eq!(path.metadata().unwrap().len(), 0);
}

#[test]
fn a_recording_that_cannot_be_written_stops_with_a_notice_and_the_run_goes_on() {
    let (sender, events) = channel();
    let (mut passed_on, _thread) = record(Path::new("/dev/full"), events);
    sender.send(paused(1));
    assert_eq!(passed_on.blocking_recv(), Some(paused(1)));
    let told = passed_on.blocking_recv().unwrap();
    assert!(
        matches!(&told.kind, EventKind::Notice(notice) if notice.in_summary),
        "{told:?}"
    );
    sender.send(paused(2));
    assert_eq!(passed_on.blocking_recv(), Some(paused(2)));
}

#[test]
fn what_is_no_recording_says_why() {
    let mut text = Vec::new();
    write_event(&mut text, &started(SCHEMA_VERSION)).unwrap();
    text.extend_from_slice(b"{\"at_us\":1,\"event\":\"pau");
    let messages = [
        read(&text).unwrap_err().to_string(),
        read(b"{\"at_us\":0,\"event\":\"paused\"}\n")
            .unwrap_err()
            .to_string(),
        {
            let mut newer = Vec::new();
            write_event(&mut newer, &started(SCHEMA_VERSION + 1)).unwrap();
            read(&newer).unwrap_err().to_string()
        },
    ];
    assert_eq!(
        messages,
        [
            "line 2 of the recording run.ndjson is not an event".to_owned(),
            "run.ndjson is not a recording: its first event is not run_started".to_owned(),
            format!(
                "the recording run.ndjson has version {}, and this program reads up to {}",
                SCHEMA_VERSION + 1,
                SCHEMA_VERSION
            ),
        ]
    );
}

#[test]
fn events_of_a_later_version_are_skipped_and_broken_ones_name_their_line() {
    let mut text = Vec::new();
    write_event(&mut text, &started(SCHEMA_VERSION)).unwrap();
    text.extend_from_slice(b"{\"at_us\":1,\"event\":\"test_retired\",\"test\":{\"id\":3}}\n");
    write_event(&mut text, &paused(2)).unwrap();
    assert_eq!(read(&text).unwrap(), [started(SCHEMA_VERSION), paused(2)]);

    text.extend_from_slice(b"{\"at_us\":3,\"event\":\"queued\",\"test\":3}\n");
    let broken = read(&text).unwrap_err();
    assert_eq!(
        with_causes(&broken),
        "line 4 of the recording run.ndjson is not an event: event `queued`: missing field `attempt` \
         at line 1 column 37"
    );
    let unknown_first = read(b"{\"at_us\":0,\"event\":\"test_retired\"}\n").unwrap_err();
    assert_eq!(
        unknown_first.to_string(),
        "run.ndjson is not a recording: its first event is not run_started"
    );
}

/// Uses a paused clock, which advances to the next timer.
#[tokio::test(start_paused = true)]
async fn a_replay_takes_as_long_as_the_run_did_however_many_events_there_are() {
    // A quarter of a millisecond apart, which is less than the resolution of the timer.
    let events: Vec<Event> = (1..=40_000).map(|number| paused(number * 250)).collect();
    for (times, seconds) in [(1.0, 10.0), (4.0, 2.5)] {
        let (sender, mut shown) = channel();
        let (commands, command_queue) = unbounded_channel();
        let (_step, steps) = unbounded_channel();
        let player = ReplayPlayer {
            sender,
            commands: command_queue,
            steps,
            pace: ReplaySpeed::Times(times),
            state: ReplayState::Going,
        };
        let began = Instant::now();
        let all = events.iter().cloned().map(Ok);
        let play = player.play(started(SCHEMA_VERSION), all);
        let (played, count) = tokio::join!(play, async {
            let mut count = 0;
            while shown.recv().await.is_some() {
                count += 1;
            }
            count
        });
        played.unwrap();
        assert_eq!(count, 40_001);
        let took = began.elapsed().as_secs_f64();
        assert!(
            (took - seconds).abs() < 0.01,
            "{took} s instead of {seconds}"
        );
        drop(commands);
    }
}

#[test]
fn a_stepwise_replay_shows_an_event_for_each_step_and_ends_when_it_is_left() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.ndjson");
    let mut file = File::create(&path).unwrap();
    for event in [started(SCHEMA_VERSION), paused(1), paused(2), paused(3)] {
        write_event(&mut file, &event).unwrap();
    }
    let mut replay = replay(&path, ReplaySpeed::Stepwise).unwrap();
    assert_eq!(replay.events.blocking_recv(), Some(started(SCHEMA_VERSION)));
    for at_us in [1, 2] {
        assert!(replay.events.is_empty());
        replay.step.send(()).unwrap();
        assert_eq!(replay.events.blocking_recv(), Some(paused(at_us)));
    }
    replay.commands.send(UiCommand::Leave).unwrap();
    replay.thread.join().unwrap().unwrap();
    assert_eq!(replay.events.blocking_recv(), None);
}
