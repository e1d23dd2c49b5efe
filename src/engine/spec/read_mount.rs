//! Reads mounts from a document: tables whose `type` determines the other fields.

use std::path::{Component, Path, PathBuf};

use crate::document::{DocumentNode, DocumentTable, SpanError};
use maelstrom_container::spec::{BindAccess, DeviceKind, Mount, MountKind, WhenForbidden};

use super::read_node::{SpecResult, boolean, choice, into_table, list, require, text};
use super::reader::SpecReader;

#[derive(Clone, Copy)]
enum MountTag {
    Bind,
    Devices,
    At(fn() -> MountKind),
}

const KINDS: [(&str, MountTag); 7] = [
    ("bind", MountTag::Bind),
    ("devices", MountTag::Devices),
    ("devpts", MountTag::At(|| MountKind::DevPts)),
    ("mqueue", MountTag::At(|| MountKind::MessageQueue)),
    ("proc", MountTag::At(|| MountKind::Proc)),
    (
        "sys",
        MountTag::At(|| MountKind::Sys {
            when_forbidden: WhenForbidden::Fail,
        }),
    ),
    ("tmp", MountTag::At(|| MountKind::Tmp)),
];

/// The fields of a `bind` mount.
pub(super) const BIND_FIELDS: [&str; 4] = ["type", "mount_point", "local_path", "read_only"];

/// The fields of a `devices` mount.
pub(super) const DEVICES_FIELDS: [&str; 2] = ["type", "devices"];

/// The fields of any other mount.
pub(super) const POINT_FIELDS: [&str; 2] = ["type", "mount_point"];

/// Returns the types of mounts, each with its fields.
pub(super) fn mount_types() -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
    KINDS.into_iter().map(|(name, tag)| match tag {
        MountTag::Bind => (name, BIND_FIELDS.as_slice()),
        MountTag::Devices => (name, DEVICES_FIELDS.as_slice()),
        MountTag::At(_) => (name, POINT_FIELDS.as_slice()),
    })
}

/// Reads a mount. A `devices` mount results in one mount per device.
pub(super) fn mount(reader: &SpecReader<'_>, node: DocumentNode) -> SpecResult<Vec<Mount>> {
    let span = node.span.clone();
    let mut table = into_table(node, "a mount")?;
    if let Some(field) = table.fields.iter().find(|field| field.name == "fs_type") {
        return Err(SpanError {
            span: field.span.clone(),
            message: "`fs_type` is no longer a field".to_owned(),
            help: Some("write `type`".to_owned()),
        });
    }
    let kind = require(&mut table, "type", "a mount", &span)?;
    let kind = choice(&kind.node, &KINDS)?;
    match kind {
        MountTag::Bind => {
            let mount_point = mount_point(&mut table, &span)?;
            let source = require(&mut table, "local_path", "a `bind` mount", &span)?;
            let source = reader.context.project.join(text(source.node, "a string")?);
            let read_only = table.take("read_only");
            let read_only = read_only.map(|field| boolean(&field.node)).transpose()?;
            let access = match read_only {
                Some(true) => BindAccess::ReadOnly,
                Some(false) | None => BindAccess::ReadWrite,
            };
            table.finish("a `bind` mount", &BIND_FIELDS)?;
            let kind = MountKind::Bind { source, access };
            Ok(vec![Mount { mount_point, kind }])
        }
        MountTag::Devices => {
            let devices = require(&mut table, "devices", "a `devices` mount", &span)?;
            table.finish("a `devices` mount", &DEVICES_FIELDS)?;
            let known = DeviceKind::ALL.map(|device| (device.name(), device));
            let devices = list(devices.node, "an array of devices")?;
            let device = |node: &DocumentNode| choice(node, &known).map(device_mount);
            devices.iter().map(device).collect()
        }
        MountTag::At(kind) => {
            let mount_point = mount_point(&mut table, &span)?;
            table.finish("this mount", &POINT_FIELDS)?;
            let kind = kind();
            Ok(vec![Mount { mount_point, kind }])
        }
    }
}

fn device_mount(device: DeviceKind) -> Mount {
    Mount {
        mount_point: Path::new("/dev").join(device.name()),
        kind: MountKind::Device(device),
    }
}

/// Reads a mount point. It is relative to the root, whatever the working directory of jobs.
fn mount_point(table: &mut DocumentTable, span: &std::ops::Range<usize>) -> SpecResult<PathBuf> {
    let field = require(table, "mount_point", "a mount", span)?;
    let span = field.node.span.clone();
    let written = PathBuf::from(text(field.node, "a string")?);
    let mut path = PathBuf::from("/");
    for component in written.components() {
        match component {
            Component::Normal(name) => path.push(name),
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => {
                return Err(SpanError {
                    span,
                    message: "a mount point may not hold `..`".to_owned(),
                    help: None,
                });
            }
        }
    }
    if path == Path::new("/") {
        return Err(SpanError {
            span,
            message: "nothing can be mounted at the root".to_owned(),
            help: Some("the root is made of layers".to_owned()),
        });
    }
    Ok(path)
}
