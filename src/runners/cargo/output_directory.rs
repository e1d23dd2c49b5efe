//! Where cargo puts what it builds.

use cargo_metadata::camino::{Utf8Path, Utf8PathBuf};

use super::options::CargoBuildOptions;

/// Returns the directory of build outputs with these options, relative to the target directory.
pub(super) fn output_directory(options: &CargoBuildOptions) -> Utf8PathBuf {
    // The built-in profiles `bench` and `test` use the directories of `release` and `dev`.
    let profile = match (options.release, options.profile.as_deref()) {
        (true, _) | (false, Some("bench")) => "release",
        (false, None | Some("dev" | "test")) => "debug",
        (false, Some(profile)) => profile,
    };
    let mut directory = Utf8PathBuf::new();
    if let Some(target) = &options.target {
        // For a target specification file, cargo uses the file's name.
        let named = Utf8Path::new(target).file_stem();
        let named = named.filter(|_| target.ends_with(".json"));
        directory.push(named.unwrap_or(target));
    }
    directory.join(profile)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_lies_where_profile_and_target_say() {
        for (release, profile, target, expected) in [
            (false, None, None, "debug"),
            (true, None, None, "release"),
            (false, Some("test"), None, "debug"),
            (false, Some("bench"), None, "release"),
            (false, Some("small"), None, "small"),
            (
                false,
                None,
                Some("x86_64-unknown-linux-gnu"),
                "x86_64-unknown-linux-gnu/debug",
            ),
            (true, None, Some("targets/own.json"), "own/release"),
        ] {
            let options = CargoBuildOptions {
                release,
                profile: profile.map(str::to_owned),
                target: target.map(str::to_owned),
                ..CargoBuildOptions::default()
            };
            assert_eq!(output_directory(&options), Utf8Path::new(expected));
        }
    }
}
