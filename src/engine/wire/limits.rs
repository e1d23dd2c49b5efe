//! Limits on messages, checked before anything is allocated for them.
//!
//! Each limit is well above what real projects need, and low enough that many messages of the
//! largest size fit in memory.

use maelstrom_model::event::untrusted_text::{UntrustedText, clean};

use super::v1;

/// The size of one encoded message of `maelstrom.v1`: 10,000 jobs of 400 bytes each.
pub const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The length of a path, as limited by the kernel (`PATH_MAX`, `path_resolution(7)`).
pub const PATH_BYTES_MAX: usize = 4096;

/// The length of a host name, as limited by the kernel (`uname(2)`).
pub const HOSTNAME_BYTES_MAX: usize = 64;

/// The length of one argument or variable, as limited by the kernel (`MAX_ARG_STRLEN`,
/// `execve(2)`).
pub const STRING_BYTES_MAX: usize = 128 * 1024;

/// The number of arguments of a program; the kernel limits only their total size.
pub const ARGUMENTS_MAX: usize = 65_536;

/// The number of variables of an environment.
pub const VARIABLES_MAX: usize = 16_384;

/// The total size of a program's arguments, and of its variables: the kernel's limit with its usual
/// stack of 8 MiB (`execve(2)`).
pub const STRINGS_BYTES_MAX: usize = 2 * 1024 * 1024;

/// The number of mounts of a container: those of the project, and one for each directory that a
/// host provides.
pub const MOUNTS_MAX: usize = 4096;

/// The number of entries of a container's skeleton.
pub const SKELETON_ENTRIES_MAX: usize = 65_536;

/// The number of devices that a container names. A pattern may match several.
pub const DEVICES_MAX: usize = 64;

/// The number of layers of a container: the limit of overlayfs (`ovl_max_layers`, Linux 6.5);
/// images have at most 127.
pub const LAYERS_MAX: usize = 500;

/// The number of host paths that a template's workers must have.
pub const TOOLBOX_PATHS_MAX: usize = 1024;

/// The size of a toolbox path's fingerprint.
pub const TOOLBOX_IDENTITY_BYTES_MAX: usize = 64;

/// The length of a processor architecture's name.
pub const ARCHITECTURE_BYTES_MAX: usize = 64;

/// The size of a single blob. Anything larger is not a test input.
pub const CONTENT_BYTES_MAX: u64 = 1 << 40;

/// The number of discarded files named in a message; the others are only counted.
pub const DISCARDED_FILES_MAX: usize = 100;

/// The total size of these names, which are stored with each result.
pub const DISCARDED_BYTES_MAX: usize = 4096;

/// The size of the name of a leaked process. The kernel's names have 15 bytes, and up to three times
/// as many where they are no UTF-8.
pub const LEAKED_NAME_BYTES_MAX: usize = 64;

/// The size of a message for people: why a job could not run, or what a machine lacks.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;

/// Truncates the list of discarded files to the limits of a message. Removed names are counted.
pub fn cut_discarded(discarded: &mut v1::Discarded) {
    let mut bytes = 0_usize;
    let mut fits = |file: &bytes::Bytes| {
        bytes = bytes.saturating_add(file.len());
        bytes <= DISCARDED_BYTES_MAX
    };
    let kept = discarded.files.iter().take(DISCARDED_FILES_MAX);
    let kept = kept.take_while(|file| fits(file)).count();
    let cut = discarded.files.len().saturating_sub(kept);
    let cut = u32::try_from(cut).unwrap_or(u32::MAX);
    discarded.files.truncate(kept);
    discarded.more = discarded.more.saturating_add(cut);
}

/// The length of a worker's or client's display name.
pub const NAME_BYTES_MAX: usize = 256;

/// Returns an error if a name is too long or not safe to display.
pub fn name(name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX || clean(name) != name {
        let shown: String = name.chars().take(40).collect();
        return Err(format!(
            "a name has 1 to {NAME_BYTES_MAX} bytes, and no characters that control a terminal or hide; \
             this one is {:?}",
            UntrustedText::from(shown)
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_file_is_lost_from_the_count(
            lengths in prop::collection::vec(0..2 * DISCARDED_BYTES_MAX / 20, 0..300),
            more: u32,
        ) {
            let files = lengths.iter().map(|length| vec![b'x'; *length].into());
            let mut discarded = v1::Discarded { files: files.collect(), more };
            let all = u64::from(more) + lengths.len() as u64;
            cut_discarded(&mut discarded);
            let bytes: usize = discarded.files.iter().map(bytes::Bytes::len).sum();
            prop_assert!(discarded.files.len() <= DISCARDED_FILES_MAX);
            prop_assert!(bytes <= DISCARDED_BYTES_MAX);
            let counted = u64::from(discarded.more) + discarded.files.len() as u64;
            prop_assert!(counted == all || discarded.more == u32::MAX);
        }
    }

    #[test]
    fn names_that_could_harm_a_terminal_are_refused() {
        assert_eq!(name("build-7"), Ok(()));
        for wrong in ["", "a\x1b[2J", "a\nb", "nimda\u{202e}", &"x".repeat(257)] {
            assert!(name(wrong).is_err(), "{wrong:?}");
        }
    }
}
