//! What people write: patterns, specifications, tokens, names of images, sizes, addresses, options.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use maelstrom_cluster::security::tokens::TokenFile;
use maelstrom_fuzz::{Parts, file};
use maelstrom_image::{ImageLockFile, ImageUri};
use maelstrom_model::error::help_of;
use maelstrom_runners::run::mount::mount;
use maelstrom_spec::config::{Address, ByteSize};
use maelstrom_spec::document::TextDocument;
use maelstrom_spec::filter::subject::{
    CargoSubject, GoSubject, PytestSubject, SubjectTarget, TargetKind,
};
use maelstrom_spec::filter::{TestPattern, vocabulary};
use maelstrom_spec::read::SpecContext;
use maelstrom_spec::resolve::{RunnerLayers, SpecResolver};
use maelstrom_spec::{TestSpecification, explain};

fuzz_target!(|data: &[u8]| {
    let mut parts = Parts(data);
    let choice = parts.byte() % 6;
    let text = String::from_utf8_lossy(parts.0);
    match choice {
        0 => pattern(&text),
        1 => specification(&text),
        2 => tokens(parts),
        3 => image(&text),
        4 => drop(ImageLockFile::read(&file("lock", parts.0))),
        _ => {
            drop(text.parse::<ByteSize>());
            drop(text.parse::<Address>());
            drop(mount(&text, Path::new("/project")));
        }
    }
});

fn pattern(text: &str) {
    if let Ok(pattern) = TestPattern::parse(text, &vocabulary::CARGO) {
        for target in [
            None,
            Some(SubjectTarget {
                name: "t",
                kind: TargetKind::Test,
            }),
        ] {
            let case = target.map(|_| "m::case");
            pattern.evaluate(&CargoSubject {
                package: "p",
                target,
                case,
            });
        }
        // A pattern's text is a pattern of the same meaning.
        let again = TestPattern::parse(&pattern.to_string(), &vocabulary::CARGO);
        let again = again.expect("what a pattern is shown as can be read");
        assert_eq!(again.to_string(), pattern.to_string());
    }
    if let Ok(pattern) = TestPattern::parse(text, &vocabulary::GO) {
        pattern.evaluate(&GoSubject {
            import_path: "e.com/p",
            path: "p",
            name: "p",
            case: None,
        });
    }
    if let Ok(pattern) = TestPattern::parse(text, &vocabulary::PYTEST) {
        let markers = ["slow".to_owned()];
        let subject = PytestSubject {
            file: "f.py",
            name: "n",
            node_id: "f.py::n",
            markers: &markers,
        };
        pattern.evaluate(&subject);
    }
}

fn specification(text: &str) {
    let context = SpecContext {
        vocabulary: &vocabulary::CARGO,
        project: Path::new("/project"),
        variables: &[],
    };
    let document = TextDocument::new("specification", text);
    match TestSpecification::read(&document, &context) {
        Ok(specification) => {
            let mut resolver = SpecResolver::new(specification.clone(), None, RunnerLayers::None);
            let subject = CargoSubject {
                package: "p",
                target: None,
                case: Some("c"),
            };
            match resolver.resolve(&subject) {
                Ok(resolution) => {
                    drop(explain::explain("test", &specification, &resolution));
                    drop(explain::print(&resolution.resolved));
                }
                Err(error) => drop((error.to_string(), help_of(&error))),
            }
        }
        Err(error) => drop(error.to_string()),
    }
}

fn tokens(mut parts: Parts<'_>) {
    let token = parts.text();
    match TokenFile::open(&file("tokens", parts.0)) {
        Ok(tokens) => drop(tokens.identify(&token)),
        Err(error) => drop(error.to_string()),
    }
}

fn image(text: &str) {
    match text.parse::<ImageUri>() {
        Ok(uri) => {
            let again = uri.to_string().parse::<ImageUri>();
            assert_eq!(again.expect("an image's name is one"), uri);
        }
        Err(error) => drop((error.to_string(), help_of(&error))),
    }
}
