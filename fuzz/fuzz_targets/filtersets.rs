//! Filtersets of nextest: whatever can be read is displayed in a form that reads back, finds its names
//! in a workspace, and has an answer for each test.
#![no_main]

use libfuzzer_sys::fuzz_target;
use maelstrom_model::error::help_of;
use maelstrom_spec::filter::TruthValue;
use maelstrom_spec::filterset::{
    FiltersetBinary, FiltersetBinaryKind, FiltersetPackage, FiltersetSubject, FiltersetWorkspace,
    TestFilterset,
};

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    match TestFilterset::parse(&text) {
        Ok(filterset) => evaluate(&filterset),
        Err(error) => {
            assert!(text.get(error.span.clone()).is_some());
            drop((error.to_string(), help_of(&error)));
        }
    }
});

fn evaluate(filterset: &TestFilterset) {
    let shown = filterset.to_string();
    let again = TestFilterset::parse(&shown).expect("what a filterset is shown as can be read");
    assert_eq!(again.to_string(), shown);
    let package = FiltersetPackage::alone("p");
    let binary = FiltersetBinary {
        name: "t",
        kind: FiltersetBinaryKind::Test,
    };
    let mut workspace = FiltersetWorkspace::default();
    workspace.add(&package.name, [binary]);
    drop(filterset.check(&workspace));
    let mut last = TruthValue::Unknown;
    // Knowing more never takes an answer back.
    for (binary, case) in [
        (None, None),
        (Some(binary), None),
        (Some(binary), Some("m::case")),
    ] {
        let subject = FiltersetSubject {
            package: &package,
            binary,
            case,
        };
        let value = filterset.evaluate(&subject);
        assert_eq!(value, again.evaluate(&subject));
        assert!(last == TruthValue::Unknown || value == last);
        last = value;
    }
    assert_ne!(last, TruthValue::Unknown);
}
