//! Parsing and evaluating filtersets: each rule of the language on a test of a small workspace.

mod laws;

use miette::Diagnostic;

use super::*;
use crate::filter::PastResults;

/// `cli` depends on `core`, and `core` on `derive`.
pub(super) fn package() -> FiltersetPackage {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    FiltersetPackage {
        name: "core".to_owned(),
        dependencies: names(&["core", "derive"]),
        dependents: names(&["core", "cli"]),
    }
}

pub(super) const BINARY: FiltersetBinary<'static> = FiltersetBinary {
    name: "net-io",
    kind: FiltersetBinaryKind::Test,
};

pub(super) const CASE: &str = "io::tests::reads_a,b(c)";

pub(super) fn subject(package: &FiltersetPackage) -> FiltersetSubject<'_> {
    FiltersetSubject {
        package,
        binary: Some(BINARY),
        case: Some(CASE),
        past: Some(PastResults {
            failed: true,
            ..PastResults::default()
        }),
    }
}

fn is_in(text: &str) -> bool {
    let filterset = TestFilterset::parse(text).unwrap_or_else(|error| panic!("{error}"));
    let package = package();
    match filterset.evaluate(&subject(&package)) {
        TruthValue::True => true,
        TruthValue::False => false,
        TruthValue::Unknown => panic!("{text} is unknown although everything is known"),
    }
}

#[test]
fn each_predicate_compares_its_own_name() {
    for (text, expected) in [
        ("all()", true),
        ("none()", false),
        ("default()", true),
        (" all ( ) ", true),
        ("status(failed)", true),
        ("status( flaky )", false),
        ("status(slow) | status(new)", false),
        ("test(reads)", true),
        ("test(=reads)", false),
        ("package(core)", true),
        ("package(cor)", false),
        ("package(c*)", true),
        ("deps(cli)", true),
        ("deps(core)", true),
        ("deps(derive)", false),
        ("rdeps(derive)", true),
        ("rdeps(core)", true),
        ("rdeps(cli)", false),
        ("deps(/^cl/)", true),
        ("kind(test)", true),
        ("kind(tes)", false),
        ("kind(~es)", true),
        ("kind(lib)", false),
        ("binary(net-io)", true),
        ("binary(net)", false),
        ("binary(net*)", true),
        ("binary_id(core::net-io)", true),
        ("binary_id(core)", false),
        ("binary_id(core*)", true),
        ("platform(target)", true),
        ("platform( host )", false),
    ] {
        assert_eq!(is_in(text), expected, "{text}");
    }
}

#[test]
fn matchers_and_escapes() {
    for (text, expected) in [
        (r"test(=io::tests::reads_a\,b(c\))", true),
        (r"test(~_a\,b)", true),
        (r"test(#io::*\))", true),
        (r"test(#io)", false),
        (r"test(#io::????s::*)", true),
        (r"test(/^io::.*\)$/)", true),
        (r"test(/^tests/)", false),
        // A regular expression may hold parentheses and commas.
        (r"test(/reads_a,b\(c\)/)", true),
        (r"test(/(tests|nothing)::reads/ )", true),
        (r"test(/\//)", false),
        (r"test(\u{72}eads)", true),
        ("test(\n  reads)", true),
        // Only whitespace before a name is skipped.
        ("test(reads )", false),
        ("test(~~reads)", false),
        ("test(~=)", false),
        ("test(b(c\\))", true),
    ] {
        assert_eq!(is_in(text), expected, "{text}");
    }
}

#[test]
fn operators_bind_as_documented() {
    let (yes, no) = ("all()", "none()");
    for (text, expected) in [
        ("YES | NO & NO", true),
        ("NO & NO | YES", true),
        ("(YES | NO) & NO", false),
        ("not YES | YES", true),
        ("not (YES | YES)", false),
        ("!YES|YES", true),
        ("! ! YES", true),
        ("not not YES", true),
        // From left to right.
        ("YES - NO - YES", false),
        ("YES - YES & YES", false),
        ("NO + YES", true),
        ("YES and YES", true),
        ("YES and NO or YES", true),
        ("NO or NO", false),
        ("YES\nand\nYES", true),
        ("YES&YES-NO", true),
    ] {
        let written = text.replace("YES", yes).replace("NO", no);
        assert_eq!(is_in(&written), expected, "{text}");
    }
}

#[test]
fn binaries_have_the_ids_that_nextest_gives_them() {
    use FiltersetBinaryKind::*;
    let kinds = [
        Library, ProcMacro, Binary, Test, Example, Benchmark, Doctest,
    ];
    let ids = kinds.map(|kind| FiltersetBinary { name: "x", kind }.id("p"));
    assert_eq!(
        ids.join(" "),
        "p p p::bin/x p::x p::example/x p::bench/x p::doctest/x"
    );
}

fn told(error: &FiltersetError) -> String {
    match error.help() {
        Some(help) => format!("{error}\n  help: {help}"),
        None => error.to_string(),
    }
}

#[test]
fn mistakes_are_marked() {
    let texts = [
        "",
        "test",
        "test(",
        "test()",
        "test(a",
        "test(a))",
        "test(a) test(b)",
        "test(a) &",
        "tests(a)",
        "name.contains(a)",
        "group(serial)",
        "all(x)",
        "test(a, b)",
        r"test(\d)",
        r"test(a\",
        r"test(\u{110000})",
        "test(/a",
        "test(/a(/)",
        r"test(/\/a(/)",
        "package(#[)",
        "platform(moon)",
        "(all()",
        "not",
        "漢(x)",
    ];
    let errors: Vec<String> = texts
        .into_iter()
        .map(|text| told(&TestFilterset::parse(text).unwrap_err()))
        .collect();
    insta::assert_snapshot!(errors.join("\n"));
    let deep = "!".repeat(100) + "all()";
    let long = "(".repeat(70_000);
    for text in [deep, long] {
        assert!(TestFilterset::parse(&text).is_err());
    }
}

#[test]
fn a_name_that_matches_nothing_is_a_mistake() {
    let mut workspace = FiltersetWorkspace::default();
    workspace.add("core", [BINARY]);
    for text in [
        "package(core) - binary(net*) & binary_id(core::net-io)",
        // Tests are unknown before the build, and a kind may be absent.
        "test(nothing) | kind(bench)",
    ] {
        assert_eq!(
            TestFilterset::parse(text).unwrap().check(&workspace),
            Ok(())
        );
    }
    let errors: Vec<String> = [
        "package(cre)",
        "all() - rdeps(=other)",
        "none() | (binary(nett-io) & all())",
        "not binary_id(core)",
    ]
    .into_iter()
    .map(|text| {
        let filterset = TestFilterset::parse(text).unwrap();
        told(&filterset.check(&workspace).unwrap_err())
    })
    .collect();
    insta::assert_snapshot!(errors.join("\n"), @"
    invalid filterset: no package of the workspace matches
      package(cre)
              ^^^
      help: did you mean `core`?
    invalid filterset: no package of the workspace matches
      all() - rdeps(=other)
                    ^^^^^^
    invalid filterset: no test binary of the workspace matches
      none() | (binary(nett-io) & all())
                       ^^^^^^^
      help: did you mean `net-io`?
    invalid filterset: no binary id of the workspace matches
      not binary_id(core)
                    ^^^^
    ");
}
