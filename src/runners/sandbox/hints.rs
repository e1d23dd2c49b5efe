//! Guesses from a failed test's output what its container lacks. A hint is at most one line, and
//! there is none without evidence.

use std::path::Path;

/// The number of bytes at the end of each output stream that are searched.
const LOOKED_AT_BYTES: usize = 16 * 1024;

/// Error messages of programs and libraries that need a network.
const NETWORK: [&str; 8] = [
    "Network is unreachable",
    "Temporary failure in name resolution",
    "Could not resolve host",
    "failed to lookup address information",
    "network is unreachable",
    "dns error",
    // Go's resolver queries the name server in `/etc/resolv.conf` itself.
    " on 127.0.0.1:53: ",
    "module lookup disabled by GOPROXY=off",
];

/// Cargo's error messages about a package that was never downloaded. Containers set
/// `CARGO_NET_OFFLINE`.
const NOT_FETCHED: [&str; 2] = ["you're using offline mode", "but --offline was specified"];

/// Git's error messages if `user.name` and `user.email` are missing, which are usually configured
/// in the home directory.
const IDENTITY: [&str; 3] = [
    "Please tell me who you are",
    "Author identity unknown",
    "unable to auto-detect email address",
];

/// Error messages about a file that does not exist.
const ABSENCE: [&str; 3] = [
    "No such file or directory",
    "no such file or directory",
    "cannot execute: required file not found",
];

/// Directories that every container has, as on the host or private. A missing path below them is
/// not a sign that a mount is missing.
const SHOWN: [&str; 11] = [
    "/bin", "/dev", "/lib", "/lib64", "/nix", "/opt", "/proc", "/sbin", "/sys", "/tmp", "/usr",
];

/// Error messages of shells about a program that is not on `PATH`.
const NO_COMMAND: [&str; 2] = [": command not found", ": not found"];

/// Go's error message about a program that is not on `PATH`, after the program's name in quotes.
const NO_EXECUTABLE: &str = "\": executable file not found in $PATH";

/// Returns a hint about what the container may lack and how to add it. `outputs` are the captured
/// stdout and stderr, `file` is the name of the project's specification file, and `exists` returns
/// whether a file exists on the host.
pub fn hint(outputs: [&[u8]; 2], file: &str, exists: impl Fn(&Path) -> bool) -> Option<String> {
    let texts = outputs.map(|bytes| {
        let end = bytes.len().saturating_sub(LOOKED_AT_BYTES);
        String::from_utf8_lossy(bytes.split_at(end).1).into_owned()
    });
    let lines = || texts.iter().flat_map(|text| text.lines());
    let says = |signs: &[&str]| lines().any(|line| signs.iter().any(|sign| line.contains(sign)));
    if says(&NOT_FETCHED) {
        return Some(
            "the container has no network but loopback, so that cargo works offline there; \
             `cargo fetch` downloads what the project's lock file names"
                .to_owned(),
        );
    }
    if says(&NETWORK) {
        return Some(format!(
            "the container has no network but loopback; `network = \"local\"` in {file} gives it \
             this machine's"
        ));
    }
    if says(&IDENTITY) {
        return Some(format!(
            "the container has an empty home directory; `added_environment` in {file} can set \
             GIT_AUTHOR_NAME and its like"
        ));
    }
    let absent = lines().filter(|line| ABSENCE.iter().any(|sign| line.contains(sign)));
    let path = absent
        .flat_map(paths)
        .filter(|path| path.components().count() > 2)
        .filter(|path| !SHOWN.iter().any(|shown| path.starts_with(shown)))
        .find(|path| exists(path));
    if let Some(path) = path {
        return Some(format!(
            "the container may lack {}, which is on this machine; `added_mounts` in {file} can \
             show it",
            path.display()
        ));
    }
    let missing = lines().find_map(|line| {
        if let Some((before, _)) = line.split_once(NO_EXECUTABLE) {
            let (_, word) = before.rsplit_once('"')?;
            return Some(word.to_owned());
        }
        let before = NO_COMMAND.iter().find_map(|sign| line.strip_suffix(sign))?;
        let shell = before.split(": ").next()?.rsplit('/').next()?;
        let word = before.rsplit(": ").next().filter(|word| *word != before)?;
        // `sh: 1: tool: not found`
        (shell.ends_with("sh") && !word.contains(' ')).then(|| word.to_owned())
    });
    missing.map(|word| {
        format!(
            "the container has no program `{word}`; it has those along PATH as it is here, and \
             `added_mounts` in {file} can show more"
        )
    })
}

/// Returns the absolute paths in a line of output.
fn paths(line: &str) -> impl Iterator<Item = &Path> {
    let ends = |character: char| character.is_whitespace() || "\"'`,;:()[]{}<>".contains(character);
    line.split(ends)
        .filter(|word| word.starts_with('/'))
        .map(Path::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hinted(text: &str) -> String {
        let exists =
            |path: &Path| path == Path::new("/home/u/data.bin") || path.starts_with("/usr");
        hint([b"", text.as_bytes()], "FILE", exists).unwrap_or_else(|| "-".to_owned())
    }

    #[test]
    fn a_sign_gives_one_line_and_no_sign_gives_none() {
        let lines = [
            "assertion failed: left == right",
            "Os { code: 101, kind: NetworkUnreachable, message: \"Network is unreachable\" }",
            "curl: (6) Could not resolve host: example.org",
            "*** Please tell me who you are.",
            "cannot open \"/home/u/data.bin\": No such file or directory (os error 2)",
            "cannot open \"/home/u/other.bin\": No such file or directory (os error 2)",
            "No such file or directory (os error 2)",
            "/usr/bin/ld: cannot find -lx: No such file or directory",
            "sh: 1: frobnicate: not found",
            "bash: line 1: frobnicate: command not found",
            "the key was: not found",
            "404: not found",
            "dial tcp: lookup example.org on 127.0.0.1:53: read udp: connection refused",
            "example.org/x@v1.0.0: module lookup disabled by GOPROXY=off",
            "open /home/u/data.bin: no such file or directory",
            "    a_test.go:7: exec: \"frobnicate\": executable file not found in $PATH",
            "executable file not found in $PATH",
            "As a reminder, you're using offline mode (--offline) which can sometimes cause",
            "  attempting to make an HTTP request, but --offline was specified",
        ]
        .map(hinted);
        insta::assert_snapshot!(lines.join("\n"), @r#"
        -
        the container has no network but loopback; `network = "local"` in FILE gives it this machine's
        the container has no network but loopback; `network = "local"` in FILE gives it this machine's
        the container has an empty home directory; `added_environment` in FILE can set GIT_AUTHOR_NAME and its like
        the container may lack /home/u/data.bin, which is on this machine; `added_mounts` in FILE can show it
        -
        -
        -
        the container has no program `frobnicate`; it has those along PATH as it is here, and `added_mounts` in FILE can show more
        the container has no program `frobnicate`; it has those along PATH as it is here, and `added_mounts` in FILE can show more
        -
        -
        the container has no network but loopback; `network = "local"` in FILE gives it this machine's
        the container has no network but loopback; `network = "local"` in FILE gives it this machine's
        the container may lack /home/u/data.bin, which is on this machine; `added_mounts` in FILE can show it
        the container has no program `frobnicate`; it has those along PATH as it is here, and `added_mounts` in FILE can show more
        -
        the container has no network but loopback, so that cargo works offline there; `cargo fetch` downloads what the project's lock file names
        the container has no network but loopback, so that cargo works offline there; `cargo fetch` downloads what the project's lock file names
        "#);
    }
}
