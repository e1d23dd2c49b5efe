//! The options for a part of the tests: `--partition`, and the files of the tests' times.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

use super::help_order;

/// The part of the tests that a run takes, and the files of the tests' times.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Running")]
pub struct PartitionOptions {
    /// Run only this part of the tests, so that several machines can share them: slice:M/N, hash:M/N,
    /// time:M/N or count:M/N
    #[arg(long, value_name = "PART", display_order = help_order::STOP_AFTER + 4)]
    pub partition: Option<PartitionOption>,

    /// File with the times of tests for --partition=time:M/N, or a directory of such files; may be
    /// repeated
    #[arg(
        long,
        value_name = "FILE",
        requires = "partition",
        display_order = help_order::STOP_AFTER + 5
    )]
    pub partition_times: Vec<PathBuf>,

    /// Write how long each test took to this file, for --partition-times
    #[arg(long, value_name = "FILE", display_order = help_order::STOP_AFTER + 6)]
    pub write_times: Option<PathBuf>,
}

/// A part of the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionOption {
    pub scheme: PartitionSchemeOption,
    /// The number of the part, at most `parts`.
    pub part: NonZeroU32,
    pub parts: NonZeroU32,
}

/// How tests are divided into parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartitionSchemeOption {
    Slice,
    Count,
    Hash,
    Time,
}

impl FromStr for PartitionOption {
    type Err = String;

    fn from_str(text: &str) -> Result<PartitionOption, String> {
        let expected = || {
            "slice:M/N, hash:M/N, time:M/N or count:M/N is expected, where M is from 1 to N, such as \
             slice:1/4"
                .to_owned()
        };
        let (scheme, part) = text.split_once(':').ok_or_else(expected)?;
        let (part, parts) = part.split_once('/').ok_or_else(expected)?;
        let number = |text: &str| text.parse::<NonZeroU32>().map_err(|_| expected());
        let option = PartitionOption {
            scheme: match scheme {
                "slice" => PartitionSchemeOption::Slice,
                "count" => PartitionSchemeOption::Count,
                "hash" => PartitionSchemeOption::Hash,
                "time" => PartitionSchemeOption::Time,
                _ => return Err(expected()),
            },
            part: number(part)?,
            parts: number(parts)?,
        };
        match option.part <= option.parts {
            true => Ok(option),
            false => Err(expected()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_has_a_scheme_and_two_numbers() {
        for (text, scheme) in [
            ("slice:1/1", PartitionSchemeOption::Slice),
            ("count:1/1", PartitionSchemeOption::Count),
            ("hash:1/1", PartitionSchemeOption::Hash),
            ("time:1/1", PartitionSchemeOption::Time),
        ] {
            assert_eq!(text.parse::<PartitionOption>().unwrap().scheme, scheme);
        }
        let option: PartitionOption = "hash:3/4".parse().unwrap();
        assert_eq!((option.part.get(), option.parts.get()), (3, 4));
        for wrong in [
            "",
            "1/4",
            "hash",
            "hash:",
            "hash:1",
            "hash:0/4",
            "hash:5/4",
            "hash:1/0",
            "hash:-1/4",
            "hash:1/4/2",
            "hash:a/b",
            "Hash:1/4",
            "random:1/4",
            "hash: 1/4",
        ] {
            let error = wrong.parse::<PartitionOption>().unwrap_err();
            assert!(error.contains("slice:1/4"), "{wrong}");
        }
    }
}
