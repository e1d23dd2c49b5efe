//! The value of `GOFLAGS`: the variable, or what `go env -w` stored for it.
//!
//! Go is not run for this, which would delay the start of every run. `GOROOT/go.env`, which an
//! installation may contain, is checked later, when Go runs for other reasons.

use std::path::PathBuf;

use maelstrom_spec::config::ConfigEnvironment;

const NAME: &str = "GOFLAGS";

/// Returns the effective flags as one text; empty if there are none.
pub(crate) fn go_flags(system: &impl ConfigEnvironment) -> String {
    let variable = |name: &str| {
        let value = system.variable(name)?.into_string().ok()?;
        // Go treats an empty variable as unset.
        Some(value).filter(|value| !value.is_empty())
    };
    let written = || {
        let path = match variable("GOENV") {
            Some(off) if off == "off" => return None,
            Some(path) => PathBuf::from(path),
            None => {
                let home = || Some(PathBuf::from(variable("HOME")?).join(".config"));
                let configuration = variable("XDG_CONFIG_HOME").map(PathBuf::from);
                configuration.or_else(home)?.join("go/env")
            }
        };
        let text = system.read(&path).ok()?;
        let value = |line: &str| {
            line.strip_prefix(NAME)?
                .strip_prefix('=')
                .map(str::to_owned)
        };
        // Go uses the last of several lines.
        text.lines().filter_map(value).next_back()
    };
    variable(NAME).or_else(written).unwrap_or_default()
}

/// Splits a text into flags as Go does: at spaces, except inside single or double quotes
/// (`cmd/internal/quoted` in Go's sources).
pub(crate) fn split(text: &str) -> Vec<&str> {
    let mut flags = Vec::new();
    let mut rest = text.trim_ascii_start();
    while let Some(first) = rest.chars().next() {
        let (flag, after) = match first {
            '\'' | '"' => {
                let inner = rest.get(1..).unwrap_or_default();
                // Go itself rejects an unclosed quote.
                inner.split_once(first).unwrap_or((inner, ""))
            }
            _ => rest.split_at(
                rest.find(|c: char| c.is_ascii_whitespace())
                    .unwrap_or(rest.len()),
            ),
        };
        flags.push(flag);
        rest = after.trim_ascii_start();
    }
    flags
}

/// Returns the text that Go splits into these flags.
pub(crate) fn join(flags: &[&str]) -> String {
    let quoted = flags.iter().map(|flag| {
        let needs_quotes = flag.is_empty()
            || flag.contains(|c: char| c.is_ascii_whitespace() || "'\"".contains(c));
        match (needs_quotes, flag.contains('\'')) {
            (false, _) => (*flag).to_owned(),
            (true, false) => format!("'{flag}'"),
            (true, true) => format!("\"{flag}\""),
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::ffi::OsString;
    use std::io;
    use std::path::Path;

    struct World {
        variables: &'static [(&'static str, &'static str)],
        files: BTreeMap<&'static str, &'static str>,
    }

    impl ConfigEnvironment for World {
        fn variable(&self, name: &str) -> Option<OsString> {
            let found = self.variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.into())
        }

        fn variable_names(&self) -> Vec<OsString> {
            Vec::new()
        }

        fn read(&self, path: &Path) -> io::Result<String> {
            let found = path.to_str().and_then(|path| self.files.get(path));
            found.map_or(Err(io::ErrorKind::NotFound.into()), |text| {
                Ok((*text).to_owned())
            })
        }
    }

    #[test]
    fn flags_may_be_quoted_as_go_quotes_them() {
        for (text, flags) in [
            ("", &[] as &[&str]),
            ("  -a\t-b=c ", &["-a", "-b=c"]),
            (
                "'-ldflags=-X a=b -run=x' -race",
                &["-ldflags=-X a=b -run=x", "-race"],
            ),
            ("\"-tags=it's\" -v", &["-tags=it's", "-v"]),
            // Only a quote at the beginning of a flag counts.
            ("-ldflags='-X a=b'", &["-ldflags='-X", "a=b'"]),
            ("'-a b", &["-a b"]),
        ] {
            assert_eq!(split(text), flags, "{text}");
            assert_eq!(split(&join(flags)), flags, "{text}");
        }
    }

    #[test]
    fn the_variable_wins_against_what_was_written_down() {
        let files: BTreeMap<_, _> = [
            ("/h/.config/go/env", "GOFLAGSX=-a\nGOFLAGS=-race\r\n"),
            ("/x/go/env", "# x\n\nGOPROXY=off\nGOFLAGS=-short -run=A\n"),
            ("/own", "GOFLAGS=-v"),
        ]
        .into();
        for (variables, expected) in [
            (&[][..], ""),
            (&[("HOME", "/h")], "-race"),
            (
                &[("HOME", "/h"), ("XDG_CONFIG_HOME", "/x")],
                "-short -run=A",
            ),
            (&[("HOME", "/h"), ("GOENV", "/own")], "-v"),
            (&[("HOME", "/h"), ("GOENV", "off")], ""),
            (&[("HOME", "/h"), ("GOFLAGS", "")], "-race"),
            (&[("HOME", "/h"), ("GOFLAGS", "-tags=x")], "-tags=x"),
            (&[("HOME", "/nowhere")], ""),
        ] {
            let files = files.clone();
            assert_eq!(
                go_flags(&World { variables, files }),
                expected,
                "{variables:?}"
            );
        }
    }
}
