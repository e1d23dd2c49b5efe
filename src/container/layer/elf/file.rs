//! Parses the dynamic section of an ELF file: the libraries that it needs, and where to look for
//! them.
//!
//! Only the program headers are used, because section headers may have been stripped, and only the
//! relevant parts of the file are read, because a test binary may have 100 MB.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use object::Endianness;
use object::elf::{
    DF_1_NODEFLIB, DT_FLAGS_1, DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_SONAME, DT_STRSZ, DT_STRTAB,
    Dyn64, ELFMAG, EM_AARCH64, EM_X86_64, FileHeader64, PT_LOAD, ProgramHeader64,
};
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use object::read::{ReadCache, ReadRef};

/// A supported CPU architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ElfMachine {
    X86_64,
    Aarch64,
}

/// The dynamic linking information of a file.
#[derive(Clone, Debug)]
pub(super) struct ElfFile {
    pub(super) machine: ElfMachine,
    /// The loader, which only programs specify.
    pub(super) interpreter: Option<PathBuf>,
    pub(super) soname: Option<OsString>,
    pub(super) needed: Vec<OsString>,
    pub(super) search: SearchPath,
    pub(super) default_directories: DefaultDirectories,
}

/// The search path in the file. Tokens such as `$ORIGIN` are not expanded yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SearchPath {
    None,
    /// `DT_RPATH`: searched before `LD_LIBRARY_PATH`, also for the libraries of its libraries.
    Inherited(Vec<OsString>),
    /// `DT_RUNPATH`: searched after `LD_LIBRARY_PATH`, only for the libraries that the file itself
    /// needs.
    Own(Vec<OsString>),
}

/// Whether the system's library directories are searched for a file's libraries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DefaultDirectories {
    Searched,
    Ignored,
}

/// Why an ELF file cannot be parsed.
#[derive(Debug, thiserror::Error)]
pub enum ElfFileError {
    /// The file cannot be read.
    #[error("it cannot be read")]
    Read(#[from] io::Error),
    #[error("it is not an ELF file")]
    NotElf,
    /// The file has another class, byte order or architecture.
    #[error("it is not for 64-bit x86-64 or aarch64 machines")]
    Machine,
    /// The tables of the file are inconsistent with one another or with its size.
    #[error("it is a damaged ELF file: {0}")]
    Damaged(&'static str),
}

impl ElfMachine {
    /// The architecture for which this program was compiled.
    #[cfg(test)]
    pub(super) const HOST: ElfMachine = if cfg!(target_arch = "x86_64") {
        ElfMachine::X86_64
    } else {
        ElfMachine::Aarch64
    };

    /// Returns the value of `$PLATFORM`, which musl also uses in file names.
    pub(super) fn name(self) -> &'static str {
        match self {
            ElfMachine::X86_64 => "x86_64",
            ElfMachine::Aarch64 => "aarch64",
        }
    }
}

type ElfHeader = FileHeader64<Endianness>;
type ElfSegment = ProgramHeader64<Endianness>;
type ElfReadCache<'cache> = &'cache ReadCache<File>;

impl ElfFile {
    /// Reads the dynamic linking information of a file.
    pub(super) fn read(path: &Path) -> Result<Self, ElfFileError> {
        // Non-blocking, because opening a FIFO would wait for a writer.
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(path)?;
        if !file.metadata()?.is_file() {
            return Err(ElfFileError::NotElf);
        }
        let cache = ReadCache::new(file);
        parse(&cache)
    }
}

fn parse(data: ElfReadCache<'_>) -> Result<ElfFile, ElfFileError> {
    let damaged = ElfFileError::Damaged;
    let magic = data.read_bytes_at(0, ELFMAG.len() as u64);
    if magic != Ok(&ELFMAG) {
        return Err(ElfFileError::NotElf);
    }
    // The magic number is correct, so an error means another class or byte order.
    let header = ElfHeader::parse(data).map_err(|_| ElfFileError::Machine)?;
    let endian = header.endian().map_err(|_| ElfFileError::Machine)?;
    let machine = match header.e_machine(endian) {
        EM_X86_64 => ElfMachine::X86_64,
        EM_AARCH64 => ElfMachine::Aarch64,
        _ => return Err(ElfFileError::Machine),
    };
    let segments = header
        .program_headers(endian, data)
        .map_err(|_| damaged("its program headers lie outside"))?;
    let mut interpreter = None;
    let mut entries: &[Dyn64<Endianness>] = &[];
    for segment in segments {
        let found = segment
            .interpreter(endian, data)
            .map_err(|_| damaged("its interpreter's name lies outside"))?;
        if let Some(name) = found {
            interpreter = Some(PathBuf::from(OsStr::from_bytes(name)));
        }
        let found = segment
            .dynamic(endian, data)
            .map_err(|_| damaged("its dynamic segment lies outside"))?;
        if let Some(dynamic) = found {
            entries = dynamic;
        }
    }
    let table = StringTable::find(endian, segments, entries, data)?;
    let mut file = ElfFile {
        machine,
        interpreter,
        soname: None,
        needed: Vec::new(),
        search: SearchPath::None,
        default_directories: DefaultDirectories::Searched,
    };
    let (mut rpath, mut runpath) = (None, None);
    for (tag, value) in values(endian, entries) {
        match tag {
            DT_NEEDED => file.needed.push(table.string(value)?),
            DT_SONAME => file.soname = Some(table.string(value)?),
            DT_RPATH => rpath = Some(directories(&table.string(value)?)),
            DT_RUNPATH => runpath = Some(directories(&table.string(value)?)),
            DT_FLAGS_1 if value & DF_1_NODEFLIB.0 != 0 => {
                file.default_directories = DefaultDirectories::Ignored;
            }
            _ => {}
        }
    }
    // If both are present, the loader ignores DT_RPATH (ld.so(8)).
    file.search = match (runpath, rpath) {
        (Some(runpath), _) => SearchPath::Own(runpath),
        (None, Some(rpath)) => SearchPath::Inherited(rpath),
        (None, None) => SearchPath::None,
    };
    Ok(file)
}

/// Returns the dynamic entries up to the terminating one.
fn values(
    endian: Endianness,
    entries: &[Dyn64<Endianness>],
) -> impl Iterator<Item = (object::elf::DynamicTag, u64)> {
    entries
        .iter()
        .map(move |entry| (entry.d_tag(endian), entry.d_val(endian)))
        .take_while(|(tag, _)| *tag != object::elf::DT_NULL)
}

fn directories(list: &OsStr) -> Vec<OsString> {
    list.as_bytes()
        .split(|byte| *byte == b':')
        .map(|directory| OsStr::from_bytes(directory).to_owned())
        .collect()
}

struct StringTable<'cache> {
    bytes: &'cache [u8],
}

impl<'cache> StringTable<'cache> {
    fn find(
        endian: Endianness,
        segments: &[ElfSegment],
        entries: &[Dyn64<Endianness>],
        data: ElfReadCache<'cache>,
    ) -> Result<Self, ElfFileError> {
        let value = |wanted| {
            values(endian, entries)
                .find(|(tag, _)| *tag == wanted)
                .map(|(_, value)| value)
        };
        let (Some(address), Some(size)) = (value(DT_STRTAB), value(DT_STRSZ)) else {
            return Ok(StringTable { bytes: &[] });
        };
        let outside = ElfFileError::Damaged("its string table lies outside");
        let offset = segments
            .iter()
            .filter(|segment| segment.p_type(endian) == PT_LOAD)
            .find_map(|segment| {
                let within = address.checked_sub(segment.p_vaddr(endian))?;
                let (offset, length) = segment.file_range(endian);
                (within < length).then(|| offset.checked_add(within))?
            });
        match offset.map(|offset| data.read_bytes_at(offset, size)) {
            Some(Ok(bytes)) => Ok(StringTable { bytes }),
            Some(Err(())) | None => Err(outside),
        }
    }

    fn string(&self, offset: u64) -> Result<OsString, ElfFileError> {
        usize::try_from(offset)
            .ok()
            .and_then(|offset| self.bytes.get(offset..))
            .and_then(|rest| rest.split(|byte| *byte == 0).next())
            .map(|name| OsStr::from_bytes(name).to_owned())
            .ok_or(ElfFileError::Damaged(
                "a name lies outside its string table",
            ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> Result<ElfFile, ElfFileError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, bytes).unwrap();
        ElfFile::read(&path)
    }

    /// Returns the beginning of this program's file, with its headers and dynamic segment.
    fn own_head() -> Vec<u8> {
        use std::io::Read;
        let file = File::open(std::env::current_exe().unwrap()).unwrap();
        let mut head = Vec::new();
        file.take(4096).read_to_end(&mut head).unwrap();
        head
    }

    #[test]
    fn this_program_names_its_loader_and_its_c_library() {
        let file = ElfFile::read(&std::env::current_exe().unwrap()).unwrap();
        assert_eq!(file.machine, ElfMachine::HOST);
        assert!(file.interpreter.unwrap().is_absolute());
        assert!(
            file.needed
                .iter()
                .any(|name| name.to_string_lossy().starts_with("libc.")),
        );
    }

    #[test]
    fn what_is_no_elf_file_for_us_is_told_apart() {
        assert!(matches!(read(b"#!/bin/sh\n"), Err(ElfFileError::NotElf)));
        assert!(matches!(read(b""), Err(ElfFileError::NotElf)));
        assert!(matches!(
            ElfFile::read(Path::new("/")),
            Err(ElfFileError::NotElf)
        ));
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let nobody_writes = ElfFile::read(&pipe);
        assert!(matches!(nobody_writes, Err(ElfFileError::NotElf)));
        let mut head = own_head();
        head[4] = 1;
        assert!(matches!(read(&head), Err(ElfFileError::Machine)), "32 bits");
        let mut head = own_head();
        head[18..20].copy_from_slice(&243u16.to_le_bytes());
        assert!(matches!(read(&head), Err(ElfFileError::Machine)), "RISC-V");
    }

    #[test]
    fn a_cut_file_is_damaged() {
        let head = own_head();
        assert!(matches!(read(&head[..64]), Err(ElfFileError::Damaged(_))));
        assert!(matches!(read(&head), Err(ElfFileError::Damaged(_))));
    }

    proptest! {
        #[test]
        fn scribbled_files_never_panic(
            changes in prop::collection::vec((0usize..1024, any::<u8>()), 1..20),
            length in 0usize..4096,
        ) {
            let mut head = own_head();
            for (at, byte) in changes {
                head[at] = byte;
            }
            head.truncate(length);
            let _ = read(&head);
        }
    }
}
