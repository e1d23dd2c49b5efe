//! Properties of all filtersets: errors have a location, the printed form parses back, and the
//! operators are those of sets.

use proptest::prelude::*;

use super::*;

/// Predicates that are true, false and unknown for a package whose binaries are not known.
fn leaf() -> impl Strategy<Value = String> {
    let predicates = vec![
        "all()",
        "none()",
        "package(core)",
        "package(~x)",
        "deps(=cli)",
        "rdeps(/^cli$/)",
        "kind(test)",
        "binary(#n*)",
        r"binary_id(core::\,)",
        r"test(/a\/[b\)]/)",
        r"test(=io::tests::reads_a\,b(c\))",
        "test(~ \\n\\u{1b})",
        "platform(target)",
    ];
    prop::sample::select(predicates).prop_map(str::to_owned)
}

fn filterset() -> impl Strategy<Value = String> {
    leaf().prop_recursive(4, 32, 4, |inner| {
        let operator = prop::sample::select(vec!["&", " and ", " - ", "|", " or ", " + ", "\n&\n"]);
        let negation = (prop::sample::select(vec!["!", "not ", "! "]), inner.clone())
            .prop_map(|(sign, inner)| format!("{sign}({inner})"));
        let plain = (prop::sample::select(vec!["!", ""]), leaf())
            .prop_map(|(sign, inner)| format!("{sign}{inner}"));
        let chain = (
            inner.clone(),
            prop::collection::vec((operator, inner), 0..4),
        )
            .prop_map(|(first, rest)| {
                rest.into_iter().fold(first, |text, (operator, next)| {
                    format!("{text}{operator}{next}")
                })
            });
        let bracketed = chain.clone().prop_map(|chain| format!("({chain})"));
        prop_oneof![negation, plain, chain, bracketed]
    })
}

/// Returns the values with the package known, then the binary, then the test.
fn values(text: &str) -> [TruthValue; 3] {
    let filterset = TestFilterset::parse(text).unwrap();
    let package = package();
    let all = subject(&package);
    let binary = FiltersetSubject { case: None, ..all };
    let only_package = FiltersetSubject {
        binary: None,
        ..binary
    };
    [only_package, binary, all].map(|subject| filterset.evaluate(&subject))
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_has_a_marked_mistake(text in any::<String>()) {
        if let Err(error) = TestFilterset::parse(&text) {
            prop_assert!(text.get(error.span.clone()).is_some());
            prop_assert!(error.to_string().contains('^'));
        }
    }

    #[test]
    fn nearly_right_text_is_parsed_or_has_a_marked_mistake(
        text in "((test|package|all|platform|not|and)|[()=~#/,!&|+ \n\\\\-]{1,3}|a|u\\{41\\}|漢){0,14}",
    ) {
        match TestFilterset::parse(&text) {
            Ok(filterset) => {
                let printed = filterset.to_string();
                prop_assert_eq!(TestFilterset::parse(&printed).unwrap().to_string(), printed);
            }
            Err(error) => {
                prop_assert!(text.get(error.span.clone()).is_some());
                prop_assert!(error.to_string().contains('^'));
            }
        }
    }

    #[test]
    fn what_is_printed_reads_back_and_means_the_same(text in filterset()) {
        let filterset = TestFilterset::parse(&text).unwrap();
        let printed = filterset.to_string();
        prop_assert_eq!(&TestFilterset::parse(&printed).unwrap(), &filterset);
        prop_assert_eq!(values(&printed), values(&text));
    }

    #[test]
    fn knowing_more_never_reverses_an_answer(text in filterset()) {
        let [before, middle, after] = values(&text);
        prop_assert!(before == TruthValue::Unknown || before == middle);
        prop_assert!(middle == TruthValue::Unknown || middle == after);
        prop_assert_ne!(after, TruthValue::Unknown);
    }

    #[test]
    fn operators_are_those_of_sets(a in filterset(), b in filterset(), c in filterset()) {
        for (left, right) in [
            (format!("({a}) & ({b})"), format!("({b}) and ({a})")),
            (format!("({a}) | ({b})"), format!("({b}) + ({a})")),
            (format!("({a}) - ({b})"), format!("({a}) & !({b})")),
            (format!("not (({a}) or ({b}))"), format!("!({a}) & !({b})")),
            (format!("({a}) & (({b}) | ({c}))"), format!("({a}) & ({b}) | ({a}) & ({c})")),
            (format!("!!({a})"), a.clone()),
            (format!("({a}) | none()"), a.clone()),
            (format!("({a}) & all()"), a.clone()),
        ] {
            prop_assert_eq!(values(&left), values(&right), "{} and {}", left, right);
        }
    }
}
