//! Builds the command lines for the collection and for tests.
//!
//! ```text
//! PYTHON /run/maelstrom/runner.py collect WHAT SECONDS ARGUMENT...
//! PYTHON /run/maelstrom/runner.py test NODEID WHICH PATH ARGUMENT...
//! PYTHON /run/maelstrom/runner.py together NUMBER TESTS... PATH... ARGUMENT...
//! PYTHON /run/maelstrom/runner.py serve WHAT SECONDS ARGUMENT...
//! ```
//!
//! A test's node id depends on pytest's root directory. pytest derives that directory and its
//! configuration file from the files that it collects, so tests are passed both as the collection
//! determined them.
//!
//! Paths that are not the user's own come first: a word after the user's last option could be its
//! value. Pure.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::sandbox::invocation::ColorMode;

use super::collection::{CollectionSession, PytestItem};
use super::options::PytestArguments;
use super::words::WordRole;

/// The inputs that all command lines share.
#[derive(Clone, Copy, Debug)]
pub struct CommandLines<'a> {
    pub runner: &'a Path,
    /// The user's arguments for pytest.
    pub pytest: &'a PytestArguments,
    /// The directory for whose files the collection says what they import, if it does.
    pub imports: Option<&'a Path>,
    /// Whether pytest colors its output.
    pub colors: ColorMode,
}

impl CommandLines<'_> {
    /// Returns the arguments that make pytest collect, without the files in `ignored`, and with a
    /// time limit for each of the others.
    pub fn collect(&self, ignored: &[PathBuf], limit: Option<Duration>) -> Vec<OsString> {
        self.session(self.mode("collect", ignored, limit))
    }

    /// Returns the arguments that make a process collect like [`Self::collect`] and then fork a
    /// process for each test.
    pub fn serve(&self, ignored: &[PathBuf], limit: Option<Duration>) -> Vec<OsString> {
        self.session(self.mode("serve", ignored, limit))
    }

    fn session(&self, mut words: Vec<OsString>) -> Vec<OsString> {
        words.push(color(self.colors));
        self.all(&mut words);
        words
    }

    /// Adds all words of the user, in their order.
    fn all(&self, words: &mut Vec<OsString>) {
        let roles = [WordRole::Always, WordRole::Collecting, WordRole::Path];
        words.extend(self.pytest.typed(&roles).cloned());
        words.extend(self.pytest.always.iter().cloned());
        words.extend(self.pytest.collecting.iter().cloned());
        words.extend(self.pytest.paths.iter().cloned());
    }

    /// Adds the user's options for tests.
    fn options(&self, words: &mut Vec<OsString>) {
        words.extend(self.pytest.typed(&[WordRole::Always]).cloned());
        words.extend(self.pytest.always.iter().cloned());
    }

    /// Returns the arguments that make pytest run a group of tests in one session, with `directory`
    /// as its working directory.
    pub fn together(
        &self,
        session: &CollectionSession,
        tests: &[String],
        files: &[&PytestItem],
        directory: &Path,
    ) -> Vec<OsString> {
        let mut words = vec![self.runner.into(), "together".into()];
        words.extend(tests.iter().map(OsString::from));
        words.extend(files.iter().map(|test| {
            let file = test.node.split("::").next().unwrap_or_default();
            argument(session, file, directory)
        }));
        words.push(color(self.colors));
        match files {
            [] => self.all(&mut words),
            _ => {
                self.options(&mut words);
                words.extend(self.pytest.typed(&[WordRole::Collecting]).cloned());
                words.extend(self.pytest.collecting.iter().cloned());
            }
        }
        // A file that cannot be collected is reported by itself.
        words.push("--continue-on-collection-errors".into());
        // After those of the user, which are relative to another directory.
        words.push(rooted(session.root.as_os_str()));
        if let Some(settings) = &session.settings {
            words.extend(["-c".into(), settings.clone().into_os_string()]);
        }
        words.extend(session.again.iter().map(OsString::from));
        words
    }

    /// Returns the arguments that make a process do nothing: with a fork server, this only starts
    /// the server.
    pub fn nothing(&self) -> Vec<OsString> {
        vec![self.runner.into(), "nothing".into()]
    }

    fn mode(&self, mode: &str, ignored: &[PathBuf], limit: Option<Duration>) -> Vec<OsString> {
        let ignored: Vec<_> = ignored.iter().map(|path| path.to_string_lossy()).collect();
        vec![
            self.runner.into(),
            mode.into(),
            self.what(&ignored).into(),
            // `runner.py` sets no alarm for 0.
            limit.unwrap_or_default().as_secs().to_string().into(),
        ]
    }

    /// Returns what is to be collected, for `runner.py`.
    fn what(&self, ignored: &[Cow<'_, str>]) -> String {
        let imports = self.imports.map(Path::to_string_lossy);
        serde_json::json!({"ignored": ignored, "imports": imports}).to_string()
    }

    /// Returns the arguments that make pytest run one test, with `directory` as its working
    /// directory.
    pub fn test(
        &self,
        session: &CollectionSession,
        test: &PytestItem,
        directory: &Path,
    ) -> Vec<OsString> {
        let path = argument(session, &test.node, directory);
        let mut words = self.one((&test.node, &test.which), path, session.root.as_os_str());
        words.extend(session.again.iter().map(OsString::from));
        if let Some(settings) = &session.settings {
            words.extend(["-c".into(), settings.clone().into_os_string()]);
        }
        self.options(&mut words);
        words
    }

    /// Returns the arguments that make pytest run one test in a container where the working
    /// directory takes the place of `project`, as far as it has the project's files. pytest looks
    /// for a configuration file itself.
    pub fn displaced_test(
        &self,
        session: &CollectionSession,
        test: &PytestItem,
        project: &Path,
    ) -> Vec<OsString> {
        let inside = session.root.strip_prefix(project).unwrap_or(Path::new(""));
        let above = project.strip_prefix(&session.root).ok();
        let node = above
            .and_then(|above| test.node.strip_prefix(above.to_str()?)?.strip_prefix('/'))
            .unwrap_or(&test.node);
        let root = Path::new(".").join(inside);
        let path = inside.join(node).into_os_string();
        let mut words = self.one((node, &test.which), path, root.as_os_str());
        self.options(&mut words);
        words
    }

    fn one(&self, (node, which): (&str, &str), path: OsString, root: &OsStr) -> Vec<OsString> {
        vec![
            self.runner.into(),
            "test".into(),
            node.into(),
            which.into(),
            path,
            color(self.colors),
            rooted(root),
        ]
    }
}

fn rooted(root: &OsStr) -> OsString {
    let mut option = OsString::from("--rootdir=");
    option.push(root);
    option
}

fn color(colors: ColorMode) -> OsString {
    match colors {
        ColorMode::Wanted => "--color=yes".into(),
        ColorMode::Unwanted => "--color=no".into(),
    }
}

/// Returns a test as an argument of pytest. A node id is relative to the root directory, but an
/// argument is relative to the working directory.
fn argument(session: &CollectionSession, node: &str, directory: &Path) -> OsString {
    if session.root == directory {
        return node.into();
    }
    session.root.join(node).into_os_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pytest::words::PytestWord;

    fn shown(words: &[OsString]) -> String {
        let words = words.iter().map(|word| word.to_string_lossy().into_owned());
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn each_list_of_arguments_has_its_place() {
        let word = |role, text: &str| PytestWord {
            role,
            text: text.into(),
        };
        let pytest = PytestArguments {
            typed: vec![
                word(WordRole::Path, "sub"),
                word(WordRole::Always, "--cov"),
                word(WordRole::Always, "src"),
                word(WordRole::Collecting, "--ignore=y"),
            ],
            always: vec!["-s".into(), "--tb=short".into()],
            collecting: vec!["-k".into(), "x".into()],
            paths: vec!["tests".into()],
        };
        let lines = |colors| CommandLines {
            runner: Path::new("/r.py"),
            pytest: &pytest,
            imports: None,
            colors,
        };
        let ignored = [PathBuf::from("a \"b\".py")];
        let limit = Some(Duration::from_secs(9));
        assert_eq!(
            shown(&lines(ColorMode::Unwanted).collect(&ignored, limit)),
            r#"/r.py collect {"ignored":["a \"b\".py"],"imports":null} 9 --color=no sub --cov src --ignore=y -s --tb=short -k x tests"#
        );
        let mut session = CollectionSession {
            root: "/w".into(),
            settings: None,
            deselected: 0,
            again: vec!["--seed=1".to_owned()],
            settled: Vec::new(),
            report: None,
        };
        let test = PytestItem {
            node: "tests/t.py::T::f[a b]".to_owned(),
            nth: 1,
            which: "1,0/2".to_owned(),
            group: None,
            file: "tests/t.py".to_owned(),
            name: "T.f[a b]".to_owned(),
            markers: Vec::new(),
            skip: None,
            testcases: None,
            past: None,
        };
        let run = |session: &CollectionSession| {
            let words = lines(ColorMode::Wanted).test(session, &test, Path::new("/w"));
            shown(&words)
        };
        assert_eq!(
            run(&session),
            "/r.py test tests/t.py::T::f[a b] 1,0/2 tests/t.py::T::f[a b] --color=yes \
             --rootdir=/w --seed=1 --cov src -s --tb=short"
        );
        let together = |session: &CollectionSession, files: &[&PytestItem]| {
            let tests = ["1".to_owned(), "abc".to_owned()];
            shown(&lines(ColorMode::Wanted).together(session, &tests, files, Path::new("/w")))
        };
        let ends = "--continue-on-collection-errors --rootdir=/w --seed=1";
        assert_eq!(
            together(&session, &[]),
            format!(
                "/r.py together 1 abc --color=yes sub --cov src --ignore=y -s --tb=short -k x tests \
                 {ends}"
            )
        );
        assert_eq!(
            together(&session, &[&test]),
            format!(
                "/r.py together 1 abc tests/t.py --color=yes --cov src -s --tb=short --ignore=y \
                 -k x {ends}"
            )
        );
        let displaced = |session: &CollectionSession, project: &str| {
            let words = lines(ColorMode::Wanted).displaced_test(session, &test, Path::new(project));
            shown(words.get(2..).unwrap_or_default())
        };
        for (root, project, node, path, option) in [
            ("/w", "/w", "tests/t.py", "tests/t.py", "./"),
            ("/w", "/w/tests", "t.py", "t.py", "./"),
            ("/w/a", "/w", "tests/t.py", "a/tests/t.py", "./a"),
        ] {
            session.root = root.into();
            let test = "::T::f[a b]";
            assert_eq!(
                displaced(&session, project),
                format!(
                    "{node}{test} 1,0/2 {path}{test} --color=yes --rootdir={option} --cov src -s \
                     --tb=short"
                )
            );
        }
        session.root = "/".into();
        session.settings = Some("/w/tox.ini".into());
        assert_eq!(
            run(&session),
            "/r.py test tests/t.py::T::f[a b] 1,0/2 /tests/t.py::T::f[a b] --color=yes \
             --rootdir=/ --seed=1 -c /w/tox.ini --cov src -s --tb=short"
        );
    }
}
