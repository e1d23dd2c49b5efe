//! The files that a process executes, and the unwinding of its stacks.
//!
//! A file is read as far as it is needed ([`ReadCache`]), and lives as long as everything that
//! refers to it.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Range;
use std::path::PathBuf;

use framehop::{CacheNative, ExplicitModuleSectionInfo, MayAllocateDuringUnwind, Module, Unwinder};
use object::read::ReadCache;
use object::read::elf::{ElfFile64, ProgramHeader};
use object::{LittleEndian, Object, ObjectSection};

use super::registers::{Registers, StackUnwinder};
use super::target::{ExecutableMapping, Target, TargetMemory};

/// The maximum number of frames of a stack. The innermost ones show where a thread is; an endless
/// recursion has millions.
const FRAMES_MAX: usize = 64;

/// An ELF file of which parts have been read.
pub(crate) type Elf<'a> = ElfFile64<'a, LittleEndian, &'a ReadCache<File>>;

/// The files of a process, opened.
pub(crate) struct OpenFiles(Vec<(ExecutableMapping, ReadCache<File>)>);

impl OpenFiles {
    /// Opens the files that a process executes. Files that cannot be opened are left out: frames in
    /// them have no name.
    pub(crate) fn of(target: &Target) -> OpenFiles {
        let mappings = target.mappings().unwrap_or_default();
        let mut files: BTreeMap<PathBuf, (ExecutableMapping, ReadCache<File>)> = BTreeMap::new();
        for mapping in mappings {
            match files.get_mut(&mapping.path) {
                // Code in several pieces.
                Some((first, _)) => first.end = first.end.max(mapping.end),
                None => {
                    if let Ok(file) = target.open(&mapping.path) {
                        let path = mapping.path.clone();
                        files.insert(path, (mapping, ReadCache::new(file)));
                    }
                }
            }
        }
        OpenFiles(files.into_values().collect())
    }

    /// Parses the files.
    pub(crate) fn modules(&self) -> Vec<LoadedModule<'_>> {
        let files = self.0.iter();
        files
            .filter_map(|(mapping, data)| LoadedModule::new(mapping, data))
            .collect()
    }
}

/// A file of code, and where it is in the memory of a process.
pub(crate) struct LoadedModule<'a> {
    pub name: String,
    pub elf: Elf<'a>,
    /// The addresses of its code.
    addresses: Range<u64>,
    /// The difference between addresses in memory and those in the file.
    bias: u64,
}

impl<'a> LoadedModule<'a> {
    fn new(mapping: &ExecutableMapping, data: &'a ReadCache<File>) -> Option<LoadedModule<'a>> {
        let elf = Elf::parse(data).ok()?;
        let endian = elf.endian();
        let bias = elf.elf_program_headers().iter().find_map(|header| {
            let (offset, size) = header.file_range(endian);
            let mapped = mapping
                .offset
                .saturating_add(mapping.end.saturating_sub(mapping.start));
            // A mapping has whole pages, so it begins before its segment, and a page of the file may
            // be in two.
            let is_it = header.p_type(endian) == object::elf::PT_LOAD
                && header.p_flags(endian).contains(object::elf::PF_X)
                && offset < mapped
                && mapping.offset < offset.saturating_add(size);
            let first = header.p_vaddr(endian).wrapping_sub(offset);
            let first = first.wrapping_add(mapping.offset);
            is_it.then(|| mapping.start.wrapping_sub(first))
        })?;
        let name = mapping.path.file_name()?.to_string_lossy().into_owned();
        Some(LoadedModule {
            name,
            elf,
            addresses: mapping.start..mapping.end,
            bias,
        })
    }

    /// Returns the address in the file for one in memory, if this module has it.
    pub(crate) fn address(&self, address: u64) -> Option<u64> {
        let is_here = self.addresses.contains(&address);
        is_here.then(|| address.wrapping_sub(self.bias))
    }

    fn unwind_module(&self) -> Module<&'a [u8]> {
        let section = |name: &str| self.elf.section_by_name(name);
        let range = |name: &str| {
            let section = section(name)?;
            Some(section.address()..section.address().checked_add(section.size())?)
        };
        let data = |name: &str| section(name)?.data().ok();
        let sections = ExplicitModuleSectionInfo {
            base_svma: 0,
            text_svma: range(".text"),
            text: data(".text"),
            got_svma: range(".got"),
            eh_frame_svma: range(".eh_frame"),
            eh_frame: data(".eh_frame"),
            eh_frame_hdr_svma: range(".eh_frame_hdr"),
            eh_frame_hdr: data(".eh_frame_hdr"),
            debug_frame: data(".debug_frame"),
            ..ExplicitModuleSectionInfo::default()
        };
        Module::new(
            self.name.clone(),
            self.addresses.clone(),
            self.bias,
            sections,
        )
    }
}

/// Unwinds the stacks of a process.
pub(crate) struct ProcessUnwinder<'a> {
    unwinder: StackUnwinder<'a>,
    cache: CacheNative<MayAllocateDuringUnwind>,
}

impl<'a> ProcessUnwinder<'a> {
    pub(crate) fn new(modules: &[LoadedModule<'a>]) -> ProcessUnwinder<'a> {
        let mut unwinder = StackUnwinder::new();
        for module in modules {
            unwinder.add_module(module.unwind_module());
        }
        ProcessUnwinder {
            unwinder,
            cache: CacheNative::new(),
        }
    }

    /// Returns the addresses of a thread's frames, the innermost first. Those of callers are within
    /// the call instruction.
    pub(crate) fn frames(&mut self, registers: Registers, memory: &TargetMemory) -> Vec<u64> {
        let mut read = |address| memory.word(address).ok_or(());
        let Registers {
            instruction,
            unwind,
        } = registers;
        let mut frames = self
            .unwinder
            .iter_frames(instruction, unwind, &mut self.cache, &mut read);
        let mut found = Vec::new();
        // An error is the end of what can be told.
        while found.len() < FRAMES_MAX
            && let Ok(Some(frame)) = frames.next()
        {
            found.push(frame.address_for_lookup());
        }
        found
    }
}
