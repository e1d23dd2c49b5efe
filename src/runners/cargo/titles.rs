//! Names tests after their packages and targets.

use super::metadata::CargoPackage;
use super::target::{PackageTarget, TargetKind, kind_word};

impl PackageTarget {
    /// Returns the name of this target in the titles of its tests: `None` if it has the package's
    /// name. If two targets of the package would have the same name, all but the library include
    /// their kind.
    pub fn label(&self, package: &CargoPackage) -> Option<String> {
        let called = |target: &PackageTarget| same_name(&target.name, package.name());
        let alike = package
            .tested_targets()
            .filter(|other| other != self)
            .any(|other| other.name == self.name || (called(&other) && called(self)));
        match (self.kind, alike) {
            // A package has one library at most.
            (TargetKind::Doctest, _) => Some(format!("({})", kind_word(self.kind))),
            (TargetKind::Library, _) | (_, false) => (!called(self)).then(|| self.name.clone()),
            (_, true) => Some(self.to_string()),
        }
    }

    /// Returns the line of `--list-binaries` for this target.
    pub fn listing_line(&self, package: &CargoPackage) -> String {
        let kind = kind_word(self.kind);
        if same_name(&self.name, package.name()) {
            format!("{} ({kind})", package.name())
        } else {
            format!("{} {} ({kind})", package.name(), self.name)
        }
    }
}

/// Returns whether a target has its package's name. A crate's name has `_` where the package's has
/// `-`.
fn same_name(target: &str, package: &str) -> bool {
    target.replace('-', "_") == package.replace('-', "_")
}

/// Makes the titles of one target's tests.
#[derive(Clone, Debug)]
pub struct TargetTitles {
    package: String,
    label: Option<String>,
    artifact: String,
}

impl TargetTitles {
    /// Returns the titles of a package's target.
    pub fn new(package: &CargoPackage, target: &PackageTarget) -> TargetTitles {
        TargetTitles {
            package: package.name().to_owned(),
            label: target.label(package),
            artifact: target.to_string(),
        }
    }

    /// Returns the title of a test: package, target if necessary, case. A case with a space could
    /// be mistaken for a target and a case, so then the target is always included.
    pub fn of_case(&self, case: &str) -> String {
        let package = &self.package;
        match &self.label {
            Some(label) => format!("{package} {label} {case}"),
            None if case.contains(char::is_whitespace) => {
                format!("{package} {} {case}", self.artifact)
            }
            None => format!("{package} {case}"),
        }
    }

    /// Returns the title of the target itself.
    pub fn of_target(&self) -> String {
        format!("{} {}", self.package, self.artifact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, targets: &[(&str, &str)]) -> CargoPackage {
        let targets: Vec<_> = targets
            .iter()
            .map(|(name, kind)| {
                serde_json::json!({
                    "name": name, "kind": [kind], "crate_types": ["bin"], "src_path": "/p/x.rs",
                    "edition": "2024", "doctest": false, "test": true, "doc": true,
                })
            })
            .collect();
        let metadata = serde_json::json!({
            "name": name, "version": "1.0.0", "id": "path+file:///p#1.0.0", "dependencies": [],
            "targets": targets, "features": {}, "manifest_path": "/p/Cargo.toml",
            "edition": "2024",
        });
        CargoPackage {
            metadata: serde_json::from_value(metadata).unwrap(),
            rust_version: None,
        }
    }

    #[test]
    fn a_target_is_named_where_its_package_is_not_enough() {
        let lone = package(
            "my-lib",
            &[("my_lib", "lib"), ("cli", "test"), ("b", "bench")],
        );
        let twins = package(
            "twin",
            &[("twin", "lib"), ("twin", "bin"), ("twin", "test")],
        );
        let macros = package("derive", &[("derive", "proc-macro"), ("ex", "example")]);
        let lines: Vec<String> = [&lone, &twins, &macros]
            .into_iter()
            .flat_map(|package| {
                package.tested_targets().map(|target| {
                    let titles = TargetTitles::new(package, &target);
                    [
                        titles.of_case("a::b"),
                        titles.of_case("a b"),
                        titles.of_target(),
                        target.listing_line(package),
                    ]
                    .join(" | ")
                })
            })
            .collect();
        insta::assert_snapshot!(lines.join("\n"), @"
        my-lib a::b | my-lib my_lib(library) a b | my-lib my_lib(library) | my-lib (library)
        my-lib cli a::b | my-lib cli a b | my-lib cli(test) | my-lib cli (test)
        my-lib b a::b | my-lib b a b | my-lib b(benchmark) | my-lib b (benchmark)
        twin a::b | twin twin(library) a b | twin twin(library) | twin (library)
        twin twin(binary) a::b | twin twin(binary) a b | twin twin(binary) | twin (binary)
        twin twin(test) a::b | twin twin(test) a b | twin twin(test) | twin (test)
        derive a::b | derive derive(library) a b | derive derive(library) | derive (library)
        derive ex a::b | derive ex a b | derive ex(example) | derive ex (example)
        ");
    }
}
