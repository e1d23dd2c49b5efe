//! Discovers the tests in packages.
//!
//! As soon as Go passes on a package's test binary, the binary is listed in its container, and its
//! tests may start while Go continues with other packages. A package that can't be built, or whose
//! binary can't be listed, becomes one broken entry; the others continue.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::net::UnixStream;

use crate::sandbox::project_spec::TestContainer;
use maelstrom_model::event::{BuildEvent, EventKind, OutputText, PackageState};
use maelstrom_model::framework::{BrokenEntry, CapturedOutput, FrameworkHost};
use maelstrom_model::job::{TestCase, TestKey};

use super::binaries::{BinaryNeed, GoBinaryDirectory};
use super::build::GoBuildMessage;
use super::collector::{self, OfferedBinary};
use super::error::GoError;
use super::jobs::{GoBinaryJobs, GoContainerError, GoContainers};
use super::listing::{self, DefinedTests, GoListingError};
use super::options::{GoAction, GoSettings};
use super::overrides;
use super::packages::{self, ARTIFACT, GoPackage};
use super::project::GoProject;
use super::report::{BuildLine, PackageErrors, PackageOutputs, PackageResult, PackageStatus};
use super::sharing::share;
use super::test_choice::{fuzz_tests, listed_kinds};
use super::{location, notices};
use crate::options::EventStreamFormat;

/// The timeout for a binary to list its tests, unless a test's is shorter. It takes milliseconds,
/// unless `init` or `TestMain` take longer; the timeout is for a binary that hangs there.
const LISTING_TIMEOUT: Duration = Duration::from_secs(60);

/// The state of a discovery.
pub struct GoDiscovery<'a, H> {
    pub(super) project: GoProject<'a>,
    host: &'a H,
    binaries: &'a GoBinaryDirectory,
    containers: GoContainers,
    packages: HashMap<PathBuf, &'a GoPackage>,
    total: u32,
    done: u32,
    blocks: PackageOutputs,
    /// Packages that could not be built, and Go's reasons. They are reported when Go has exited,
    /// since compiler output comes on another stream and may come later.
    unbuilt: Vec<(String, String)>,
    listings: FuturesUnordered<LocalBoxFuture<'a, Result<ListedPackage, GoError>>>,
    pub(super) deselected: u32,
    found: PackagePresence,
    /// The tests of packages that wait until everything is built, so that the build does not disturb
    /// benchmarks.
    held: Vec<(Arc<str>, Vec<TestCase>)>,
    found_tests: bool,
}

/// Whether Go has reported any package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackagePresence {
    /// Go has not reported any package.
    Nothing,
    Packages,
}

/// A test binary and its list of tests.
struct ListedPackage {
    package: NamedPackage,
    jobs: GoBinaryJobs,
    captured: CapturedOutput,
    /// The names of its tests.
    names: Result<Vec<String>, GoListingError>,
    /// Whether its sources define tests and a `TestMain`, which may keep it from listing them.
    has_main: bool,
    /// The containers of its tests according to the specification file, by test name.
    given: HashMap<String, TestContainer>,
}

/// A package and its import path in the keys of tests.
#[derive(Clone, Debug)]
pub(super) struct NamedPackage {
    pub(super) import_path: Arc<str>,
    pub(super) package: GoPackage,
}

impl<'a, H: FrameworkHost> GoDiscovery<'a, H> {
    /// Returns a discovery that has found nothing yet.
    pub fn new(
        project: GoProject<'a>,
        host: &'a H,
        binaries: &'a GoBinaryDirectory,
        packages: &'a [GoPackage],
    ) -> Result<GoDiscovery<'a, H>, GoError> {
        Ok(GoDiscovery {
            containers: GoContainers::new(&project)?,
            packages: packages
                .iter()
                .map(|package| (real(&package.dir), package))
                .collect(),
            total: u32::try_from(packages.len()).unwrap_or(u32::MAX),
            done: 0,
            blocks: PackageOutputs::default(),
            unbuilt: Vec::new(),
            listings: FuturesUnordered::new(),
            deselected: 0,
            found: PackagePresence::Nothing,
            held: Vec::new(),
            found_tests: false,
            project,
            host,
            binaries,
        })
    }

    /// Returns the number of tests that the filters exclude.
    pub fn deselected(&self) -> u32 {
        self.deselected
    }

    /// Returns whether a test was selected.
    pub fn found_tests(&self) -> bool {
        self.found_tests
    }

    /// Returns whether Go has reported any package.
    pub fn found(&self) -> PackagePresence {
        self.found
    }

    /// Processes a message from the build.
    pub async fn build_message(&mut self, message: GoBuildMessage) -> Result<(), GoError> {
        match message {
            GoBuildMessage::Said(line) => {
                let packages = &self.packages;
                let has_inner_tests = |package: &str| {
                    let mut known = packages.values();
                    known.any(|known| known.import_path == package && known.has_inner_tests())
                };
                for line in self.blocks.line(line, has_inner_tests) {
                    self.build_line(line);
                }
            }
            GoBuildMessage::Output(line) => {
                // Go's verdict on the whole run; this program reports its own.
                if line != b"FAIL" {
                    self.output(line);
                }
            }
            GoBuildMessage::Package(end) => self.package_end(end),
            GoBuildMessage::Call(stream) => self.call(stream).await?,
            GoBuildMessage::Finished(_) => {
                if let Some(line) = self.blocks.rest() {
                    self.build_line(line);
                }
                self.emit_unbuilt();
            }
        }
        Ok(())
    }

    /// Returns whether a test binary is being listed.
    pub fn is_listing(&self) -> bool {
        !self.listings.is_empty()
    }

    /// Waits for the next listing and processes it. Cancel safe: dropping the future loses nothing.
    pub async fn listed(&mut self) -> Result<(), GoError> {
        if let Some(listed) = self.listings.next().await {
            self.take_listing(&listed?)?;
        }
        Ok(())
    }

    /// Hands over the tests that waited for the end of the build.
    pub fn build_is_over(&mut self) {
        for (package, tests) in std::mem::take(&mut self.held) {
            self.hand_over(&package, tests);
        }
    }

    fn hand_over(&mut self, package: &str, tests: Vec<TestCase>) {
        let selected = u32::try_from(tests.len()).unwrap_or(u32::MAX);
        if !tests.is_empty() {
            self.found_tests = true;
            self.host.found(tests);
        }
        self.package_known(package, PackageState::Listed { selected });
    }

    fn package_known(&self, package: &str, state: PackageState) {
        self.host.emit(BuildEvent::Package {
            package: package.to_owned(),
            state,
        });
    }

    fn build_line(&self, line: BuildLine) {
        let BuildLine { unit, mut text } = line;
        match unit.filter(|_| streams_records(self.project.settings)) {
            None => self.output(text),
            Some(unit) => {
                text.push(b'\n');
                let text = OutputText(text);
                self.host.emit(BuildEvent::UnitOutput { unit, text });
            }
        }
    }

    fn output(&self, mut line: Vec<u8>) {
        line.push(b'\n');
        self.host.emit(BuildEvent::Output {
            text: OutputText(line),
        });
    }

    fn package_end(&mut self, end: PackageResult) {
        self.found = PackagePresence::Packages;
        self.done = self.done.saturating_add(1);
        self.host.emit(BuildEvent::Progress {
            done: self.done,
            total: Some(self.total.max(self.done)),
            current: end.package.clone(),
        });
        match end.fate {
            PackageStatus::Built => {}
            PackageStatus::WithoutTests => {
                self.package_known(&end.package, PackageState::WithoutTestFiles);
            }
            PackageStatus::Failed(reason) => self.unbuilt.push((end.package, reason)),
        }
    }

    fn emit_unbuilt(&mut self) {
        for (package, reason) in std::mem::take(&mut self.unbuilt) {
            let message = format!("the tests of {package} could not be built: {reason}");
            let named = packages::first_of(self.packages.values().copied(), &package, |name| {
                self.blocks.has(name)
            });
            let PackageErrors { text, unit } = self.blocks.of(named.as_deref().unwrap_or(&package));
            self.package_known(&package, PackageState::NotBuilt { reason, unit });
            self.host.broken(BrokenEntry {
                location: location::of_build(&text),
                stderr: text,
                ..broken(&package, message)
            });
        }
    }

    /// Accepts a test binary from a collector.
    async fn call(&mut self, stream: UnixStream) -> Result<(), GoError> {
        // If a collector disconnects or sends an invalid message, Go reports that its package
        // failed.
        let Ok((offer, waiting)) = collector::read_offer(stream).await else {
            return Ok(());
        };
        self.found = PackagePresence::Packages;
        let directory = Path::new(&offer.directory);
        let package = match self.packages.get(&real(directory)) {
            Some(package) => NamedPackage {
                import_path: package.import_path.as_str().into(),
                package: (*package).clone(),
            },
            // Only if Go tests packages that it does not list.
            None => NamedPackage {
                import_path: directory.to_string_lossy().into(),
                package: GoPackage::default(),
            },
        };
        let program = Path::new(&offer.program);
        let place = self
            .binaries
            .take(&package.import_path, program, self.need())
            .map_err(|source| GoError::Keep {
                path: self.binaries.directory().to_owned(),
                source,
            })?;
        // If Go has been killed, its exit status reports that.
        drop(waiting.taken().await);
        match self.project.settings.goal {
            GoAction::Run | GoAction::ListTests | GoAction::Explain => {
                self.list(package, &place, &offer)
            }
            GoAction::Build | GoAction::ListPackages | GoAction::Init => Ok(()),
        }
    }

    fn need(&self) -> BinaryNeed {
        let mut flags = self.project.settings.go_test_flags.iter();
        match flags.any(|flag| flag.starts_with("-o=")) {
            true => BinaryNeed::AlsoGos,
            false => BinaryNeed::Ours,
        }
    }

    fn list(
        &mut self,
        package: NamedPackage,
        place: &Path,
        offer: &OfferedBinary,
    ) -> Result<(), GoError> {
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
            Err(GoContainerError::Project(error)) => return Err(error),
            Err(error @ GoContainerError::Libraries(_)) => {
                let message = format!("the test binary of {} {error}", package.import_path);
                self.package_known(&package.import_path, PackageState::NotListed);
                self.host.broken(broken(&package.import_path, message));
                return Ok(());
            }
        };
        let directory = match package.package.dir.as_path() {
            unknown if unknown == Path::new("") => Path::new(&offer.directory),
            known => known,
        };
        let container = (container, self.containers.placement(&binary));
        let jobs = GoBinaryJobs::new(&self.project, container, directory, place, offer);
        let standard = jobs.standard(binary, bare);
        let (host, project) = (self.host, self.project.clone());
        let timeout = self.project.settings.timeout;
        let timeout = timeout.map_or(LISTING_TIMEOUT, |test| test.min(LISTING_TIMEOUT));
        self.listings.push(Box::pin(async move {
            let captured = host.run(jobs.list(timeout)).await;
            // With an overlay, the compiled files differ from those on disk.
            let has_overlay = project.has_overlay();
            let defined = Some(&package.package).filter(|_| !has_overlay);
            let defined = defined.and_then(DefinedTests::of);
            let kinds = listed_kinds(project.settings);
            let names = listing::names(&captured, kinds, defined.as_ref());
            let given = match (names.clone(), project.settings.goal) {
                (Ok(names), GoAction::Run) => {
                    overrides::given(&project, host, &package.package, &standard, names).await?
                }
                (Ok(names), GoAction::Explain) => {
                    overrides::explain(&project, &package.package, &names)?;
                    HashMap::new()
                }
                (Ok(_) | Err(_), _) => HashMap::new(),
            };
            Ok(ListedPackage {
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

    fn take_listing(&mut self, listed: &ListedPackage) -> Result<(), GoError> {
        let ListedPackage {
            package,
            jobs,
            captured,
            names,
            has_main,
            given,
        } = listed;
        let import_path = &package.import_path;
        let names = match names {
            Ok(names) => names,
            Err(error) => {
                self.package_known(import_path, PackageState::NotListed);
                self.host.broken(BrokenEntry {
                    stdout: captured.stdout.clone(),
                    stderr: captured.stderr.clone(),
                    ..broken(
                        import_path,
                        format!("the test binary of {import_path} {error}"),
                    )
                });
                return Ok(());
            }
        };
        if names.is_empty() && *has_main {
            self.host
                .emit(EventKind::Notice(notices::none_listed(import_path)));
        }
        match fuzz_tests(self.project.settings, names).as_deref() {
            None | Some([_]) => {}
            Some([]) => self
                .host
                .emit(EventKind::Notice(notices::nothing_to_fuzz(import_path))),
            Some(several) => {
                let names = several.join(", ");
                let message = format!("-fuzz matches more than one fuzz test: {names}");
                self.package_known(import_path, PackageState::NotListed);
                self.host.broken(broken(import_path, message));
                return Ok(());
            }
        }
        let mut tests: Vec<TestCase> = names
            .iter()
            .filter_map(|name| {
                let given = given.get(name);
                self.test(package, jobs, given, name.clone())
            })
            .collect();
        share(&self.project, jobs, given, &mut tests)?;
        match self.project.settings.bench {
            Some(_) => self.held.push((import_path.clone(), tests)),
            None => self.hand_over(import_path, tests),
        }
        Ok(())
    }
}

/// Returns whether the run is printed as records, which name what each line of the build is about.
fn streams_records(settings: &GoSettings) -> bool {
    match settings.common.stream {
        Some(
            EventStreamFormat::Test2Json
            | EventStreamFormat::LibtestJson
            | EventStreamFormat::LibtestJsonPlus,
        ) => true,
        Some(EventStreamFormat::GoList) | None => false,
    }
}

/// Returns the directory without symbolic links, as in the working directory of processes.
fn real(directory: &Path) -> PathBuf {
    directory
        .canonicalize()
        .unwrap_or_else(|_| directory.to_owned())
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
