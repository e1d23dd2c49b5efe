//! The options for the tests that depend on changed files: `--changed-since` and `--changed-ignore`.

use std::path::Path;
use std::str::FromStr;

use clap::Args;
use globset::{GlobBuilder, GlobMatcher};

use super::help_order;
use maelstrom_spec::config::{ConfigOption, ConfigOptionKind};

/// The options about changed files that can also be set by variables and configuration files.
pub(crate) const CHANGED_VALUES: [ConfigOption; 2] = [
    ConfigOption::new("changed-since", ConfigOptionKind::Text),
    ConfigOption::new("changed-ignore", ConfigOptionKind::List),
];

/// The tests that depend on changed files.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Running")]
pub struct ChangedSettings {
    /// Run only the tests that depend on files that changed since this commit of git, uncommitted and
    /// untracked files included
    #[arg(
        long,
        value_name = "COMMIT",
        display_order = help_order::STOP_AFTER + 7
    )]
    pub changed_since: Option<String>,

    /// Files on which no test depends, for --changed-since: a name with wildcards, such as *.md, or a
    /// path from the repository's top, such as docs/**; may be repeated
    #[arg(
        long,
        value_name = "GLOB",
        display_order = help_order::STOP_AFTER + 8
    )]
    pub changed_ignore: Vec<ChangedIgnoreOption>,
}

/// A pattern of files on which no test depends.
#[derive(Clone, Debug)]
pub struct ChangedIgnoreOption {
    matcher: GlobMatcher,
    /// Whether it is compared with the names of files alone, in any directory.
    is_name: bool,
}

impl FromStr for ChangedIgnoreOption {
    type Err = String;

    fn from_str(text: &str) -> Result<ChangedIgnoreOption, String> {
        let from_top = text.strip_prefix('/').unwrap_or(text);
        if from_top.is_empty() {
            return Err("a pattern such as *.md or docs/** is expected".to_owned());
        }
        let glob = GlobBuilder::new(from_top).literal_separator(true).build();
        let glob = glob.map_err(|error| error.kind().to_string())?;
        Ok(ChangedIgnoreOption {
            matcher: glob.compile_matcher(),
            is_name: !text.contains('/'),
        })
    }
}

impl ChangedSettings {
    /// Returns whether no test depends on a file. Its path starts at the top of the repository.
    pub(crate) fn leaves_out(&self, path: &Path) -> bool {
        let name = path.file_name().map_or(path, Path::new);
        self.changed_ignore.iter().any(|pattern| {
            let subject = if pattern.is_name { name } else { path };
            pattern.matcher.is_match(subject)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_about_names_or_about_paths_from_the_top() {
        for (pattern, path, expected) in [
            ("*.md", "README.md", true),
            ("*.md", "a/b/README.md", true),
            ("*.md", "a/README.rst", false),
            ("/*.md", "README.md", true),
            ("/*.md", "a/README.md", false),
            ("docs/**", "docs/a/b.md", true),
            ("docs/**", "a/docs/b.md", false),
            ("docs/*", "docs/a/b.md", false),
            ("LICENSE", "a/LICENSE", true),
            ("{docs,site}/**", "site/x", true),
        ] {
            let settings = ChangedSettings {
                changed_since: None,
                changed_ignore: vec![pattern.parse().unwrap()],
            };
            let leaves_out = settings.leaves_out(Path::new(path));
            assert_eq!(leaves_out, expected, "{pattern} {path}");
        }
        assert!(!ChangedSettings::default().leaves_out(Path::new("a")));
        for wrong in ["", "/", "a{b", "[", "a/[z-a]"] {
            assert!(wrong.parse::<ChangedIgnoreOption>().is_err(), "{wrong}");
        }
    }
}
