//! What a message may hold at most, checked before anything is made of it.
//!
//! A number here is well above what real projects need and well below what hurts: the largest
//! message still fits in memory many times over.

/// One message of `maelstrom.v1`, encoded: 10,000 jobs of 400 bytes each.
pub const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A path, as the kernel has it (`PATH_MAX`, `path_resolution(7)`).
pub const PATH_BYTES_MAX: usize = 4096;

/// A host name, as the kernel has it (`uname(2)`).
pub const HOSTNAME_BYTES_MAX: usize = 64;

/// One argument or variable, as the kernel has it (`MAX_ARG_STRLEN`, `execve(2)`).
pub const STRING_BYTES_MAX: usize = 128 * 1024;

/// Arguments of a program; the kernel's limit is one of their bytes.
pub const ARGUMENTS_MAX: usize = 65_536;

/// Variables of an environment.
pub const VARIABLES_MAX: usize = 16_384;

/// Arguments, or variables, of a program together: the kernel's limit with its usual stack of
/// 8 MiB (`execve(2)`).
pub const STRINGS_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Mounts of a container. A project's own, and one for each directory that a machine lends.
pub const MOUNTS_MAX: usize = 4096;

/// Entries of a container's skeleton.
pub const SKELETON_ENTRIES_MAX: usize = 65_536;

/// Layers of a container: what an overlay takes (`ovl_max_layers`, Linux 6.5), and images have at
/// most 127.
pub const LAYERS_MAX: usize = 500;

/// Paths that a template's workers must have.
pub const TOOLBOX_PATHS_MAX: usize = 1024;

/// What tells one machine's files from another's.
pub const TOOLBOX_IDENTITY_BYTES_MAX: usize = 64;

/// A name of a processor architecture.
pub const ARCHITECTURE_BYTES_MAX: usize = 64;

/// A content. What is larger is no input of a test.
pub const CONTENT_BYTES_MAX: u64 = 1 << 40;

/// A text for people: why a job could not be run, or what a machine lacks.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;
