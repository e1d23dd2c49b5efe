//! From packages to tests.
//!
//! As soon as Go hands over a package's test binary, it is listed in its container, and its tests
//! may start while Go goes on with other packages. A package that can't be built, or whose binary
//! can't be listed, is one broken entry; the others go on.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::net::UnixStream;

use crate::sandbox::specified::{Attention, Given};
use maelstrom_model::event::{EventKind, Notice, Severity, Text};
use maelstrom_model::framework::{BrokenEntry, Captured, Host};
use maelstrom_model::job::{Ignored, TestCase, TestKey};

use super::binaries::Binaries;
use super::build::BuildMessage;
use super::collector::{self, Offer};
use super::error::GoError;
use super::jobs::{BinaryJobs, Containers, NoContainer, Project};
use super::listing::{self, Defined, ListingError};
use super::options::Goal;
use super::own;
use super::packages::Package;
use super::report::{Blocks, Fate, PackageEnd};
use super::{location, run_pattern};

/// How long a binary may take to list its tests, if a test may not take less. It takes milliseconds,
/// unless `init` or `TestMain` take longer; one that hangs there should not hang the run.
const LISTING_TIMEOUT: Duration = Duration::from_secs(60);

/// The artifact of every Go test: a package has one test binary.
const ARTIFACT: &str = "test";

/// What is known so far.
pub struct Discovery<'a, H> {
    project: Project<'a>,
    host: &'a H,
    binaries: &'a Binaries,
    containers: Containers,
    packages: HashMap<PathBuf, &'a Package>,
    total: u32,
    done: u32,
    blocks: Blocks,
    /// Packages that could not be built, and what Go calls it. They are told of when Go is done:
    /// what compilers say comes on another stream, and may come later.
    unbuilt: Vec<(String, String)>,
    listings: FuturesUnordered<LocalBoxFuture<'a, Result<Listed, GoError>>>,
    deselected: u32,
    found: Found,
}

/// Whether there was anything at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Go has not spoken of any package.
    Nothing,
    /// It has.
    Packages,
}

/// A test binary, and what it said when it was asked for its tests.
struct Listed {
    package: Named,
    jobs: BinaryJobs,
    captured: Captured,
    /// The tests that it named.
    names: Result<Vec<String>, ListingError>,
    /// Whether its sources define tests that a `TestMain` may keep from being listed.
    has_main: bool,
    /// What tests get that get something of their own.
    given: HashMap<String, Given>,
}

/// A package, as far as tests need it.
#[derive(Clone, Debug)]
struct Named {
    import_path: Arc<str>,
    package: Package,
}

impl<'a, H: Host> Discovery<'a, H> {
    /// Nothing is known yet.
    pub fn new(
        project: Project<'a>,
        host: &'a H,
        binaries: &'a Binaries,
        packages: &'a [Package],
    ) -> Result<Discovery<'a, H>, GoError> {
        Ok(Discovery {
            containers: Containers::new(&project)?,
            packages: packages
                .iter()
                .map(|package| (real(&package.dir), package))
                .collect(),
            total: u32::try_from(packages.len()).unwrap_or(u32::MAX),
            done: 0,
            blocks: Blocks::default(),
            unbuilt: Vec::new(),
            listings: FuturesUnordered::new(),
            deselected: 0,
            found: Found::Nothing,
            project,
            host,
            binaries,
        })
    }

    /// Tests that filters left out.
    pub fn deselected(&self) -> u32 {
        self.deselected
    }

    /// Whether there was anything at all.
    pub fn found(&self) -> Found {
        self.found
    }

    /// Takes in what the build says.
    pub async fn build_message(&mut self, message: BuildMessage) -> Result<(), GoError> {
        match message {
            BuildMessage::Said(line) => {
                self.blocks.line(&line);
                self.output(line);
            }
            BuildMessage::Output(line) => {
                // The verdict on everything, which is ours to give.
                if line != b"FAIL" {
                    self.output(line);
                }
            }
            BuildMessage::Package(end) => self.package_end(end),
            BuildMessage::Call(stream) => self.call(stream).await?,
            BuildMessage::Finished(_) => self.tell_unbuilt(),
        }
        Ok(())
    }

    /// Whether a test binary is being listed.
    pub fn is_listing(&self) -> bool {
        !self.listings.is_empty()
    }

    /// Waits for the next listing and takes it in. Dropping the future loses nothing.
    pub async fn listed(&mut self) -> Result<(), GoError> {
        if let Some(listed) = self.listings.next().await {
            self.take_listing(&listed?);
        }
        Ok(())
    }

    fn output(&self, mut line: Vec<u8>) {
        line.push(b'\n');
        self.host.emit(EventKind::BuildOutput { text: Text(line) });
    }

    fn package_end(&mut self, end: PackageEnd) {
        self.found = Found::Packages;
        self.done = self.done.saturating_add(1);
        self.host.emit(EventKind::BuildProgress {
            done: self.done,
            total: Some(self.total.max(self.done)),
            current: end.package.clone(),
        });
        match end.fate {
            Fate::Built | Fate::WithoutTests => {}
            Fate::Failed(reason) => self.unbuilt.push((end.package, reason)),
        }
    }

    fn tell_unbuilt(&mut self) {
        for (package, reason) in self.unbuilt.drain(..) {
            let message = format!("the tests of {package} could not be built: {reason}");
            let said = self.blocks.of(&package);
            self.host.broken(BrokenEntry {
                location: location::of_build(&said),
                stderr: said,
                ..broken(&package, message)
            });
        }
    }

    /// Takes what a collector offers.
    async fn call(&mut self, stream: UnixStream) -> Result<(), GoError> {
        // One that hangs up, or says nothing sensible, makes Go say that its package failed.
        let Ok((offer, waiting)) = collector::hear(stream).await else {
            return Ok(());
        };
        self.found = Found::Packages;
        let directory = Path::new(&offer.directory);
        let package = match self.packages.get(&real(directory)) {
            Some(package) => Named {
                import_path: package.import_path.as_str().into(),
                package: (*package).clone(),
            },
            // Go would have to list other packages than it tests.
            None => Named {
                import_path: directory.to_string_lossy().into(),
                package: Package::default(),
            },
        };
        let program = Path::new(&offer.program);
        let place = self
            .binaries
            .take(&package.import_path, program)
            .map_err(|source| GoError::Keep {
                path: self.binaries.directory().to_owned(),
                source,
            })?;
        // If Go was killed meanwhile, its end tells.
        drop(waiting.taken().await);
        match self.project.settings.goal {
            Goal::Run | Goal::ListTests | Goal::Explain => self.list(package, &place, &offer),
            Goal::Build | Goal::ListPackages | Goal::Init => Ok(()),
        }
    }

    fn list(&mut self, package: Named, place: &Path, offer: &Offer) -> Result<(), GoError> {
        let binary = self.binaries.directory().join(place);
        let containers = self.containers.get(&binary).and_then(|container| {
            let bare = match self.project.specified {
                Some(specified) if specified.wants_no_toolbox() => {
                    Some(self.containers.without_toolbox(&binary)?)
                }
                Some(_) | None => None,
            };
            Ok((container, bare))
        });
        let (container, bare) = match containers {
            Ok(containers) => containers,
            Err(NoContainer::Project(error)) => return Err(error),
            Err(error @ NoContainer::Libraries(_)) => {
                let message = format!("the test binary of {} {error}", package.import_path);
                self.host.broken(broken(&package.import_path, message));
                return Ok(());
            }
        };
        let directory = match package.package.dir.as_path() {
            unknown if unknown == Path::new("") => Path::new(&offer.directory),
            known => known,
        };
        let container = (container, self.containers.placement(&binary));
        let jobs = BinaryJobs::new(&self.project, container, directory, place, offer);
        let standard = jobs.standard(binary, bare);
        let (host, project) = (self.host, self.project.clone());
        let timeout = self.project.settings.timeout;
        let timeout = timeout.map_or(LISTING_TIMEOUT, |test| test.min(LISTING_TIMEOUT));
        self.listings.push(Box::pin(async move {
            let captured = host.run(jobs.list(timeout)).await;
            // With an overlay other files are compiled than those that stand there.
            let has_overlay = project.has_overlay();
            let defined = Some(&package.package).filter(|_| !has_overlay);
            let defined = defined.and_then(Defined::of);
            let names = listing::names(&captured, defined.as_ref());
            let given = match (names.clone(), project.settings.goal) {
                (Ok(names), Goal::Run) => {
                    own::given(&project, host, &package.package, &standard, names).await?
                }
                (Ok(names), Goal::Explain) => {
                    own::explain(&project, &package.package, &names)?;
                    HashMap::new()
                }
                (Ok(_) | Err(_), _) => HashMap::new(),
            };
            Ok(Listed {
                package,
                jobs,
                captured,
                names,
                has_main: defined.is_some_and(|defined| defined.is_main_with_tests()),
                given,
            })
        }));
        Ok(())
    }

    fn take_listing(&mut self, listed: &Listed) {
        let Listed {
            package,
            jobs,
            captured,
            names,
            has_main,
            given,
        } = listed;
        let import_path = &package.import_path;
        match names {
            Ok(names) if names.is_empty() && *has_main => {
                self.host.emit(EventKind::Notice(none_listed(import_path)));
            }
            Ok(names) => {
                let tests: Vec<TestCase> = names
                    .iter()
                    .filter_map(|name| {
                        let given = given.get(name);
                        self.test(package, jobs, given, name.clone())
                    })
                    .collect();
                if !tests.is_empty() {
                    self.host.found(tests);
                }
            }
            Err(error) => self.host.broken(BrokenEntry {
                stdout: captured.stdout.clone(),
                stderr: captured.stderr.clone(),
                ..broken(
                    import_path,
                    format!("the test binary of {import_path} {error}"),
                )
            }),
        }
    }

    /// A test, if it is wanted.
    fn test(
        &mut self,
        package: &Named,
        jobs: &BinaryJobs,
        given: Option<&Given>,
        name: String,
    ) -> Option<TestCase> {
        let settings = self.project.settings;
        let skip = settings.skip.as_ref();
        let run = match &settings.run {
            Some(pattern) => pattern.selecting(&name),
            None => Some(run_pattern::exactly(&name)),
        };
        let wanted = package.package.is_wanted(&settings.patterns, Some(&name))
            && !skip.is_some_and(|skip| skip.leaves_out(&name));
        match run.filter(|_| wanted) {
            Some(run) => Some(TestCase {
                title: format!("{} {name}", package.import_path),
                key: TestKey {
                    package: package.import_path.clone(),
                    artifact: ARTIFACT.into(),
                    name,
                },
                ignored: given.and_then(|given| match given.attention {
                    Attention::Run => None,
                    Attention::Ignore => Some(Ignored { reason: None }),
                }),
                job: {
                    let own = given.map(|given| jobs.with(given));
                    let skip = skip.map(run_pattern::RunPattern::as_written);
                    own.as_ref().unwrap_or(jobs).test(&run, skip)
                },
            }),
            None => {
                self.deselected = self.deselected.saturating_add(1);
                None
            }
        }
    }
}

/// The directory without links on the way, as processes are told theirs.
fn real(directory: &Path) -> PathBuf {
    directory
        .canonicalize()
        .unwrap_or_else(|_| directory.to_owned())
}

/// Says that a package has tests, and that none of them will run.
fn none_listed(package: &str) -> Notice {
    Notice {
        severity: Severity::Warning,
        text: format!(
            "no test of {package} runs: its TestMain ended the process, with success, before they \
             were listed"
        ),
        help: Some(format!("`go test -v {package}` shows what it does there")),
        in_summary: true,
    }
}

fn broken(package: &str, message: String) -> BrokenEntry {
    BrokenEntry {
        key: TestKey {
            package: package.into(),
            artifact: ARTIFACT.into(),
            name: String::new(),
        },
        title: package.to_owned(),
        message,
        stdout: Vec::new(),
        stderr: Vec::new(),
        location: None,
    }
}
