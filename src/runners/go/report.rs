//! Parses the output of `go test` about packages that it builds.
//!
//! stdout has one line per package. stderr has the output of compilers and vet, in blocks that
//! begin with `# PACKAGE` or `# PACKAGE [PACKAGE.test]`. Anything else is for the user. All
//! supported versions of Go use this format.

/// The maximum number of bytes of compiler output that are kept for the reports of packages that
/// could not be built.
const BLOCKS_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The result of building a package's tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageResult {
    /// Its import path, or Go's substitute for one.
    pub package: String,
    pub fate: PackageStatus,
}

/// Whether a package's tests were built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PackageStatus {
    /// Its test binary was passed on.
    Built,
    /// It has no tests.
    WithoutTests,
    /// Its tests could not be built, loaded or passed on, for this reason in Go's words.
    Failed(String),
}

/// Parses a line of stdout. Returns `None` if it is not a package's result.
pub fn package_end(line: &str) -> Option<PackageResult> {
    let (package, fate) = if let Some(rest) = line.strip_prefix("ok  \t") {
        (rest, PackageStatus::Built)
    } else if let Some(rest) = line.strip_prefix("?   \t") {
        (rest, PackageStatus::WithoutTests)
    } else if let Some(rest) = line.strip_prefix("\t") {
        // With coverage, Go reports a package without tests like this.
        (
            rest.split_once("\t\tcoverage:")?.0,
            PackageStatus::WithoutTests,
        )
    } else {
        let rest = line.strip_prefix("FAIL\t")?;
        let reason = match rest.split_once(" [") {
            Some((_, reason)) => reason.trim_end_matches(']').to_owned(),
            None => "not handed over".to_owned(),
        };
        (rest, PackageStatus::Failed(reason))
    };
    let package = package.split(['\t', ' ']).next()?;
    Some(PackageResult {
        package: package.to_owned(),
        fate,
    })
}

/// The output of compilers and vet, by package.
#[derive(Clone, Debug, Default)]
pub struct PackageOutputs {
    blocks: Vec<PackageOutput>,
    bytes: usize,
    /// What the current lines are about, in Go's words.
    unit: Option<String>,
    /// The first line of a block, until the next line shows whether it is vet's.
    held: Option<Vec<u8>>,
}

#[derive(Clone, Debug)]
struct PackageOutput {
    package: String,
    /// What the first line is about, in Go's words.
    unit: Option<String>,
    text: Vec<u8>,
}

/// The output about a package that could not be built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackageErrors {
    pub text: Vec<u8>,
    /// What failed, in Go's words, such as `example.com/p [example.com/p.test]`.
    pub unit: Option<String>,
}

/// A line of the build for the user, without its newline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildLine {
    /// What it is about, in Go's words; `None` for a message of Go's own.
    pub unit: Option<String>,
    pub text: Vec<u8>,
}

impl PackageOutputs {
    /// Processes a line of stderr, without its newline. Returns the lines to show.
    /// `has_inner_tests` says whether a package has tests in the package itself.
    pub fn line(
        &mut self,
        line: Vec<u8>,
        has_inner_tests: impl Fn(&str) -> bool,
    ) -> Vec<BuildLine> {
        let begins = unit(&line);
        let is_vets = begins.is_none() && line.starts_with(b"# [");
        if let (true, Some(package)) = (is_vets && self.held.is_some(), &self.unit) {
            let unit = vets_unit(package, has_inner_tests);
            if let Some(block) = self.blocks.last_mut()
                && block.unit == self.unit
            {
                block.unit = Some(unit.clone());
            }
            self.unit = Some(unit);
        }
        let mut shown: Vec<BuildLine> = self.rest().into_iter().collect();
        let is_block = begins.is_some();
        self.unit = begins.or(self.unit.take());
        self.keep(&line);
        if is_block {
            self.held = Some(line);
        } else {
            let is_gos = line.starts_with(b"go: ");
            shown.push(BuildLine {
                unit: self.unit.clone().filter(|_| !is_gos),
                text: line,
            });
        }
        shown
    }

    /// Returns the line that is not shown yet.
    pub fn rest(&mut self) -> Option<BuildLine> {
        let text = self.held.take()?;
        let unit = self.unit.clone();
        Some(BuildLine { unit, text })
    }

    fn keep(&mut self, line: &[u8]) {
        if let Some(package) = headed(line)
            && self
                .blocks
                .last()
                .is_none_or(|block| block.package != package)
        {
            self.blocks.push(PackageOutput {
                package,
                unit: self.unit.clone(),
                text: Vec::new(),
            });
        }
        if self.bytes + line.len() > BLOCKS_BYTES_MAX {
            return;
        }
        if let Some(block) = self.blocks.last_mut() {
            self.bytes += line.len() + 1;
            block.text.extend_from_slice(line);
            block.text.push(b'\n');
        }
    }

    /// Returns whether there is output about a package.
    pub fn has(&self, package: &str) -> bool {
        self.blocks.iter().any(|block| block.package == package)
    }

    /// Returns the output about a package. If there is none, the error is in a dependency that Go has
    /// not named, so all output is returned.
    pub fn of(&self, package: &str) -> PackageErrors {
        let any_own = self.has(package);
        let blocks = || {
            let all = self.blocks.iter();
            all.filter(move |block| !any_own || block.package == package)
        };
        PackageErrors {
            text: blocks()
                .flat_map(|block| block.text.iter().copied())
                .collect(),
            unit: blocks().find_map(|block| block.unit.clone()),
        }
    }
}

/// Returns what a block is about, in Go's words, from its first line. vet's second line, with the
/// package in brackets, only repeats it.
fn unit(line: &[u8]) -> Option<String> {
    let line = std::str::from_utf8(line).ok()?;
    let unit = line.strip_prefix("# ")?;
    (!unit.starts_with('[')).then(|| unit.to_owned())
}

/// Returns what vet's block about a package is about, in Go's words: vet names the package, and checks
/// the variant of it that the tests use.
fn vets_unit(package: &str, has_inner_tests: impl Fn(&str) -> bool) -> String {
    match package.strip_suffix("_test") {
        Some(tested) => format!("{package} [{tested}.test]"),
        None if has_inner_tests(package) => format!("{package} [{package}.test]"),
        None => package.to_owned(),
    }
}

/// Returns the package in a block's first line. Its test variants count as the package itself.
fn headed(line: &[u8]) -> Option<String> {
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.strip_prefix("# ")?.split(' ');
    let first = words.next()?;
    let package = match words.next() {
        Some(variant) => variant
            .strip_prefix('[')?
            .strip_suffix(']')?
            .trim_end_matches(".test"),
        // vet also prints the package's name in brackets.
        None => first
            .strip_prefix('[')
            .and_then(|first| first.strip_suffix(']'))
            .unwrap_or(first),
    };
    Some(package.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_packages_end_is_read() {
        let end = |line: &str| {
            let end = package_end(line)?;
            Some((end.package, end.fate))
        };
        let failed = |reason: &str| PackageStatus::Failed(reason.to_owned());
        for (line, package, fate) in [
            (
                "ok  \texample.com/a\t0.012s",
                "example.com/a",
                PackageStatus::Built,
            ),
            (
                "?   \texample.com/b\t[no test files]",
                "example.com/b",
                PackageStatus::WithoutTests,
            ),
            (
                "FAIL\texample.com/c [build failed]",
                "example.com/c",
                failed("build failed"),
            ),
            (
                "FAIL\t./nope [setup failed]",
                "./nope",
                failed("setup failed"),
            ),
            (
                "FAIL\texample.com/d\t0.003s",
                "example.com/d",
                failed("not handed over"),
            ),
        ] {
            assert_eq!(end(line), Some((package.to_owned(), fate)), "{line}");
        }
        for line in ["FAIL", "PASS", "", "go: downloading x v1", "\tx"] {
            assert_eq!(end(line), None, "{line}");
        }
    }

    #[test]
    fn what_is_said_is_kept_with_its_package() {
        let mut blocks = PackageOutputs::default();
        let said = "go: downloading x\n\
                    # example.com/a [example.com/a.test]\n./a_test.go:3:1: oh\n\
                    # example.com/b\n# [example.com/b]\nvet: ./b.go:1:1: no\n\
                    # example.com/a_test [example.com/a.test]\n./x_test.go:9:9: ah\n";
        let mut shown = Vec::new();
        for line in said.lines() {
            shown.extend(blocks.line(line.into(), |package| package == "example.com/b"));
        }
        shown.extend(blocks.rest());
        let of = |package: &str| String::from_utf8(blocks.of(package).text).unwrap();
        assert_eq!(
            of("example.com/a"),
            "# example.com/a [example.com/a.test]\n./a_test.go:3:1: oh\n\
             # example.com/a_test [example.com/a.test]\n./x_test.go:9:9: ah\n"
        );
        assert_eq!(
            of("example.com/b"),
            "# example.com/b\n# [example.com/b]\nvet: ./b.go:1:1: no\n"
        );
        assert_eq!(of("example.com/needs-a").lines().count(), 7);
        let a = "example.com/a [example.com/a.test]";
        let b = "example.com/b [example.com/b.test]";
        for (package, unit) in [("a", a), ("b", b), ("needs-a", a)] {
            let package = format!("example.com/{package}");
            assert_eq!(blocks.of(&package).unit.as_deref(), Some(unit));
        }
        let a_test = "example.com/a_test [example.com/a.test]";
        let units: Vec<&str> = shown
            .iter()
            .map(|line| line.unit.as_deref().unwrap_or_default())
            .collect();
        assert_eq!(units, ["", a, a, b, b, b, a_test, a_test]);
        let lines = shown.iter().map(|line| line.text.as_slice());
        assert!(lines.eq(said.lines().map(str::as_bytes)));
    }
}
