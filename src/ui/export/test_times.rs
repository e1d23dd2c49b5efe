//! The file of the tests' times (`--write-times`): a JSON object with the seconds that each test took, by
//! its title. A later run divides the tests by it.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::FileExport;
use super::target::{ReportTarget, ReportTargetError};
use maelstrom_model::event::{
    AttemptEvent, AttemptFinished, Event, EventKind, RoundEvent, TestEvent, TestOutcome,
};

/// Seconds by the titles of tests.
pub type SecondsByTitle = BTreeMap<String, f64>;

/// The times of a run's tests, with their file.
#[derive(Debug)]
pub struct TestTimesFile {
    seconds: SecondsByTitle,
    /// The titles of the tests, by their ids.
    titles: Vec<String>,
    target: ReportTarget,
}

impl TestTimesFile {
    /// Creates the times for a file, with `known` ones from earlier runs.
    pub fn new(target: ReportTarget, known: SecondsByTitle) -> TestTimesFile {
        TestTimesFile {
            seconds: known,
            titles: Vec::new(),
            target,
        }
    }

    fn finished(&mut self, finished: &AttemptFinished) {
        match finished.outcome {
            TestOutcome::Passed | TestOutcome::Failed { .. } | TestOutcome::TimedOut { .. } => {}
            TestOutcome::Ignored { .. } | TestOutcome::Cancelled | TestOutcome::Error { .. } => {
                return;
            }
        }
        if let Some(title) = self.titles.get(finished.test.index()) {
            // Whole milliseconds: more digits differ from run to run.
            let milliseconds = finished.timings.ran_us.div_ceil(1_000);
            #[expect(clippy::cast_precision_loss, reason = "a test takes no 100,000 years")]
            let seconds = milliseconds as f64 / 1_000.0;
            self.seconds.insert(title.clone(), seconds);
        }
    }

    fn write(&self) -> Result<(), ReportTargetError> {
        self.target.write(|out| write_times(&self.seconds, out))
    }
}

fn write_times(seconds: &SecondsByTitle, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, seconds)?;
    out.write_all(b"\n")
}

impl FileExport for TestTimesFile {
    fn apply(&mut self, event: &Event) -> Result<(), ReportTargetError> {
        match &event.kind {
            EventKind::Test(TestEvent::Discovered { tests }) => {
                for test in tests {
                    let index = test.test.index();
                    if self.titles.len() <= index {
                        self.titles.resize(index + 1, String::new());
                    }
                    if let Some(title) = self.titles.get_mut(index) {
                        title.clone_from(&test.title);
                    }
                }
            }
            EventKind::Attempt(AttemptEvent::Finished(finished)) => self.finished(finished),
            EventKind::Round(RoundEvent::Finished { .. }) => return self.write(),
            EventKind::Test(_)
            | EventKind::Attempt(_)
            | EventKind::Round(_)
            | EventKind::Run(_)
            | EventKind::Build(_)
            | EventKind::Watch(_)
            | EventKind::Worker(_)
            | EventKind::Cluster(_)
            | EventKind::Notice(_) => {}
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), ReportTargetError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::testing::RunScript;
    use maelstrom_model::event::RoundCause;

    #[test]
    fn tests_that_ran_have_their_times_and_the_others_keep_theirs() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("times.json");
        let target = ReportTarget::check(&path).unwrap();
        let known = [("p a", 9.0), ("p gone", 0.5), ("p ignored", 2.0)];
        let known = known.map(|(title, seconds)| (title.to_owned(), seconds));
        let mut file = TestTimesFile::new(target, known.into());
        let mut script = RunScript::new();
        script.discover("p", "p(library)", &["a", "b", "ignored", "\"ü\""]);
        script.round(1, RoundCause::Start);
        let failed = TestOutcome::Failed {
            exit: None,
            reason: None,
        };
        script.finishes(0, 1, TestOutcome::Passed);
        script.finishes(1, 1, failed);
        script.finishes(2, 1, TestOutcome::Ignored { reason: None });
        script.finishes(3, 1, TestOutcome::Passed);
        script.round_ends(1);
        for event in &script.events {
            file.apply(event).unwrap();
        }
        file.finish().unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "{\n  \"p \\\"ü\\\"\": 0.013,\n  \"p a\": 0.013,\n  \"p b\": 0.013,\n  \"p gone\": 0.5,\n  \
             \"p ignored\": 2.0\n}\n"
        );
    }
}
