//! The platforms of images, and which of them a machine can run.

use std::fmt;

use serde::Deserialize;

/// A platform, in the terms of the OCI image specification (which are Go's).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Platform {
    pub os: String,
    pub architecture: String,
    #[serde(default)]
    pub variant: Option<String>,
}

impl Platform {
    /// Returns the platform that this program was compiled for.
    pub fn host() -> Self {
        #[cfg(target_arch = "x86_64")]
        let (architecture, variant) = ("amd64", None::<&str>);
        #[cfg(target_arch = "aarch64")]
        let (architecture, variant) = ("arm64", Some("v8"));
        Platform {
            os: "linux".to_owned(),
            architecture: architecture.to_owned(),
            variant: variant.map(str::to_owned),
        }
    }

    /// Ranks an image's platform for this one: smaller is better, `None` means that it can't run.
    pub(super) fn rank(&self, offered: &Platform) -> Option<u8> {
        if (&offered.os, &offered.architecture) != (&self.os, &self.architecture) {
            return None;
        }
        match (&offered.variant, &self.variant) {
            (offered, wanted) if offered == wanted => Some(0),
            _ if offered.is_baseline() => Some(1),
            // Another variant of a CPU family may require features that this machine lacks.
            _ => None,
        }
    }

    /// Returns whether every machine of the architecture can run it.
    fn is_baseline(&self) -> bool {
        match self.variant.as_deref() {
            None | Some("") => true,
            Some("v8") => self.architecture == "arm64",
            Some("v1") => self.architecture == "amd64",
            Some(_) => false,
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(formatter, "/{variant}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_a_platform() {
        let host = Platform::host().to_string();
        assert!(
            ["linux/amd64", "linux/arm64/v8"].contains(&host.as_str()),
            "{host}"
        );
    }
}
