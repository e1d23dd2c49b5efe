//! The version of the running kernel, which determines the features that containers can use.

use std::fs;

/// Returns the major and minor version of the running kernel, or zeros if it is unknown.
pub fn kernel_version() -> (u32, u32) {
    parse_release(&fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default())
}

fn parse_release(release: &str) -> (u32, u32) {
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map(|part| part.parse().ok());
    let mut next = || numbers.next().flatten().unwrap_or(0);
    (next(), next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_begins_with_two_numbers() {
        assert_eq!(parse_release("6.18.44-fc-v669\n"), (6, 18));
        assert_eq!(parse_release("garbage"), (0, 0));
    }
}
