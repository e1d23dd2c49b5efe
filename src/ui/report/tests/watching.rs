//! Reports of changed files in watch mode.

use super::*;
use maelstrom_model::event::WatchEvent;

/// A round that fails, one that a change interrupts, and one whose build fails.
fn a_watched_story(options: RunReportOptions) -> Story {
    let mut story = Story::new(options);
    story.begins(IsolationMode::Container);
    story.round(1, RoundCause::Start);
    story.finds(&["bad"]);
    story.starts(0, 1);
    story.ends(0, 1, 7, failed(ExitStatus::Code(1)));
    let failed = RoundSummary {
        failed: 1,
        duration_us: 14_000,
        ..RoundSummary::default()
    };
    story.round_ends(1, failed);
    story.emit(WatchEvent::AwaitingChange { directories: 7 });
    let change = |paths: &[&str], more| {
        EventKind::Watch(WatchEvent::FilesChanged {
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
            more,
        })
    };
    story.emit(change(&["src/lib.rs"], 0));
    story.round(2, RoundCause::Watch);
    story.emit(change(&["src/a.rs", "src/b.rs"], 5));
    let cut_short = RoundSummary {
        duration_us: 3_000,
        ..RoundSummary::default()
    };
    story.round_ends(2, cut_short);
    story.round(3, RoundCause::Watch);
    story.emit(BuildEvent::Finished { succeeded: false });
    story.round_ends(3, cut_short);
    story.emit(WatchEvent::AwaitingChange { directories: 1 });
    story
}

#[test]
fn changes_and_what_follows_them_are_told() {
    insta::assert_snapshot!(a_watched_story(PLAIN).text());
}

#[test]
fn changes_are_told_quietly() {
    insta::assert_snapshot!(a_watched_story(QUIET).text());
}
