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
}

#[derive(Clone, Debug)]
struct PackageOutput {
    package: String,
    text: Vec<u8>,
}

impl PackageOutputs {
    /// Processes a line of stderr, without its newline.
    pub fn line(&mut self, line: &[u8]) {
        if let Some(package) = headed(line)
            && self
                .blocks
                .last()
                .is_none_or(|block| block.package != package)
        {
            self.blocks.push(PackageOutput {
                package,
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

    /// Returns the output about a package. If there is none, the error is in a dependency, so all
    /// output is returned.
    pub fn of(&self, package: &str) -> Vec<u8> {
        let own = || self.blocks.iter().filter(|block| block.package == package);
        match own().next() {
            Some(_) => own().flat_map(|block| block.text.iter().copied()).collect(),
            None => {
                let all = self.blocks.iter();
                all.flat_map(|block| block.text.iter().copied()).collect()
            }
        }
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
        for line in said.lines() {
            blocks.line(line.as_bytes());
        }
        let of = |package: &str| String::from_utf8(blocks.of(package)).unwrap();
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
    }
}
