//! Compiles the regular expressions and globs of patterns and filtersets.

use std::ops::Range;

use globset::GlobBuilder;
use regex::{Regex, bytes};

/// The maximum number of alternatives in braces, which can be nested.
const ALTERNATIVES_MAX: usize = 64;

/// Compiles a glob. The glob crate's own compilation is not used, because it panics if a huge glob
/// results in an expression that does not compile.
pub fn glob(text: &str) -> Result<bytes::Regex, String> {
    if text.matches('{').count() > ALTERNATIVES_MAX {
        // The glob crate walks nested alternatives recursively.
        return Err(format!(
            "more than {ALTERNATIVES_MAX} alternatives in braces"
        ));
    }
    let glob = GlobBuilder::new(text)
        .literal_separator(false)
        .backslash_escape(true)
        .build()
        .map_err(|error| error.kind().to_string())?;
    bytes::RegexBuilder::new(glob.regex())
        .dot_matches_new_line(true)
        .build()
        .map_err(|_| "it is too large or too deeply nested".to_owned())
}

/// Compiles a regular expression. The error has the span of the mistake in bytes, and the reason.
pub(crate) fn regex(text: &str) -> Result<Regex, (Range<usize>, String)> {
    Regex::new(text).map_err(|error| {
        // The error of the regex crate contains a drawing; the error of its parser also has the
        // span.
        let (place, reason) = match regex_syntax::parse(text) {
            Err(regex_syntax::Error::Parse(error)) => (*error.span(), error.kind().to_string()),
            Err(regex_syntax::Error::Translate(error)) => (*error.span(), error.kind().to_string()),
            Err(_) | Ok(_) => return (0..text.len(), error.to_string()),
        };
        (place.start.offset..place.end.offset, reason)
    })
}
