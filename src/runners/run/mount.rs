//! Parses mounts on a command line: `type=bind,source=.,target=/src,readonly`.

use std::path::{Path, PathBuf};

use maelstrom_model::job::{BindAccess, Mount, MountKind, WhenForbidden};

/// The types of mounts by name.
const TYPES: [(&str, MountOptionType); 7] = [
    ("bind", MountOptionType::Bind),
    ("devpts", MountOptionType::New(MountKind::DevPts)),
    ("mqueue", MountOptionType::New(MountKind::MessageQueue)),
    ("proc", MountOptionType::New(MountKind::Proc)),
    (
        "sys",
        MountOptionType::New(MountKind::Sys {
            when_forbidden: WhenForbidden::Fail,
        }),
    ),
    ("tmp", MountOptionType::New(MountKind::Tmp)),
    ("tmpfs", MountOptionType::New(MountKind::Tmp)),
];

#[derive(Debug)]
enum MountOptionType {
    Bind,
    New(MountKind),
}

/// The reason why a text is not a valid mount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MountError {
    #[error("there is no type `{name}` of mounts")]
    Type { name: String },
    #[error("`{part}` is not a part of a mount")]
    Part { part: String },
    /// A required part is missing.
    #[error("a mount of type `{kind}` needs a `{part}`")]
    Missing {
        kind: &'static str,
        part: &'static str,
    },
    /// A part that only bind mounts have, in a mount of another type.
    #[error("only a mount of type `bind` has a `{part}`")]
    Surplus { part: &'static str },
    /// The mount point is not an absolute path below the root.
    #[error("`{}` cannot be a mount point, which is an absolute path below the root", path.display())]
    Target { path: PathBuf },
}

/// Parses a mount. Relative sources start at `directory`.
pub fn mount(text: &str, directory: &Path) -> Result<Mount, MountError> {
    let mut kind = "bind";
    let (mut source, mut target, mut access) = (None, None, None);
    for part in text.split(',') {
        match part.split_once('=').unwrap_or((part, "")) {
            ("type", name) => kind = name,
            ("source" | "src", path) => source = Some(directory.join(path)),
            ("target" | "dst" | "destination", path) => target = Some(PathBuf::from(path)),
            ("readonly" | "ro", "" | "true") => access = Some(BindAccess::ReadOnly),
            ("readonly" | "ro", "false") | ("rw", "") => access = Some(BindAccess::ReadWrite),
            _ => {
                return Err(MountError::Part {
                    part: part.to_owned(),
                });
            }
        }
    }
    let found = TYPES.into_iter().find(|(name, _)| *name == kind);
    let Some((name, kind)) = found else {
        return Err(MountError::Type {
            name: kind.to_owned(),
        });
    };
    let missing = |part| MountError::Missing { kind: name, part };
    let mount_point = target.ok_or_else(|| missing("target"))?;
    if !mount_point.is_absolute() || mount_point.parent().is_none() {
        return Err(MountError::Target { path: mount_point });
    }
    let kind = match (kind, source, access) {
        (MountOptionType::Bind, source, access) => MountKind::Bind {
            source: source.ok_or_else(|| missing("source"))?,
            access: access.unwrap_or(BindAccess::ReadWrite),
        },
        (MountOptionType::New(kind), None, None) => kind,
        (MountOptionType::New(_), Some(_), _) => {
            return Err(MountError::Surplus { part: "source" });
        }
        (MountOptionType::New(_), None, Some(_)) => {
            return Err(MountError::Surplus { part: "readonly" });
        }
    };
    Ok(Mount { mount_point, kind })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_read() {
        let read = |text| mount(text, Path::new("/here")).unwrap();
        assert_eq!(
            read("type=bind,source=src,target=/x,readonly"),
            Mount {
                mount_point: "/x".into(),
                kind: MountKind::Bind {
                    source: "/here/src".into(),
                    access: BindAccess::ReadOnly
                }
            }
        );
        assert_eq!(
            read("src=/a,dst=/b"),
            Mount {
                mount_point: "/b".into(),
                kind: MountKind::Bind {
                    source: "/a".into(),
                    access: BindAccess::ReadWrite
                }
            }
        );
        assert_eq!(read("type=tmpfs,target=/t").kind, MountKind::Tmp);
    }

    #[test]
    fn mistakes_are_told() {
        let told = [
            "type=nfs,target=/x",
            "type=tmp",
            "target=/x",
            "source=/x,target=x",
            "source=/x,target=/",
            "type=tmp,target=/x,source=/y",
            "type=tmp,target=/x,ro",
            "source=/x,target=/y,readonly=maybe",
            "/x:/y",
        ]
        .map(|text| mount(text, Path::new("/")).unwrap_err().to_string());
        insta::assert_snapshot!(told.join("\n"));
    }
}
