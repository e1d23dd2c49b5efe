//! Splits the regular expressions of `-run` and `-skip` like Go's testing package.
//!
//! `A/b|C` selects tests that match `A`, and of those the subtests that match `b`, and tests that
//! match `C`, with all their subtests. Slashes and bars within brackets or parentheses don't
//! separate. Each test has its own process here, so the first elements select tests, and the rest
//! is passed to their processes.

use regex::Regex;

/// The parsed value of `-run` or `-skip`.
#[derive(Clone, Debug)]
pub struct RunPattern {
    whole: String,
    alternatives: Vec<PatternAlternative>,
}

#[derive(Clone, Debug)]
struct PatternAlternative {
    test: Regex,
    /// The pattern for subtests: each element with the slash before it.
    subtests: String,
}

/// The error for a pattern that is not a valid regular expression.
#[derive(Debug, thiserror::Error)]
#[error("`{pattern}` is not a regular expression")]
pub struct RunPatternError {
    pattern: String,
    #[source]
    source: regex::Error,
}

impl RunPattern {
    /// Parses a pattern.
    pub fn parse(pattern: &str) -> Result<RunPattern, RunPatternError> {
        let read = |alternative: &str| {
            let end = element_end(alternative, b"/").unwrap_or(alternative.len());
            let (test, subtests) = alternative.split_at(end);
            let test = Regex::new(test).map_err(|source| RunPatternError {
                pattern: test.to_owned(),
                source,
            })?;
            Ok(PatternAlternative {
                test,
                subtests: subtests.to_owned(),
            })
        };
        let mut alternatives = Vec::new();
        let mut rest = pattern;
        while let Some(end) = element_end(rest, b"|") {
            let (alternative, after) = rest.split_at(end);
            alternatives.push(read(alternative)?);
            rest = after.strip_prefix('|').unwrap_or_default();
        }
        alternatives.push(read(rest)?);
        Ok(RunPattern {
            whole: pattern.to_owned(),
            alternatives,
        })
    }

    /// Returns the pattern as the user wrote it.
    pub fn as_written(&self) -> &str {
        &self.whole
    }

    /// For `-run`: returns the pattern that makes a test binary run the selected parts of this
    /// test, or `None` if nothing of it is selected.
    pub fn selecting(&self, test: &str) -> Option<String> {
        let matching = || self.alternatives.iter().filter(|a| a.test.is_match(test));
        matching().next()?;
        // If one alternative selects all subtests, the others make no difference.
        if matching().any(|alternative| alternative.subtests.is_empty()) {
            return Some(exactly(test));
        }
        let parts = matching().map(|a| format!("{}{}", exactly(test), a.subtests));
        Some(parts.collect::<Vec<_>>().join("|"))
    }

    /// For `-skip`: returns whether the test is skipped with all its subtests.
    pub fn leaves_out(&self, test: &str) -> bool {
        let whole = |a: &&PatternAlternative| a.subtests.is_empty();
        let mut alternatives = self.alternatives.iter().filter(whole);
        alternatives.any(|alternative| alternative.test.is_match(test))
    }
}

/// Returns the pattern for one test with all its subtests. Names of tests are Go identifiers, so
/// they contain no special characters.
pub fn exactly(test: &str) -> String {
    format!("^{test}$")
}

/// Returns the offset of the first of these separators outside brackets and parentheses.
fn element_end(pattern: &str, separators: &[u8]) -> Option<usize> {
    let (mut classes, mut groups) = (0_u32, 0_i64);
    let mut bytes = pattern.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'[' => classes += 1,
            b']' => classes = classes.saturating_sub(1),
            b'(' if classes == 0 => groups += 1,
            b')' if classes == 0 => groups -= 1,
            b'\\' => {
                bytes.next();
            }
            separator if separators.contains(&separator) && classes == 0 && groups == 0 => {
                return Some(at);
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn selecting(pattern: &str, test: &str) -> Option<String> {
        RunPattern::parse(pattern).unwrap().selecting(test)
    }

    #[test]
    fn the_first_elements_select_and_the_rest_is_passed_on() {
        for (pattern, test, expected) in [
            ("Foo", "TestFoo", Some("^TestFoo$")),
            ("Foo", "TestBar", None),
            ("^TestFoo$/^a b$/c", "TestFoo", Some("^TestFoo$/^a b$/c")),
            ("Foo/a|Bar/b", "TestBar", Some("^TestBar$/b")),
            ("Foo/a|F/b", "TestFoo", Some("^TestFoo$/a|^TestFoo$/b")),
            ("Foo/a|Foo", "TestFoo", Some("^TestFoo$")),
            ("(Foo|Bar)/x", "TestBar", Some("^TestBar$/x")),
            ("Test[/|]", "Test/", Some("^Test/$")),
            (r"a\/b", "a/b", Some("^a/b$")),
            ("", "TestAny", Some("^TestAny$")),
        ] {
            assert_eq!(selecting(pattern, test).as_deref(), expected, "{pattern}");
        }
    }

    #[test]
    fn only_a_pattern_for_tests_leaves_out_a_whole_test() {
        let skip = RunPattern::parse("Foo/sub|Bar").unwrap();
        assert!(!skip.leaves_out("TestFoo"));
        assert!(skip.leaves_out("TestBar"));
    }

    #[test]
    fn what_is_no_expression_is_named() {
        let error = RunPattern::parse("a|b(").unwrap_err();
        assert_eq!(error.to_string(), "`b(` is not a regular expression");
    }

    proptest! {
        #[test]
        fn no_pattern_makes_reading_panic(pattern: String) {
            let _ = RunPattern::parse(&pattern);
        }
    }
}
