//! Properties of all patterns: errors have a location, the meaning follows the grammar, and the
//! printed form parses back.

use proptest::prelude::*;

use super::*;

/// A pattern generated from the grammar, and its expected result, computed by the recursive rules
/// of the grammar.
#[derive(Clone, Debug)]
struct Sample {
    text: String,
    truth: TruthValue,
}

fn leaf() -> impl Strategy<Value = Sample> {
    // For a package whose targets are not known, these are true, false and unknown.
    let known = [
        ("all", TruthValue::True),
        ("any()", TruthValue::True),
        ("package.equals(core)", TruthValue::True),
        ("none", TruthValue::False),
        ("f", TruthValue::False),
        ("p.c{other}", TruthValue::False),
        ("te", TruthValue::Unknown),
        ("bi.m/x+/", TruthValue::Unknown),
        ("name.g<a*>", TruthValue::Unknown),
        ("n.eq[x[]]", TruthValue::Unknown),
    ];
    prop::sample::select(known.to_vec()).prop_map(|(text, truth)| Sample {
        text: text.to_owned(),
        truth,
    })
}

fn sample() -> impl Strategy<Value = Sample> {
    leaf().prop_recursive(5, 48, 6, |inner| {
        let negation = (prop::sample::select(vec!["!", "~", "not "]), inner.clone()).prop_map(
            |(sign, inner)| Sample {
                text: format!("{sign}({})", inner.text),
                truth: inner.truth.not(),
            },
        );
        let operator = prop::sample::select(vec![
            "&", " && ", "+", " and ", "-", "\\", " minus ", "|", " or ",
        ]);
        let chain = (
            inner.clone(),
            prop::collection::vec((operator, inner), 0..5),
        )
            .prop_map(|(first, rest)| {
                let bracketed: Vec<(&str, Sample)> = rest
                    .into_iter()
                    .map(|(operator, sample)| (operator, bracket(sample)))
                    .collect();
                let first = bracket(first);
                let text = bracketed
                    .iter()
                    .fold(first.text.clone(), |text, (operator, sample)| {
                        format!("{text}{operator}{}", sample.text)
                    });
                Sample {
                    text,
                    truth: either(first.truth, &bracketed),
                }
            });
        prop_oneof![negation, chain]
    })
}

fn bracket(sample: Sample) -> Sample {
    Sample {
        text: format!("({})", sample.text),
        ..sample
    }
}

fn is_or(operator: &str) -> bool {
    matches!(operator.trim(), "|" | "or")
}

/// `either = both , [ or , either ]`
fn either(first: TruthValue, rest: &[(&str, Sample)]) -> TruthValue {
    match rest.iter().position(|(operator, _)| is_or(operator)) {
        None => both(first, rest),
        Some(place) => {
            both(first, &rest[..place]).or(either(rest[place].1.truth, &rest[place + 1..]))
        }
    }
}

/// `both = term , [ ( and | minus ) , both ]`
fn both(first: TruthValue, rest: &[(&str, Sample)]) -> TruthValue {
    match rest {
        [] => first,
        [(operator, second), rest @ ..] => {
            let right = both(second.truth, rest);
            match operator.trim() {
                "-" | "\\" | "minus" => first.and(right.not()),
                _ => first.and(right),
            }
        }
    }
}

fn truth() -> impl Strategy<Value = TruthValue> {
    prop_oneof![
        Just(TruthValue::True),
        Just(TruthValue::False),
        Just(TruthValue::Unknown)
    ]
}

const PACKAGE: CargoSubject<'static> = CargoSubject {
    target: None,
    case: None,
    past: None,
    ..CASE
};

proptest! {
    #[test]
    fn any_text_is_read_or_refused_at_a_place_in_it(pattern in any::<String>()) {
        for vocabulary in [&CARGO, &GO, &PYTEST] {
            if let Err(error) = TestPattern::parse(&pattern, vocabulary) {
                prop_assert!(pattern.get(error.span.clone()).is_some());
                prop_assert!(error.to_string().contains('^'));
            }
        }
    }

    #[test]
    fn nearly_valid_text_is_read_or_refused_at_a_place_in_it(
        pattern in "([a-z_.]{0,9}|name\\.(eq|m|g)|[()<>{}\\[\\]/!~&|+\\\\ \n\t-]{1,3}|not |漢){0,12}",
    ) {
        if let Err(error) = TestPattern::parse(&pattern, &CARGO) {
            prop_assert!(pattern.get(error.span.clone()).is_some());
            prop_assert!(error.to_string().contains('^'));
        }
    }

    #[test]
    fn patterns_mean_what_the_grammar_says(sample in sample()) {
        let pattern = TestPattern::parse(&sample.text, &CARGO).unwrap();
        prop_assert_eq!(pattern.evaluate(&PACKAGE), sample.truth);
    }

    #[test]
    fn what_is_printed_reads_back(sample in sample()) {
        let pattern = TestPattern::parse(&sample.text, &CARGO).unwrap();
        let printed = pattern.to_string();
        prop_assert_eq!(TestPattern::parse(&printed, &CARGO).unwrap(), pattern);
    }

    #[test]
    fn knowing_more_never_reverses_an_answer(sample in sample()) {
        let pattern = TestPattern::parse(&sample.text, &CARGO).unwrap();
        let before = pattern.evaluate(&PACKAGE);
        let target = CargoSubject { case: None, ..CASE };
        let middle = pattern.evaluate(&target);
        let after = pattern.evaluate(&CASE);
        prop_assert!(before == TruthValue::Unknown || before == middle);
        prop_assert!(middle == TruthValue::Unknown || middle == after);
        prop_assert_ne!(after, TruthValue::Unknown);
    }

    #[test]
    fn kleene_laws(a in truth(), b in truth(), c in truth()) {
        prop_assert_eq!(a.and(b), b.and(a));
        prop_assert_eq!(a.or(b), b.or(a));
        prop_assert_eq!(a.and(b).and(c), a.and(b.and(c)));
        prop_assert_eq!(a.and(b.or(c)), a.and(b).or(a.and(c)));
        prop_assert_eq!(a.and(b).not(), a.not().or(b.not()));
        prop_assert_eq!(a.not().not(), a);
        prop_assert_eq!(a.and(TruthValue::Unknown) == TruthValue::False, a == TruthValue::False);
        prop_assert_eq!(a.or(TruthValue::Unknown) == TruthValue::True, a == TruthValue::True);
    }
}
