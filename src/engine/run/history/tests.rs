//! Loads and saves valid, invalid and locked history files.

use super::*;

fn key(package: &str, artifact: &str, name: &str) -> TestKey {
    TestKey {
        package: package.into(),
        artifact: artifact.into(),
        name: name.into(),
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn save_one(store: &HistoryStore, key: &TestKey, history: PreviousOutcome, ran: u64) {
    let lesson = TestRecord::new(history, ResultStability::Steady, seconds(ran));
    let found = [(key, Some(&lesson))];
    let saved = store
        .save(found.into_iter(), DiscoveryCoverage::Partial)
        .unwrap();
    assert_eq!(saved, HistorySaveResult::Written);
}

fn known(store: &HistoryStore, key: &TestKey) -> PreviousResult {
    store.load().unwrap().take(key)
}

#[test]
fn a_missing_directory_is_an_empty_history_and_is_made_to_save() {
    let home = tempfile::tempdir().unwrap();
    let store = HistoryStore::new(&home.path().join("target/maelstrom/state"));
    let key = key("p", "p(library)", "a::b");
    assert_eq!(known(&store, &key).history, PreviousOutcome::New);
    save_one(&store, &key, PreviousOutcome::Failure, 2);
    let expected = PreviousResult {
        history: PreviousOutcome::Failure,
        estimate: Some(seconds(2)),
        memory_peak_bytes: None,
    };
    assert_eq!(known(&store, &key), expected);
    let left: Vec<_> = fs::read_dir(&store.directory).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn the_file_has_the_documented_form() {
    let home = tempfile::tempdir().unwrap();
    let store = HistoryStore::new(home.path());
    save_one(
        &store,
        &key("p", "p(library)", "a::b"),
        PreviousOutcome::Success,
        1,
    );
    save_one(
        &store,
        &key("p", "cli(test)", "c d"),
        PreviousOutcome::Failure,
        2,
    );
    insta::assert_snapshot!(fs::read_to_string(store.path()).unwrap(), @r#"
    version = 3

    [p."cli(test)"."c d"]
    timings = [2.0]
    outcome = "failure"
    recent = "f"

    [p."p(library)"."a::b"]
    timings = [1.0]
    outcome = "success"
    recent = "p"
    "#);
}

#[test]
fn the_three_latest_timings_make_the_estimate() {
    let home = tempfile::tempdir().unwrap();
    let store = HistoryStore::new(home.path());
    let key = key("p", "p(library)", "a");
    for ran in [1, 2, 3, 7] {
        save_one(&store, &key, PreviousOutcome::Success, ran);
    }
    assert_eq!(known(&store, &key).estimate, Some(seconds(4)));

    let mut lesson = TestRecord::new(
        PreviousOutcome::Success,
        ResultStability::Steady,
        seconds(100),
    );
    for ran in [10, 11, 12] {
        lesson = lesson.and(
            PreviousOutcome::Failure,
            ResultStability::Steady,
            seconds(ran),
        );
    }
    let found = [(&key, Some(&lesson))];
    store
        .save(found.into_iter(), DiscoveryCoverage::Partial)
        .unwrap();
    let expected = PreviousResult {
        history: PreviousOutcome::Failure,
        estimate: Some(seconds(11)),
        memory_peak_bytes: None,
    };
    assert_eq!(known(&store, &key), expected);
}

#[test]
fn the_last_runs_say_what_a_test_is_like() {
    let home = tempfile::tempdir().unwrap();
    let store = HistoryStore::new(home.path());
    let key = key("p", "p(library)", "a");
    let of = |store: &HistoryStore| store.load().unwrap().of("p", "p(library)", "a");
    let new = PastScore {
        new: true,
        ..PastScore::default()
    };
    assert_eq!(of(&store), new);
    let save = |history, stability, ran| {
        let lesson = TestRecord::new(history, stability, seconds(ran));
        let found = [(&key, Some(&lesson))];
        store
            .save(found.into_iter(), DiscoveryCoverage::Partial)
            .unwrap();
    };
    save(PreviousOutcome::Success, ResultStability::Flaky, 0);
    save(PreviousOutcome::Failure, ResultStability::Steady, 3);
    let expected = PastScore {
        failed: true,
        flaky: 1,
        slow: true,
        new: false,
    };
    assert_eq!(of(&store), expected);
    // Ten runs are remembered.
    for _ in 0..9 {
        assert_eq!(of(&store).flaky, 1);
        save(PreviousOutcome::Success, ResultStability::Steady, 0);
    }
    assert_eq!(of(&store).flaky, 0);
}

/// An earlier version wrote no results of single runs.
#[test]
fn an_old_file_has_no_flaky_tests() {
    let home = tempfile::tempdir().unwrap();
    let store = HistoryStore::new(home.path());
    let text = "version = 3\n[p.l.a]\ntimings = [0.5]\noutcome = \"failure\"\n";
    fs::write(store.path(), text).unwrap();
    let past = store.load().unwrap().of("p", "l", "a");
    assert_eq!((past.failed, past.flaky, past.new), (true, 0, false));
}

#[test]
fn cases_that_are_gone_are_forgotten_where_everything_was_seen() {
    let home = tempfile::tempdir().unwrap();
    let store = HistoryStore::new(home.path());
    let (kept, gone) = (key("p", "a(test)", "kept"), key("p", "a(test)", "gone"));
    let elsewhere = key("p", "b(test)", "unseen");
    for key in [&kept, &gone, &elsewhere] {
        save_one(&store, key, PreviousOutcome::Success, 1);
    }
    let found = [(&kept, None)];
    for (coverage, expected) in [
        (DiscoveryCoverage::Partial, PreviousOutcome::Success),
        (DiscoveryCoverage::Whole, PreviousOutcome::New),
    ] {
        store.save(found.into_iter(), coverage).unwrap();
        assert_eq!(known(&store, &gone).history, expected);
        assert_eq!(known(&store, &kept).history, PreviousOutcome::Success);
        assert_eq!(known(&store, &elsewhere).history, PreviousOutcome::Success);
    }
}

#[test]
fn two_runs_add_to_each_other() {
    let home = tempfile::tempdir().unwrap();
    let (one, other) = (
        HistoryStore::new(home.path()),
        HistoryStore::new(home.path()),
    );
    let (a, b) = (key("p", "p(library)", "a"), key("p", "p(library)", "b"));
    // Both have read before either has written.
    assert!(one.load().is_ok() && other.load().is_ok());
    save_one(&one, &a, PreviousOutcome::Success, 1);
    save_one(&other, &b, PreviousOutcome::Failure, 1);
    assert_eq!(known(&one, &a).history, PreviousOutcome::Success);
    assert_eq!(known(&one, &b).history, PreviousOutcome::Failure);
}

#[test]
fn a_run_that_saves_at_this_moment_is_not_waited_for() {
    let home = tempfile::tempdir().unwrap();
    let store = HistoryStore::new(home.path());
    let _lock = store.lock().unwrap().unwrap();
    let saved = store
        .save(std::iter::empty(), DiscoveryCoverage::Partial)
        .unwrap();
    assert_eq!(saved, HistorySaveResult::Busy);
    assert!(!store.path().exists());
}

#[test]
fn garbage_is_told_and_replaced() {
    let home = tempfile::tempdir().unwrap();
    let store = HistoryStore::new(home.path());
    let key = key("p", "p(library)", "a");
    for garbage in [
        &b"[[["[..],
        b"version = \"x\"",
        b"\xff\xfe",
        b"version = 3\np = 1",
    ] {
        fs::write(store.path(), garbage).unwrap();
        let told = store.load().unwrap_err().to_string();
        assert!(told.contains(&store.path().display().to_string()), "{told}");
        save_one(&store, &key, PreviousOutcome::Success, 1);
        assert_eq!(known(&store, &key).history, PreviousOutcome::Success);
    }
}

#[test]
fn another_version_is_empty() {
    let home = tempfile::tempdir().unwrap();
    let store = HistoryStore::new(home.path());
    fs::write(store.path(), "version = 4\nnew = \"form\"\n").unwrap();
    assert!(store.load().unwrap().packages.is_empty());
}

#[test]
fn what_cannot_be_written_is_an_error_that_names_it() {
    let home = tempfile::tempdir().unwrap();
    let blocked = home.path().join("file");
    fs::write(&blocked, "").unwrap();
    let store = HistoryStore::new(&blocked.join("state"));
    let error = store
        .save(std::iter::empty(), DiscoveryCoverage::Partial)
        .unwrap_err();
    assert!(error.to_string().contains("file/state"), "{error}");
    assert!(matches!(error, HistoryError::Directory { .. }));

    let store = HistoryStore::new(home.path());
    fs::create_dir(store.path()).unwrap();
    let error = store
        .save(std::iter::empty(), DiscoveryCoverage::Partial)
        .unwrap_err();
    assert!(matches!(error, HistoryError::Write { .. }));
    assert!(!home.path().join("test-listing.toml.new").exists());
}

#[test]
fn a_package_called_version_has_no_history_and_harms_nobodys() {
    let home = tempfile::tempdir().unwrap();
    let store = HistoryStore::new(home.path());
    save_one(
        &store,
        &key("version", "version(library)", "a"),
        PreviousOutcome::Success,
        1,
    );
    let other = key("p", "p(library)", "a");
    save_one(&store, &other, PreviousOutcome::Success, 1);
    assert_eq!(known(&store, &other).history, PreviousOutcome::Success);
}

#[test]
fn timings_that_make_no_sense_are_left_out() {
    let home = tempfile::tempdir().unwrap();
    let store = HistoryStore::new(home.path());
    let text = "version = 3\n[p.a.b]\ntimings = [-1.0, nan, inf, 2.0]\noutcome = \"success\"\n";
    fs::write(store.path(), text).unwrap();
    let estimate = known(&store, &key("p", "a", "b")).estimate;
    assert_eq!(estimate, Some(seconds(2)));
}
