//! The flags and variables of `cargo test` and `cargo nextest`, and what each means here.
//!
//! The command line is made from these tables, too: a flag that is refused or has no effect is
//! accepted by the parser because it is in its table ([`super::options`]).

mod cargo_test;
mod nextest;

use crate::peers::{PeerFlag, PeerSupport, PeerVariable};

pub use self::cargo_test::{CARGO_TEST, LIBTEST};
pub use self::nextest::{NEXTEST_LIST, NEXTEST_RUN};

const fn flag(
    spellings: &'static [&'static str],
    value: Option<&'static str>,
    support: PeerSupport,
) -> PeerFlag {
    PeerFlag {
        spellings,
        value,
        support,
    }
}

const fn same(spellings: &'static [&'static str], value: Option<&'static str>) -> PeerFlag {
    flag(spellings, value, PeerSupport::Same)
}

const fn differs(
    spellings: &'static [&'static str],
    value: Option<&'static str>,
    how: &'static str,
) -> PeerFlag {
    flag(spellings, value, PeerSupport::Differs(how))
}

const fn no_effect(
    spellings: &'static [&'static str],
    value: Option<&'static str>,
    why: &'static str,
) -> PeerFlag {
    flag(spellings, value, PeerSupport::NoEffect(why))
}

const fn refused(
    spellings: &'static [&'static str],
    value: Option<&'static str>,
    instead: &'static str,
) -> PeerFlag {
    flag(spellings, value, PeerSupport::Refused(instead))
}

const fn variable(name: &'static str, support: PeerSupport) -> PeerVariable {
    PeerVariable { name, support }
}
