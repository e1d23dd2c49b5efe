//! The jobs of an input as rows of a dashboard: which they are, and in what order they want to start.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;

use maelstrom_engine::layer_cache::{LayerCacheOptions, TlsVerification};
use maelstrom_model::event::EventKind;
use maelstrom_model::framework::{
    BrokenEntry, CapturedOutput, Framework, FrameworkHost, WatchPaths,
};
use maelstrom_model::job::{Job, TestCase};
use maelstrom_runners::run::default_container::DefaultJobContainer;
use maelstrom_runners::run::framework::JobsFramework;
use maelstrom_runners::run::job_builder::JobBuilder;
use maelstrom_runners::run::options::JobInput;
use maelstrom_runners::sandbox::invocation::{ColorMode, Invocation};

/// Notes what it is told, line by line.
#[derive(Default)]
struct Notes(RefCell<Vec<String>>);

impl FrameworkHost for Notes {
    fn emit(&self, event: impl Into<EventKind>) {
        panic!("nothing is built: {:?}", event.into());
    }

    fn state_directory(&self, directory: PathBuf) {
        panic!("jobs have no history, so none in {directory:?}");
    }

    fn watch(&self, list: WatchPaths) {
        panic!("nobody knows which files a job is about: {list:?}");
    }

    fn found(&self, tests: Vec<TestCase>) {
        panic!("without their priority: {tests:?}");
    }

    fn found_at(&self, priority: i8, test: TestCase) {
        let seconds = test.job.timeout.map_or(0, |timeout| timeout.as_secs());
        let line = format!("{} at {priority}, {seconds} s", test.title);
        self.0.borrow_mut().push(line);
    }

    fn broken(&self, entry: BrokenEntry) {
        let line = format!("{}: {}", entry.title, entry.message);
        self.0.borrow_mut().push(line);
    }

    async fn run(&self, job: Job) -> CapturedOutput {
        panic!("nothing has to be asked: {job:?}");
    }
}

#[test]
fn jobs_have_the_priorities_that_they_were_given() {
    let directory = tempfile::tempdir().unwrap();
    let jobs = r#"
        { "containers": { "mine": { "parent": "default", "user": 7 } } }
        { "program": "true", "parent": "mine", "priority": -128 }
        { "program": "echo", "arguments": ["a b"], "parent": "default", "timeout": 9 }
        { "program": "true", "parent": "yours", "priority": 5 }
        { "program": "false", "parent": "default", "priority": 127 }"#;
    let file = directory.path().join("jobs.json");
    std::fs::write(&file, jobs).unwrap();
    let invocation = Invocation::of_this_process(ColorMode::Unwanted).unwrap();
    let surroundings = DefaultJobContainer::make(&invocation).unwrap();
    let sources = LayerCacheOptions {
        project: directory.path().to_owned(),
        cache: directory.path().join("cache"),
        depot: directory.path().join("depot"),
        size_target_bytes: u64::MAX,
        certificates: TlsVerification::Checked,
        library_path: Vec::new(),
    };
    let workshop = JobBuilder::new(&invocation, surroundings, sources, Arc::new(|_| {}));
    let project = directory.path().to_owned();
    let framework = JobsFramework::new(JobInput::File(file), project, workshop);
    let notes = Notes::default();
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(framework.discover(&notes))
        .unwrap();
    let told = notes.0.into_inner().join("\n");
    insta::assert_snapshot!(told.replace(directory.path().to_str().unwrap(), "HERE"), @"
    job 1: true at -128, 0 s
    job 2: echo 'a b' at 0, 9 s
    job 3: true: HERE/jobs.json:5:40: there is no container `yours`; define `yours` among the `containers`
    job 4: false at 127, 0 s
    ");
}
