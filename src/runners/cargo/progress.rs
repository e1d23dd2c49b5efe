//! Parses cargo's progress bar, and the line at the end of a build.
//!
//! Nothing else reports the number of units in a build. Cargo does not guarantee the format, so a
//! line that does not match is ordinary output.

/// The progress of a build, in units of compilation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CargoProgress {
    pub done: u32,
    pub total: u32,
    /// The names of the units that are being built.
    pub current: String,
}

/// Parses a line such as `    Building [===>    ] 3/57: serde, toml(build)`, with or without
/// colors.
pub fn parse_progress(line: &[u8]) -> Option<CargoProgress> {
    // The bar may follow escape sequences that erase the previous one.
    let text = without_colors(std::str::from_utf8(line).ok()?);
    let bar = text.trim_start().strip_prefix("Building")?;
    let (_, after) = bar.trim_start().strip_prefix('[')?.split_once(']')?;
    let (count, current) = match after.split_once(':') {
        Some((count, current)) => (count, current),
        None => (after, ""),
    };
    let (done, total) = count.trim().split_once('/')?;
    Some(CargoProgress {
        done: done.parse().ok()?,
        total: total.parse().ok()?,
        current: current.trim().to_owned(),
    })
}

/// Returns the text without the escape sequences that color it or erase a line.
pub(super) fn without_colors(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        rest = after
            .find(|character: char| character.is_ascii_alphabetic())
            .and_then(|end| after.get(end + 1..))
            .unwrap_or("");
    }
    plain.push_str(rest);
    plain
}

/// Returns whether a line of output is the last one of a successful build, which names the profile.
pub(super) fn is_end_of_build(line: &[u8]) -> bool {
    let line = without_colors(&String::from_utf8_lossy(line));
    line.trim_start().starts_with("Finished `")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_build_is_told_from_other_lines() {
        for (line, expected) in [
            (
                "    Finished `dev` profile [unoptimized] target(s) in 0.1s\n",
                true,
            ),
            (
                "\u{1b}[1m\u{1b}[92m    Finished\u{1b}[0m `dev` profile\n",
                true,
            ),
            ("   Doc-tests finished\n", false),
            ("warning: Finished `dev`\n", false),
        ] {
            assert_eq!(is_end_of_build(line.as_bytes()), expected, "{line:?}");
        }
    }

    fn progress(done: u32, total: u32, current: &str) -> Option<CargoProgress> {
        Some(CargoProgress {
            done,
            total,
            current: current.to_owned(),
        })
    }

    #[test]
    fn bars_are_read_with_and_without_colors() {
        let plain = b"    Building [===>      ] 3/57: serde, toml(build)...        ";
        assert_eq!(
            parse_progress(plain),
            progress(3, 57, "serde, toml(build)...")
        );
        let colored = "\u{1b}[K\u{1b}[1m\u{1b}[36m    Building\u{1b}[0m [>   ] 0/2: a          ";
        assert_eq!(parse_progress(colored.as_bytes()), progress(0, 2, "a"));
        assert_eq!(parse_progress(b"Building [=====] 5/5"), progress(5, 5, ""));
    }

    #[test]
    fn other_lines_are_no_progress() {
        for line in [
            &b"   Compiling serde v1.0.0"[..],
            b"    Building [==>",
            b"    Building [==> ] x/2: a",
            b"    Building [==> ] 1: a",
            b"Building a house",
            b"\xff",
            b"\x1b[",
            b"",
        ] {
            assert_eq!(parse_progress(line), None, "{line:?}");
        }
    }
}
