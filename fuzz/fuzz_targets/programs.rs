//! Programs and libraries whose ELF headers say whatever they like.
#![no_main]

use libfuzzer_sys::fuzz_target;
use maelstrom_fuzz::{Parts, file, scratch};
use maelstrom_layer::shared_libraries;
use maelstrom_model::error::help_of;

fuzz_target!(|data: &[u8]| {
    let mut parts = Parts(data);
    let library = parts.part();
    file("liba.so", library);
    let program = file("program", parts.0);
    match shared_libraries(&program, &[scratch("")]) {
        Ok(paths) => drop(paths),
        Err(error) => drop((error.to_string(), help_of(&error))),
    }
});
