//! The shim of `cargo-maelstrom`.
fn main() {
    if let Some(code) = maelstrom::container::spawner::run_if_helper() {
        std::process::exit(code);
    }
}
