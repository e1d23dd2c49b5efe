//! The variables of `cargo nextest` that tests and libraries look for.
//!
//! They hold here as well: each test has a process of its own. The name and the group of a test are
//! added when it is submitted (`maelstrom_engine::run`), since the tests of a binary share this
//! environment. Left out is what says how the tests are run rather than what they are: the number of
//! threads, the version.

use std::collections::BTreeMap;

use cargo_metadata::camino::{Utf8Path, Utf8PathBuf};

use super::set;
use crate::sandbox::invocation::ProcessEnvironment;

/// What nextest's variables say about a test binary.
pub struct NextestIdentity<'a> {
    /// The id of the binary in filtersets.
    pub binary_id: &'a str,
    /// The profile of the run.
    pub profile: &'a str,
    pub workspace_root: &'a Utf8Path,
    /// The package's programs, as in `CARGO_BIN_EXE_*`.
    pub programs: &'a BTreeMap<String, Utf8PathBuf>,
}

/// Adds nextest's variables.
pub fn add_nextest_variables(variables: &mut ProcessEnvironment, identity: &NextestIdentity<'_>) {
    set(variables, "NEXTEST", "1");
    set(variables, "NEXTEST_EXECUTION_MODE", "process-per-test");
    set(variables, "NEXTEST_PROFILE", identity.profile);
    set(variables, "NEXTEST_BINARY_ID", identity.binary_id);
    let root = identity.workspace_root.as_str();
    set(variables, "NEXTEST_WORKSPACE_ROOT", root);
    for (name, path) in identity.programs {
        // Shells drop variables with hyphens in their names.
        let name = format!("NEXTEST_BIN_EXE_{}", name.replace('-', "_"));
        set(variables, name, path.as_str());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binary_has_what_nextest_tells_it() {
        let mut variables = ProcessEnvironment::new();
        let programs = BTreeMap::from([("my-tool".to_owned(), "/w/target/debug/my-tool".into())]);
        let identity = NextestIdentity {
            binary_id: "my-pkg::cli",
            profile: "ci",
            workspace_root: Utf8Path::new("/w"),
            programs: &programs,
        };
        add_nextest_variables(&mut variables, &identity);
        let lines: Vec<String> = variables
            .iter()
            .map(|(name, value)| format!("{}={}", name.display(), value.display()))
            .collect();
        assert_eq!(
            lines,
            [
                "NEXTEST=1",
                "NEXTEST_BINARY_ID=my-pkg::cli",
                "NEXTEST_BIN_EXE_my_tool=/w/target/debug/my-tool",
                "NEXTEST_EXECUTION_MODE=process-per-test",
                "NEXTEST_PROFILE=ci",
                "NEXTEST_WORKSPACE_ROOT=/w",
            ]
        );
    }
}
