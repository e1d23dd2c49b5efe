//! What cargo, Go, pytest, and the tests themselves print.
#![no_main]

use std::path::Path;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use maelstrom_fuzz::{Parts, block_on};
use maelstrom_model::event::OutputStream;
use maelstrom_model::framework::{CapturedOutput, OutputParser};
use maelstrom_model::job::{ExitStatus, JobOutcome, JobResult};
use maelstrom_runners::cargo::target::TestHarness;
use maelstrom_runners::cargo::{build, listing, location, metadata};
use maelstrom_runners::go::{listing as go_listing, packages, reader, report};
use maelstrom_runners::lines::LineReader;
use maelstrom_runners::pytest::{collection, record};

/// A line that is longer is cut.
const LINE_BYTES_MAX: usize = 256;

fuzz_target!(|data: &[u8]| {
    let mut parts = Parts(data);
    match parts.byte() % 8 {
        0 => cargo_listing(parts),
        1 => block_on(cargo_build(parts.0)),
        2 => drop(metadata::CargoWorkspace::read(parts.0)),
        3 => {
            let (stdout, stderr) = (parts.part(), parts.0);
            let (workspace, directory) = (Path::new("/w"), Path::new("/w/p"));
            drop(location::failure_location(
                stdout, stderr, workspace, directory,
            ));
        }
        4 => go_test(parts),
        5 => go_build(parts.0),
        6 => drop(collection::CollectionReport::read(parts.0)),
        _ => {
            let status = ExitStatus::Code(i32::from(parts.byte()));
            drop(record::read(status, parts.0));
        }
    }
});

fn captured(stdout: &[u8]) -> CapturedOutput {
    let mut result = JobResult::not_run(JobOutcome::Exited(ExitStatus::Code(0)));
    result.ran = Duration::from_secs(1);
    CapturedOutput {
        result,
        stdout: stdout.to_vec(),
        stderr: Vec::new(),
    }
}

fn cargo_listing(mut parts: Parts<'_>) {
    let harness = match parts.byte() % 2 {
        0 => TestHarness::Libtest,
        _ => TestHarness::Own,
    };
    let (all, ignored) = (captured(parts.part()), captured(parts.part()));
    let none = captured(parts.0);
    let none = listing::is_doubtful(harness, &all, &ignored).then_some(&none);
    drop(listing::combine(harness, &all, &ignored, none));
}

async fn cargo_build(stdout: &[u8]) {
    let mut lines = LineReader::new(stdout, LINE_BYTES_MAX);
    while let Ok(Some(line)) = lines.next().await {
        drop(build::read_message(line));
    }
}

fn go_test(mut parts: Parts<'_>) {
    let test = maelstrom_model::job::TestKey {
        package: "p".into(),
        artifact: "".into(),
        name: parts.text().to_string(),
    };
    let directory = Path::new("/project");
    let places =
        maelstrom_runners::go::location::FailureLocations::new(directory, directory, directory);
    let mut reader = reader::GoTestReader::new(&test, places);
    let mut stream = OutputStream::Stdout;
    while !parts.is_empty() {
        drop(reader.wrote(stream, parts.part().to_vec()));
        stream = match parts.byte() % 4 {
            0 => OutputStream::Stderr,
            _ => OutputStream::Stdout,
        };
    }
    drop(reader.ended(Some(ExitStatus::Code(1))));
}

fn go_build(text: &[u8]) {
    drop(go_listing::names(&captured(text), None));
    if let Ok(packages) = packages::read(text) {
        drop(packages::directories(&packages));
    }
    let mut blocks = report::PackageOutputs::default();
    for line in text.split(|byte| *byte == b'\n') {
        blocks.line(line);
        drop(report::package_end(&String::from_utf8_lossy(line)));
    }
    drop(blocks.of("example.com/p"));
}
