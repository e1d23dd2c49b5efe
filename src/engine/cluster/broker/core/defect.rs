//! Reports what the core's invariants rule out.

/// An invariant does not hold: an error in the log, and a failed test. The caller goes on as well as
/// it can, since a broker serves many clients.
pub fn broken_invariant(what: &str) {
    tracing::error!(
        what,
        "an invariant of the broker does not hold; report this"
    );
    debug_assert!(false, "{what}");
}
