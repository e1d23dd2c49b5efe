//! Compares the log store with a plain list of lines: in memory, with a spool, and with a spool
//! that can't be written.

use std::fs::File;

use proptest::prelude::*;
use ratatui::style::Style;

use super::*;

const KEY: LogKey = (TestId(3), Attempt(1));

fn texts(store: &LogStore, streams: StreamFilter, range: Range<usize>) -> Vec<String> {
    store
        .lines(KEY, streams, range)
        .into_iter()
        .map(|line| String::from_utf8_lossy(&line.bytes).into_owned())
        .collect()
}

#[test]
fn lines_keep_their_stream_and_the_moment_of_their_first_byte() {
    let mut store = LogStore::new();
    store.append(KEY, OutputStream::Stdout, b"one\ntw", 10);
    store.append(KEY, OutputStream::Stderr, b"oops\n", 20);
    store.append(KEY, OutputStream::Stdout, b"o\nthr", 30);
    let lines = store.lines(KEY, StreamFilter::Both, 0..9);
    let seen: Vec<_> = lines
        .iter()
        .map(|line| (line.stream, line.at_us, line.bytes.as_slice(), line.end))
        .collect();
    assert_eq!(
        seen,
        [
            (
                OutputStream::Stdout,
                10,
                b"one".as_slice(),
                LogLineEnd::Newline
            ),
            (OutputStream::Stderr, 20, b"oops", LogLineEnd::Newline),
            (OutputStream::Stdout, 10, b"two", LogLineEnd::Newline),
            (OutputStream::Stdout, 30, b"thr", LogLineEnd::Open),
        ]
    );
    assert_eq!(store.content(KEY, StreamFilter::Stdout), b"one\ntwo\nthr");
    assert_eq!(store.content(KEY, StreamFilter::Stderr), b"oops\n");
    assert_eq!(store.line_count(KEY, StreamFilter::Stdout), 3);
}

#[test]
fn a_window_of_one_stream_is_found_among_many_lines_of_the_other() {
    let mut store = LogStore::new();
    for line in 0..100_000 {
        store.append(
            KEY,
            OutputStream::Stderr,
            format!("noise {line}\n").as_bytes(),
            0,
        );
        if line % 10_000 == 0 {
            store.append(
                KEY,
                OutputStream::Stdout,
                format!("mark {line}\n").as_bytes(),
                0,
            );
        }
    }
    assert_eq!(
        texts(&store, StreamFilter::Stdout, 3..5),
        ["mark 30000", "mark 40000"]
    );
    assert_eq!(
        texts(&store, StreamFilter::Stderr, 99_999..100_005),
        ["noise 99999"]
    );
    assert!(store.resident_bytes() <= LOG_RESIDENT_BYTES_MAX + block::BLOCK_BYTES_MAX);
}

#[test]
fn all_logs_together_stay_below_the_limit() {
    let mut store = LogStore::with(LogSpool::new(1 << 30), 100_000);
    for test in 0..5_000 {
        store.append(
            (TestId(test), Attempt(1)),
            OutputStream::Stdout,
            &[b'x'; 99],
            0,
        );
        store.append((TestId(test), Attempt(1)), OutputStream::Stdout, b"\n", 0);
    }
    assert!(
        store.resident_bytes() <= 100_000,
        "{}",
        store.resident_bytes()
    );
    for test in 0..5_000 {
        let content = store.content((TestId(test), Attempt(1)), StreamFilter::Both);
        assert_eq!(content.len(), 100, "test {test}");
    }
}

#[test]
fn what_cannot_be_spooled_is_lost_with_a_word_and_the_rest_is_kept() {
    let unwritable = File::open("/dev/null").unwrap();
    let mut store = LogStore::with(LogSpool::over(unwritable, 1 << 30), 4_000);
    for line in 0..1_000 {
        store.append(
            KEY,
            OutputStream::Stdout,
            format!("line {line:03}\n").as_bytes(),
            0,
        );
    }
    let loss = store.loss().expect("something was lost").clone();
    assert!(
        loss.bytes > 0 && loss.reason.contains("Bad file descriptor"),
        "{loss:?}"
    );
    assert_eq!(store.line_count(KEY, StreamFilter::Stdout), 1_000);
    let lines = texts(&store, StreamFilter::Stdout, 0..1_000);
    assert_eq!(lines.len(), 1_000);
    assert!(lines[0].contains("lost"));
    assert_eq!(lines[999], "line 999");
}

#[test]
fn the_spool_takes_no_more_than_its_limit_and_released_space_counts_again() {
    let mut store = LogStore::with(LogSpool::new(10_000), 1_000);
    store.append(KEY, OutputStream::Stdout, &[b'x'; 9_000], 0);
    store.append(KEY, OutputStream::Stdout, b"\n", 0);
    assert_eq!(store.loss(), None);
    store.remove(KEY);
    assert!(store.is_empty(KEY) && store.resident_bytes() == 0);
    store.append(KEY, OutputStream::Stdout, &[b'y'; 9_000], 0);
    store.append(KEY, OutputStream::Stdout, b"\n", 0);
    assert_eq!(store.loss(), None);
    store.append(KEY, OutputStream::Stdout, &[b'z'; 9_000], 0);
    store.append(KEY, OutputStream::Stdout, b"\n", 0);
    assert!(
        store
            .loss()
            .is_some_and(|loss| loss.reason.contains("used up"))
    );
}

#[test]
fn a_line_without_end_is_shown_in_pieces_and_read_whole() {
    let mut store = LogStore::new();
    let long = vec![b'a'; LINE_BYTES_MAX * 5 / 2];
    store.append(KEY, OutputStream::Stdout, &long, 0);
    store.append(KEY, OutputStream::Stdout, b"end\n", 0);
    assert_eq!(store.line_count(KEY, StreamFilter::Stdout), 3);
    assert_eq!(store.content(KEY, StreamFilter::Both).len(), long.len() + 4);
}

#[test]
fn each_line_knows_the_style_in_which_it_begins_and_streams_have_their_own() {
    use ratatui::style::{Color, Modifier};
    let mut store = LogStore::new();
    store.append(KEY, OutputStream::Stdout, b"a\x1b[3", 0);
    store.append(KEY, OutputStream::Stdout, b"1mb\nred\n", 0);
    store.append(KEY, OutputStream::Stderr, b"\x1b[1mx\n", 0);
    for _ in 0..1_000 {
        store.append(KEY, OutputStream::Stdout, b"red\n", 0);
    }
    store.append(KEY, OutputStream::Stdout, b"\x1b[m\nend", 0);
    store.append(KEY, OutputStream::Stderr, b"bold", 0);
    let (red, bold) = (
        Style::new().fg(Color::Indexed(1)),
        Style::new().add_modifier(Modifier::BOLD),
    );
    let begins = |streams, line| store.lines(KEY, streams, line..line + 1)[0].begins;
    assert_eq!(begins(StreamFilter::Stdout, 0), Style::new());
    assert_eq!(begins(StreamFilter::Stdout, 1), red);
    assert_eq!(begins(StreamFilter::Both, 700), red);
    assert_eq!(begins(StreamFilter::Stdout, 1_002), red);
    assert_eq!(begins(StreamFilter::Stdout, 1_003), Style::new());
    assert_eq!(begins(StreamFilter::Stderr, 0), Style::new());
    assert_eq!(begins(StreamFilter::Stderr, 1), bold);
}

fn writes() -> impl Strategy<Value = Vec<(bool, Vec<u8>)>> {
    let piece = prop_oneof![
        Just(b"\n".to_vec()),
        Just(b"a".to_vec()),
        Just(b"\x1b[31m".to_vec()),
        Just(b"\x1b[0;1m".to_vec()),
        any::<u8>().prop_map(|byte| vec![byte]),
    ];
    let text = proptest::collection::vec(piece, 0..80).prop_map(|pieces| pieces.concat());
    proptest::collection::vec((any::<bool>(), text), 0..20)
}

proptest! {
    #[test]
    fn any_window_is_the_same_whether_in_memory_or_spooled(
        writes in writes(),
        start in 0_usize..200,
        len in 0_usize..50,
    ) {
        let mut memory = LogStore::new();
        let mut spooled = LogStore::with(LogSpool::new(1 << 30), 64);
        let mut whole = [Vec::new(), Vec::new()];
        for (is_stderr, bytes) in &writes {
            let stream = if *is_stderr { OutputStream::Stderr } else { OutputStream::Stdout };
            memory.append(KEY, stream, bytes, 0);
            spooled.append(KEY, stream, bytes, 0);
            whole[usize::from(*is_stderr)].extend_from_slice(bytes);
        }
        prop_assert_eq!(&memory.content(KEY, StreamFilter::Stdout), &whole[0]);
        prop_assert_eq!(&memory.content(KEY, StreamFilter::Stderr), &whole[1]);
        for streams in [StreamFilter::Both, StreamFilter::Stdout, StreamFilter::Stderr] {
            let all = memory.lines(KEY, streams, 0..usize::MAX);
            prop_assert_eq!(all.len(), memory.line_count(KEY, streams));
            let window = all.iter().skip(start).take(len).cloned().collect::<Vec<_>>();
            prop_assert_eq!(&memory.lines(KEY, streams, start..start + len), &window);
            prop_assert_eq!(&spooled.lines(KEY, streams, start..start + len), &window);
        }
    }
}
