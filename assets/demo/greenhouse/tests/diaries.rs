//! Every one of these tests begins the same diary, in the same place, and none tidies up. In
//! containers of their own they never meet; under `cargo test` only the first would pass.

use std::path::Path;

use greenhouse::Diary;

fn diary() -> Diary {
    Diary::begin(Path::new("/tmp/greenhouse-diary.txt")).expect("a diary of this test's own")
}

#[test]
fn is_empty_at_first() {
    assert_eq!(diary().read().unwrap(), "");
}

#[test]
fn keeps_a_line() {
    let mut diary = diary();
    diary.write("sowed basil").unwrap();
    assert_eq!(diary.read().unwrap(), "sowed basil\n");
}

#[test]
fn keeps_the_order() {
    let mut diary = diary();
    for day in 1..=100 {
        diary.write(&format!("day {day}")).unwrap();
    }
    let text = diary.read().unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 100);
    assert_eq!(lines[41], "day 42");
}

#[test]
fn keeps_whatever_is_written() {
    let mut diary = diary();
    diary.write("Gänseblümchen 🌼").unwrap();
    assert!(diary.read().unwrap().contains('🌼'));
}
