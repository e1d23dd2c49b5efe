//! Properties of all plans: everything that a job can write to is recreated for the next job, or is
//! audited, or belongs to the host because the specification requests that.
//!
//! The steps are executed on a model of a mount namespace.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::step::{FileSystem, RootWrites};

/// A mount in the model, classified by what happens to writes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Thing {
    ReadOnly,
    /// Writes persist as long as the container, and no audit checks them.
    Stays,
    /// Writes persist in a file system of the kernel whose state the audit checks.
    Kernel(FileSystem),
    /// Writes go to the scratch file system.
    Scratch,
    /// Writes reach this path of the host.
    Host(String),
}

/// A mount namespace: the mounts in the order in which they were made.
#[derive(Default)]
struct Namespace {
    mounts: Vec<(PathBuf, Thing)>,
    stash: BTreeMap<String, Thing>,
}

fn text(path: &CString) -> String {
    path.to_str().unwrap().to_owned()
}

impl Namespace {
    fn carry_out(&mut self, step: &ContainerStep) {
        let bound = |source: &CString, access: &BindAccess| match access {
            BindAccess::ReadOnly => Thing::ReadOnly,
            BindAccess::ReadWrite => Thing::Host(text(source)),
        };
        let (target, thing) = match step {
            ContainerStep::EnterEmptyRoot => ("/".to_owned(), Thing::Stays),
            ContainerStep::EnterLayers { writes, .. } => match writes {
                RootWrites::Refused => ("/".to_owned(), Thing::ReadOnly),
                RootWrites::Tmpfs => ("/".to_owned(), Thing::Stays),
            },
            ContainerStep::SealRoot => {
                let root = self.mounts.first_mut().unwrap();
                root.1 = Thing::ReadOnly;
                return;
            }
            ContainerStep::BindHost {
                source,
                target,
                access,
            } => (text(target), bound(source, access)),
            ContainerStep::StashHost {
                source,
                name,
                access,
            } => {
                self.stash.insert(text(name), bound(source, access));
                return;
            }
            ContainerStep::StashLevel { name, .. } => {
                self.stash.insert(text(name), Thing::Stays);
                return;
            }
            ContainerStep::BindStash { source, target } => {
                let source = text(source);
                let thing = match source.starts_with("scratch/") {
                    true => Thing::Scratch,
                    false => self.stash[&source].clone(),
                };
                (text(target), thing)
            }
            ContainerStep::MountOverlay {
                lower,
                upper,
                work,
                target,
                ..
            } => {
                assert!(self.stash.contains_key(&text(lower)));
                for directory in [upper, work] {
                    assert!(text(directory).starts_with("scratch/"));
                }
                (text(target), Thing::Scratch)
            }
            ContainerStep::Mount {
                file_system,
                target,
                ..
            } if target.to_bytes().starts_with(b"/") => {
                let thing = match file_system {
                    FileSystem::Tmp { .. } => Thing::Stays,
                    FileSystem::Sys => Thing::ReadOnly,
                    FileSystem::DevPts | FileSystem::MessageQueue | FileSystem::Proc => {
                        Thing::Kernel(*file_system)
                    }
                };
                (text(target), thing)
            }
            ContainerStep::GuardProc { target } => (text(target), Thing::ReadOnly),
            ContainerStep::Mask { target } => (text(target), Thing::ReadOnly),
            ContainerStep::Privatize
            | ContainerStep::LeaveHost
            | ContainerStep::SetHostName { .. }
            | ContainerStep::BringLoopbackUp
            | ContainerStep::MakeDirectory { .. }
            | ContainerStep::MakeMountPoint { .. }
            | ContainerStep::WriteFile { .. }
            | ContainerStep::MakeSymlink { .. }
            | ContainerStep::Mount { .. }
            | ContainerStep::EnterStash { .. } => return,
        };
        self.mounts.push((target.into(), thing));
    }

    /// Returns the mounts that are visible to a job because no later mount hides them.
    fn met(&self) -> Vec<(&Path, &Thing)> {
        let shown = self
            .mounts
            .iter()
            .enumerate()
            .filter(|(index, (point, _))| {
                let mut later = self.mounts[index + 1..].iter();
                !later.any(|(other, _)| point.starts_with(other))
            });
        shown
            .map(|(_, (point, thing))| (point.as_path(), thing))
            .collect()
    }
}

fn kind() -> impl Strategy<Value = MountKind> {
    let source = prop::sample::select(vec!["/h", "/h/a", "/h/a/b", "/other"]);
    let access = prop::sample::select(vec![BindAccess::ReadOnly, BindAccess::ReadWrite]);
    let when = prop::sample::select(vec![WhenForbidden::Fail, WhenForbidden::LeaveEmpty]);
    prop_oneof![
        (source.clone(), access).prop_map(|(source, access)| MountKind::Bind {
            source: source.into(),
            access
        }),
        source.prop_map(|source| MountKind::Overlay {
            source: source.into()
        }),
        (0o700..0o1777u32).prop_map(|mode| MountKind::Scratch { mode }),
        Just(MountKind::Mask),
        prop::sample::select(DeviceKind::ALL.to_vec()).prop_map(MountKind::Device),
        Just(MountKind::DevPts),
        Just(MountKind::MessageQueue),
        Just(MountKind::Proc),
        when.prop_map(|when_forbidden| MountKind::Sys { when_forbidden }),
        Just(MountKind::Tmp),
    ]
}

fn any_spec() -> impl Strategy<Value = ContainerSpec> {
    let name = prop::sample::select(vec!["a", "b", "c"]);
    let point = prop::collection::vec(name, 1..4).prop_map(|names| format!("/{}", names.join("/")));
    let mounts = prop::collection::vec((point, kind()), 0..12);
    let layers = |access| RootKind::Layers {
        trees: vec!["/cache/a".into()],
        access,
    };
    let root = prop::sample::select(vec![
        RootKind::Skeleton(vec![directory("/a/b"), directory("/etc/x")]),
        layers(RootAccess::ReadOnly),
        layers(RootAccess::Ephemeral),
    ]);
    let user = prop::sample::select(vec![0, 1000]);
    (root, mounts, user).prop_map(|(root, mounts, user)| ContainerSpec {
        user,
        ..spec(
            root,
            mounts
                .iter()
                .map(|(point, kind)| (point.as_str(), kind.clone()))
                .collect(),
        )
    })
}

/// Returns whether the container ends after a job, or every write is detected.
fn is_accounted_for(
    plan: &ContainerPlan,
    spec: &ContainerSpec,
    point: &Path,
    thing: &Thing,
) -> bool {
    let is_shown = |path: PathBuf| {
        let path = CString::new(path.to_str().unwrap()).unwrap();
        plan.shown.contains(&path)
    };
    match thing {
        Thing::ReadOnly | Thing::Scratch => true,
        Thing::Stays => {
            let is_root = point == Path::new("/");
            is_root && (plan.root_is_ephemeral || plan.root_watched.is_some())
        }
        Thing::Kernel(FileSystem::DevPts) => {
            is_shown(point.to_owned()) && is_shown(point.join("ptmx"))
        }
        Thing::Kernel(FileSystem::MessageQueue) => is_shown(point.to_owned()),
        Thing::Kernel(FileSystem::Proc | FileSystem::Sys | FileSystem::Tmp { .. }) => false,
        Thing::Host(source) => spec.mounts.iter().any(|mount| {
            let access = BindAccess::ReadWrite;
            let source = source.into();
            mount.mount_point == point && mount.kind == MountKind::Bind { source, access }
        }),
    }
}

fn is_met(met: &[(&Path, &Thing)], mount: &Mount) -> bool {
    let found = met.iter().find(|(point, _)| *point == mount.mount_point);
    let Some((_, thing)) = found else {
        return false;
    };
    match &mount.kind {
        MountKind::Bind { source, access } => match access {
            BindAccess::ReadOnly => **thing == Thing::ReadOnly,
            BindAccess::ReadWrite => **thing == Thing::Host(source.display().to_string()),
        },
        MountKind::Overlay { .. }
        | MountKind::Scratch { .. }
        | MountKind::Tmp
        | MountKind::Device(DeviceKind::Shm) => **thing == Thing::Scratch,
        MountKind::Mask | MountKind::Device(_) | MountKind::Proc | MountKind::Sys { .. } => {
            **thing == Thing::ReadOnly
        }
        MountKind::DevPts => **thing == Thing::Kernel(FileSystem::DevPts),
        MountKind::MessageQueue => **thing == Thing::Kernel(FileSystem::MessageQueue),
    }
}

proptest! {
    #[test]
    fn nothing_that_a_job_writes_stays(spec in any_spec()) {
        let plan = plan(&spec).unwrap();
        let mut namespace = Namespace::default();
        let stages = [&plan.template, &plan.scratch, &plan.scratch_mounts];
        for step in stages.into_iter().flatten() {
            namespace.carry_out(step);
        }
        let met = namespace.met();
        for (point, thing) in &met {
            prop_assert!(
                is_accounted_for(&plan, &spec, point, thing),
                "{} {thing:?}\n{}",
                point.display(),
                shown(&plan)
            );
        }
        // Every mount is visible unless a later one hides it. A later mount that may be skipped
        // does not count.
        for (index, mount) in spec.mounts.iter().enumerate() {
            let mut later = spec.mounts[index + 1..].iter();
            let hidden = later.any(|other| mount.mount_point.starts_with(&other.mount_point));
            prop_assert!(hidden || is_met(&met, mount), "{mount:?}\n{}", shown(&plan));
        }
    }

    #[test]
    fn every_directory_of_the_scratch_file_system_is_known_to_the_audit(spec in any_spec()) {
        let plan = plan(&spec).unwrap();
        for step in &plan.scratch {
            match step {
                ContainerStep::MakeDirectory { path, .. } | ContainerStep::MakeMountPoint { path, .. } => {
                    prop_assert!(plan.scratch_directories.contains(path), "{path:?}");
                }
                ContainerStep::EnterStash { .. } | ContainerStep::Mount { .. } => {}
                other => prop_assert!(false, "{other}"),
            }
        }
        prop_assert_eq!(plan.scratch.is_empty(), plan.scratch_file_system.is_none());
    }
}
