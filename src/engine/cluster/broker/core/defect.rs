//! Reports violations of the core's invariants.

/// Reports that an invariant does not hold: logs an error, and panics in debug builds. In release
/// builds the caller continues as well as it can, because a broker serves many clients.
pub(super) fn broken_invariant(what: &str) {
    tracing::error!(
        what,
        "an invariant of the broker does not hold; report this"
    );
    debug_assert!(false, "{what}");
}
