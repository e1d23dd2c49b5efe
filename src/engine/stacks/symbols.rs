//! The names of functions, and the lines of the source, for addresses.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use addr2line::Context;
use gimli::{EndianSlice, LittleEndian as Little};
use object::{Object, ObjectSection, ObjectSymbol, SymbolKind};

use super::modules::{Elf, LoadedModule};

/// The description of an address: a line for its function, and before it one for each function that
/// is inlined there.
pub(crate) type Described = Vec<String>;

/// Describes addresses in the memory of a process.
pub(crate) struct Descriptions {
    lines: BTreeMap<u64, Described>,
    /// The directory to which paths are relative that lie below it.
    directory: Option<PathBuf>,
}

impl Descriptions {
    pub(crate) fn new(directory: Option<PathBuf>) -> Descriptions {
        Descriptions {
            lines: BTreeMap::new(),
            directory,
        }
    }

    /// Returns the lines for an address.
    pub(crate) fn of(&self, address: u64) -> Described {
        match self.lines.get(&address) {
            Some(described) => described.clone(),
            None => vec![format!("{address:#x}")],
        }
    }

    /// Adds the names of functions from symbol tables.
    pub(crate) fn add_names(&mut self, modules: &[LoadedModule<'_>], addresses: &[u64]) {
        for module in modules {
            let wanted = addresses.iter().filter_map(|address| {
                let own = module.address(*address)?;
                Some((own, *address))
            });
            let wanted: BTreeMap<u64, u64> = wanted.collect();
            let names = symbols(&module.elf, &wanted);
            for (own, address) in wanted {
                let line = match names.get(&own) {
                    Some(name) => format!("{} in {}", demangled(name), module.name),
                    None => format!("{own:#x} in {}", module.name),
                };
                self.lines.insert(address, vec![line]);
            }
        }
    }

    /// Replaces names by those of the debug information, with lines and inlined functions.
    pub(crate) fn add_lines(&mut self, module: &LoadedModule<'_>, addresses: &[u64]) {
        let load = |id: gimli::SectionId| {
            let section = module.elf.section_by_name(id.name());
            let data = section.and_then(|section| section.data().ok());
            Ok::<_, gimli::Error>(EndianSlice::new(data.unwrap_or_default(), Little))
        };
        // Without debug information, there is nothing to read.
        if module.elf.section_by_name(".debug_info").is_none() {
            return;
        }
        let context = gimli::Dwarf::load(load).and_then(Context::from_dwarf);
        let Ok(context) = context else {
            return;
        };
        for address in addresses {
            let described = module
                .address(*address)
                .and_then(|own| lines(&context, own, self.directory.as_deref()));
            if let Some(described) = described {
                self.lines.insert(*address, described);
            }
        }
    }
}

/// Returns the names of the functions that contain these addresses of a file.
fn symbols<'a>(elf: &Elf<'a>, wanted: &BTreeMap<u64, u64>) -> BTreeMap<u64, &'a str> {
    let mut names = BTreeMap::new();
    if wanted.is_empty() {
        return names;
    }
    // A stripped file has only the symbols that others link to.
    for symbol in elf.dynamic_symbols().chain(elf.symbols()) {
        if symbol.kind() != SymbolKind::Text || symbol.size() == 0 {
            continue;
        }
        let Some(end) = symbol.address().checked_add(symbol.size()) else {
            continue;
        };
        for own in wanted.range(symbol.address()..end).map(|(own, _)| *own) {
            if let Ok(name) = symbol.name() {
                names.insert(own, name);
            }
        }
    }
    names
}

/// Returns a name as in the source. A name that is not mangled is its own.
fn demangled(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}

/// Leaves out the beginning of a path in Rust's own libraries, `/rustc/COMMIT`.
fn shortened(file: &Path) -> &Path {
    let mut names = file.iter();
    let is_rust =
        names.next() == Some(OsStr::new("/")) && names.next() == Some(OsStr::new("rustc"));
    match is_rust && names.next().is_some() {
        true => names.as_path(),
        false => file,
    }
}

/// Describes an address by the debug information; `None` if that does not know it.
fn lines(
    context: &Context<EndianSlice<'_, Little>>,
    address: u64,
    directory: Option<&Path>,
) -> Option<Described> {
    let mut frames = context.find_frames(address).skip_all_loads().ok()?;
    let mut described = Vec::new();
    while let Ok(Some(frame)) = frames.next() {
        let function = frame.function.as_ref()?;
        let name = demangled(&function.raw_name().ok()?);
        let place = frame.location.and_then(|location| {
            let file = Path::new(location.file?);
            let below = directory.and_then(|directory| file.strip_prefix(directory).ok());
            let file = shortened(below.unwrap_or(file)).display();
            Some(match location.line {
                Some(line) => format!(" at {file}:{line}"),
                None => format!(" at {file}"),
            })
        });
        described.push(format!("{name}{}", place.unwrap_or_default()));
    }
    (!described.is_empty()).then_some(described)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_rusts_libraries_are_short() {
        for (path, expected) in [
            (
                "/rustc/0123abcd/library/std/src/rt.rs",
                "library/std/src/rt.rs",
            ),
            ("/rustc", "/rustc"),
            ("/home/rustc/a.rs", "/home/rustc/a.rs"),
            ("src/lib.rs", "src/lib.rs"),
        ] {
            assert_eq!(shortened(Path::new(path)), Path::new(expected));
        }
    }
}
