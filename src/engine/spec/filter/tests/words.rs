//! Tests every word of every runner's patterns, and how far it can be abbreviated.

use super::*;

/// Tests each word's shortest abbreviation, and the runners that have the word.
#[test]
fn words_may_be_cut_so_far_and_no_further() {
    let all = &[("cargo", &CARGO), ("go", &GO), ("pytest", &PYTEST)][..];
    let (of_cargo, of_go, of_pytest) = (&all[..1], &all[1..2], &all[2..]);
    let constants = [
        (all, "all", "al"),
        (all, "any", "an"),
        (all, "true", "tr"),
        (all, "none", "n"),
        (all, "false", "f"),
        (of_cargo, "library", "l"),
        (of_cargo, "binary", "bi"),
        (of_cargo, "benchmark", "be"),
        (of_cargo, "example", "e"),
        (of_cargo, "test", "te"),
    ];
    let selectors = [
        (of_cargo, "name", "n"),
        (of_cargo, "package", "p"),
        (of_cargo, "binary", "bi"),
        (of_cargo, "benchmark", "be"),
        (of_cargo, "example", "e"),
        (of_cargo, "test", "te"),
        (of_go, "name", "n"),
        (of_go, "package_import_path", "p"),
        (of_go, "package_path", "package_p"),
        (of_go, "package_name", "package_n"),
        (of_pytest, "name", "na"),
        (of_pytest, "node_id", "no"),
        (of_pytest, "file", "f"),
        (of_pytest, "package", "p"),
    ];
    let matchers = [
        (all, "equals", "eq"),
        (all, "contains", "c"),
        (all, "starts_with", "s"),
        (all, "ends_with", "en"),
        (all, "matches", "m"),
        (all, "globs", "g"),
    ];
    let check = |(runners, word, least): &(&[(&str, &'static PatternVocabulary)], &str, &str),
                 form: fn(&str) -> String| {
        for (runner, vocabulary) in *runners {
            let parse = |word: &str| TestPattern::parse(&form(word), vocabulary);
            let whole = parse(word).unwrap_or_else(|error| panic!("{runner}: {error}"));
            for length in 0..word.len() {
                let cut = &word[..length];
                let same = parse(cut).is_ok_and(|pattern| pattern == whole);
                assert_eq!(same, length >= least.len(), "{runner}: {cut}");
            }
        }
    };
    for row in &constants {
        check(row, str::to_owned);
        check(row, |word| format!("{word}()"));
    }
    for row in &selectors {
        check(row, |word| format!("{word}.equals(x)"));
    }
    for row in &matchers {
        check(row, |word| format!("name.{word}(x)"));
    }
    check(&(of_pytest, "contains", "c"), |word| {
        format!("markers.{word}(x)")
    });
    check(&(of_pytest, "markers", "markers"), |word| {
        format!("{word}.contains(x)")
    });
    // A selector without a matcher is an error.
    for (runner, vocabulary) in all {
        for word in [
            "name",
            "package",
            "package_path",
            "file",
            "node_id",
            "markers",
        ] {
            assert!(
                TestPattern::parse(word, vocabulary).is_err(),
                "{runner}: {word}"
            );
        }
    }
}
