//! Tests the language as users see it: examples, errors, and properties of all patterns.

mod laws;
mod words;

use super::vocabulary::{CARGO, GO, PYTEST};
use super::*;
use maelstrom_model::error::help_of;

const CASE: CargoSubject<'static> = CargoSubject {
    package: "core",
    target: Some(SubjectTarget {
        name: "network",
        kind: TargetKind::Test,
    }),
    case: Some("io::slow_12"),
    past: Some(PastResults {
        failed: false,
        flaky: true,
        slow: true,
        new: false,
    }),
};

fn cargo(pattern: &str) -> TestPattern {
    TestPattern::parse(pattern, &CARGO).unwrap_or_else(|error| panic!("{error}"))
}

fn ask(pattern: &str) -> TruthValue {
    cargo(pattern).evaluate(&CASE)
}

#[test]
fn the_documented_example() {
    let pattern = "p.eq(core) & (n.s<io::> | n.m/slow_\\d+/) - te.g(net*)";
    assert_eq!(ask(pattern), TruthValue::False);
    assert_eq!(
        cargo(pattern).to_string(),
        "package.equals(core) && (name.starts_with<io::> || name.matches/slow_\\d+/) \
         - test.globs(net*)"
    );
    let other = CargoSubject {
        case: Some("io::read"),
        past: None,
        target: Some(SubjectTarget {
            name: "unit",
            kind: TargetKind::Test,
        }),
        ..CASE
    };
    assert_eq!(cargo(pattern).evaluate(&other), TruthValue::True);
}

#[test]
fn words_ask_for_the_results_of_earlier_runs() {
    for (pattern, expected) in [
        ("failed", false),
        ("flaky", true),
        ("slow", true),
        ("new", false),
        ("flaky - failed", true),
        ("fai | ne", false),
        ("fl & sl", true),
    ] {
        assert_eq!(ask(pattern), TruthValue::from(expected), "{pattern}");
        assert!(cargo(pattern).asks_for_past(), "{pattern}");
        let unknown = CargoSubject { past: None, ..CASE };
        assert_eq!(cargo(pattern).evaluate(&unknown), TruthValue::Unknown);
    }
    assert!(!cargo("f | all - !name.contains(flaky)").asks_for_past());
}

#[test]
fn every_matcher_compares() {
    for (pattern, expected) in [
        ("name.equals(io::slow_12)", true),
        ("name.equals(io::slow_1)", false),
        ("name.equals()", false),
        ("name.contains(::)", true),
        ("name.contains()", true),
        ("name.contains(IO)", false),
        ("name.starts_with(io)", true),
        ("name.starts_with(slow)", false),
        ("name.ends_with(12)", true),
        ("name.ends_with(io)", false),
        ("name.matches(^io::)", true),
        ("name.matches(^slow)", false),
        ("name.globs(io*)", true),
        ("name.globs(io)", false),
        ("name.globs(i?::slow_[0-9]{2,7})", true),
        ("name.globs(io::slow_[!0-9]2)", false),
    ] {
        assert_eq!(ask(pattern), TruthValue::from(expected), "{pattern}");
    }
}

#[test]
fn glob_wildcards_cross_slashes() {
    let pattern = TestPattern::parse("file.globs(tests*py)", &PYTEST).unwrap();
    let subject = PytestSubject {
        file: "tests/unit/box.py",
        name: "test_lid",
        node_id: "tests/unit/box.py::test_lid",
        markers: &[],
        past: None,
    };
    assert_eq!(pattern.evaluate(&subject), TruthValue::True);
}

#[test]
fn arguments_take_five_kinds_of_brackets() {
    for (pattern, argument) in [
        ("name.equals(a(b)c)", "a(b)c"),
        ("name.equals(a]}>/c)", "a]}>/c"),
        ("name.equals[a[0]]", "a[0]"),
        ("name.equals{{}}", "{}"),
        ("name.equals<Vec<u8>>", "Vec<u8>"),
        ("name.equals/a(b[c/", "a(b[c"),
        ("name.equals( a )", " a "),
        ("name.equals()", ""),
    ] {
        let subject = CargoSubject {
            case: Some(argument),
            past: None,
            ..CASE
        };
        assert_eq!(
            cargo(pattern).evaluate(&subject),
            TruthValue::True,
            "{pattern}"
        );
    }
}

#[test]
fn a_dot_tells_a_selector_from_a_constant() {
    assert_eq!(ask("te"), TruthValue::True);
    assert_eq!(ask("te.eq(network)"), TruthValue::True);
    assert_eq!(ask("te.eq(other)"), TruthValue::False);
    assert_eq!(ask("bi.eq(network)"), TruthValue::False);
    assert_eq!(ask("n"), TruthValue::False);
    assert_eq!(ask("n.c(slow)"), TruthValue::True);
    assert_eq!(ask("f()"), TruthValue::False);
}

#[test]
fn spellings_of_the_operators_agree() {
    for (spellings, expected) in [
        (
            &[
                "all & none",
                "all && none",
                "all + none",
                "all and none",
                "all&none",
            ][..],
            TruthValue::False,
        ),
        (
            &[
                "none | all",
                "none || all",
                "none or all",
                "none|all",
                "none\tor\n all",
            ][..],
            TruthValue::True,
        ),
        (
            &["all - none", "all \\ none", "all minus none", "all-none"][..],
            TruthValue::True,
        ),
        (
            &["!none", "~none", "not none", "not  ~all | all", "~!~none"][..],
            TruthValue::True,
        ),
    ] {
        for spelling in spellings {
            assert_eq!(ask(spelling), expected, "{spelling}");
        }
    }
}

#[test]
fn and_and_minus_group_to_the_right() {
    // With left associativity, these would be false, false and true.
    assert_eq!(ask("all - all - all"), TruthValue::True);
    assert_eq!(ask("all - all & none"), TruthValue::True);
    assert_eq!(ask("none & all - all | all - all"), TruthValue::False);
    assert_eq!(ask("(all - all) - all"), TruthValue::False);
    // `or` has the lowest precedence, `not` the highest.
    assert_eq!(ask("all | none & none"), TruthValue::True);
    assert_eq!(ask("!none | all"), TruthValue::True);
    assert_eq!(ask("!all & none | all"), TruthValue::True);
}

#[test]
fn what_is_not_known_is_unknown() {
    let package = CargoSubject {
        target: None,
        case: None,
        past: None,
        ..CASE
    };
    let target = CargoSubject { case: None, ..CASE };
    for (pattern, of_package, of_target) in [
        ("package.equals(core)", TruthValue::True, TruthValue::True),
        (
            "package.equals(other) & name.equals(x)",
            TruthValue::False,
            TruthValue::False,
        ),
        (
            "package.equals(core) & name.equals(x)",
            TruthValue::Unknown,
            TruthValue::Unknown,
        ),
        ("test", TruthValue::Unknown, TruthValue::True),
        ("library", TruthValue::Unknown, TruthValue::False),
        ("binary.equals(x)", TruthValue::Unknown, TruthValue::False),
        (
            "all - test.equals(network)",
            TruthValue::Unknown,
            TruthValue::False,
        ),
        ("name.equals(x) | all", TruthValue::True, TruthValue::True),
        ("!name.equals(x)", TruthValue::Unknown, TruthValue::Unknown),
    ] {
        assert_eq!(cargo(pattern).evaluate(&package), of_package, "{pattern}");
        assert_eq!(cargo(pattern).evaluate(&target), of_target, "{pattern}");
    }
}

#[test]
fn go_selectors_compare_their_own_texts() {
    let subject = GoSubject {
        import_path: "example.org/mod/net/http",
        path: "net/http",
        name: "http_test",
        case: Some("TestGet"),
        past: None,
    };
    for (pattern, expected) in [
        ("package.equals(example.org/mod/net/http)", true),
        ("package_.equals(example.org/mod/net/http)", true),
        ("package_i.ends_with(http)", true),
        ("package_p.equals(net/http)", true),
        ("package_n.equals(http_test)", true),
        ("n.eq(TestGet)", true),
        ("p.eq(net/http)", false),
    ] {
        let pattern = TestPattern::parse(pattern, &GO).unwrap();
        assert_eq!(pattern.evaluate(&subject), expected.into(), "{pattern}");
    }
}

#[test]
fn pytest_selectors_compare_their_own_texts() {
    let markers = ["slow".to_owned(), "net work".to_owned()];
    let subject = PytestSubject {
        file: "tests/box.py",
        name: "TestBox.test_lid",
        node_id: "tests/box.py::TestBox::test_lid",
        markers: &markers,
        past: None,
    };
    for (pattern, expected) in [
        ("name.equals(TestBox.test_lid)", true),
        ("no.eq(tests/box.py::TestBox::test_lid)", true),
        ("f.eq(tests/box.py)", true),
        ("p.eq(default)", true),
        ("markers.contains(slow)", true),
        ("markers.c<net work>", true),
        ("markers.contains(net)", false),
    ] {
        let pattern = TestPattern::parse(pattern, &PYTEST).unwrap();
        assert_eq!(pattern.evaluate(&subject), expected.into(), "{pattern}");
    }
}

#[test]
fn a_selection_is_one_include_and_no_exclude() {
    let selection = |include: &[&str], exclude: &[&str]| {
        let owned = |list: &[&str]| list.iter().map(|&one| one.to_owned()).collect::<Vec<_>>();
        let selection = TestSelection::parse(&owned(include), &owned(exclude), &CARGO).unwrap();
        selection.evaluate(&CASE)
    };
    assert_eq!(selection(&[], &[]), TruthValue::True);
    assert_eq!(selection(&[], &["test"]), TruthValue::False);
    assert_eq!(selection(&["library", "test"], &[]), TruthValue::True);
    assert_eq!(selection(&["library"], &[]), TruthValue::False);
    assert_eq!(
        selection(&["all"], &["none", "name.c(slow)"]),
        TruthValue::False
    );
}

#[test]
fn errors_point_at_the_place() {
    let mut report = String::new();
    for (vocabulary, pattern) in [
        (&CARGO, ""),
        (&CARGO, " all"),
        (&CARGO, "all "),
        (&CARGO, "packge.equals(core)"),
        (&CARGO, "all | libary"),
        (&CARGO, "t"),
        (&CARGO, "b.eq(x)"),
        (&CARGO, "package"),
        (&CARGO, "all.equals(x)"),
        (&CARGO, "name .equals(x)"),
        (&CARGO, "name. equals(x)"),
        (&CARGO, "name.equals (x)"),
        (&CARGO, "name.equal"),
        (&CARGO, "name.e(x)"),
        (&CARGO, "name.equlas(x)"),
        (&CARGO, "name."),
        (&CARGO, "name.equals(io::(x)"),
        (&CARGO, "name.equals/a/b/"),
        (&CARGO, "名.equals(x) & 漢字.e(x)"),
        (&CARGO, "name.matches(a(b[c)"),
        (&CARGO, "all & name.matches/x{2,1}/"),
        (&CARGO, "name.globs([z-a])"),
        (&CARGO, "name.globs(a{b)"),
        (&CARGO, "(all"),
        (&CARGO, "all)"),
        (&CARGO, "all none"),
        (&CARGO, "all &"),
        (&CARGO, "all &\n\n  nme.eq(x) &\n none"),
        (&CARGO, "! all"),
        (&CARGO, "not(all)"),
        (&CARGO, "all( )"),
        (&CARGO, "all(x)"),
        (&CARGO, "ALL"),
        (&GO, "test.equals(x)"),
        (&PYTEST, "n.eq(x)"),
        (&PYTEST, "m.contains(x)"),
        (&PYTEST, "markers.equals(x)"),
        (&PYTEST, "markers"),
    ] {
        let error = TestPattern::parse(pattern, vocabulary).unwrap_err();
        report.push_str(&error.to_string());
        if let Some(help) = help_of(&error) {
            report.push_str(&format!("\nhelp: {help}"));
        }
        report.push_str("\n\n");
    }
    insta::assert_snapshot!(report);
}

#[test]
fn size_and_depth_are_bounded() {
    let deep = format!("{}all{}", "(".repeat(1_000), ")".repeat(1_000));
    let negated = format!("{}all", "!".repeat(1_000));
    for pattern in [deep, negated] {
        let error = TestPattern::parse(&pattern, &CARGO).unwrap_err();
        assert!(
            matches!(error.problem, PatternErrorKind::TooDeep { .. }),
            "{error}"
        );
    }
    let long = vec!["all"; 50_000].join("|");
    let error = TestPattern::parse(&long, &CARGO).unwrap_err();
    assert!(
        matches!(error.problem, PatternErrorKind::TooLong { .. }),
        "{error}"
    );
    let chain = vec!["all"; 10_000].join(" - ");
    assert_eq!(ask(&chain), TruthValue::False);
    let nested = format!("name.globs/{}{}/", "{a,".repeat(5_000), "}".repeat(5_000));
    let error = TestPattern::parse(&nested, &CARGO).unwrap_err();
    assert!(
        matches!(error.problem, PatternErrorKind::Glob { .. }),
        "{error}"
    );
}
