//! The trait that every test framework implements: the engine and the user interfaces know only
//! this.

use std::future::Future;

use crate::engine::event::{EventKind, SourceLocation};
use crate::engine::job::{Job, JobResult, TestCase};

/// Builds a project's tests, lists them, and reads what they say.
pub trait Framework {
    /// Why discovery gave up. Its message is for a person; its code is the program's exit code.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Builds and lists, telling `host` of each thing as soon as it is known, so that the tests of
    /// the first binary run while the second is still being built.
    fn discover<H: Host>(
        &mut self,
        host: &H,
    ) -> impl Future<Output = Result<DiscoverySummary, Self::Error>>;

    /// Where in the source a test failed, from what it wrote.
    fn failure_location(&self, stdout: &[u8], stderr: &[u8]) -> Option<SourceLocation>;
}

/// What discovery has to say when it is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiscoverySummary {
    /// Tests that filters left out.
    pub deselected: u32,
}

/// What a framework needs of the program it runs in.
pub trait Host {
    /// Tells who watches (build output, progress, notices).
    fn emit(&self, event: EventKind);

    /// Hands over tests that were found; they may start at once.
    fn found(&self, tests: Vec<TestCase>);

    /// Runs a job that is no test (listing a test binary, say) and waits for its end.
    fn run(&self, job: Job) -> impl Future<Output = Captured>;
}

/// What a job that is no test left behind.
#[derive(Clone, Debug)]
pub struct Captured {
    /// How it ended.
    pub result: JobResult,
    /// Its standard output, whole.
    pub stdout: Vec<u8>,
    /// Its standard error, whole.
    pub stderr: Vec<u8>,
}
