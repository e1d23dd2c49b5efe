//! Invariant 4: whatever changes an action changes its digest.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use proptest::prelude::*;

use super::*;
use crate::container::spec::*;
use crate::engine::job::{OutputPipes, Placement, Resident};

/// Few letters and a separator, so that texts of one another's parts are common.
fn text() -> impl Strategy<Value = OsString> {
    prop::collection::vec(prop::sample::select(&b"ab/\xff"[..]), 0..4).prop_map(OsString::from_vec)
}

/// Written in one way only: paths that differ in spelling alone are equal, and may well have
/// different digests.
fn path() -> impl Strategy<Value = PathBuf> {
    let name = prop::collection::vec(prop::sample::select(&b"ab\xff"[..]), 1..3);
    prop::collection::vec(name.prop_map(OsString::from_vec), 0..3)
        .prop_map(|names| Path::new("/").join(PathBuf::from_iter(names)))
}

fn skeleton_entry() -> impl Strategy<Value = SkeletonEntry> {
    let kind = prop_oneof![
        Just(SkeletonKind::Directory),
        text().prop_map(|bytes| SkeletonKind::File(bytes.into_vec())),
        path().prop_map(SkeletonKind::Symlink),
    ];
    (path(), kind).prop_map(|(path, kind)| SkeletonEntry { path, kind })
}

fn root() -> impl Strategy<Value = Root> {
    let access = prop::sample::select(vec![RootAccess::ReadOnly, RootAccess::Ephemeral]);
    let trees = prop::collection::vec(path(), 0..3);
    prop_oneof![
        prop::collection::vec(skeleton_entry(), 0..3).prop_map(Root::Skeleton),
        (trees, access).prop_map(|(trees, access)| Root::Layers { trees, access }),
    ]
}

fn mount() -> impl Strategy<Value = Mount> {
    let access = prop::sample::select(vec![BindAccess::ReadOnly, BindAccess::ReadWrite]);
    let when = prop::sample::select(vec![WhenForbidden::Fail, WhenForbidden::LeaveEmpty]);
    let kind = prop_oneof![
        (path(), access).prop_map(|(source, access)| MountKind::Bind { source, access }),
        path().prop_map(|source| MountKind::Overlay { source }),
        (0u32..3).prop_map(|mode| MountKind::Scratch { mode }),
        prop::sample::select(&Device::ALL[..]).prop_map(MountKind::Device),
        when.prop_map(|when_forbidden| MountKind::Sys { when_forbidden }),
        prop::sample::select(vec![
            MountKind::Mask,
            MountKind::DevPts,
            MountKind::MessageQueue,
            MountKind::Proc,
            MountKind::Tmp,
        ]),
    ];
    (path(), kind).prop_map(|(mount_point, kind)| Mount { mount_point, kind })
}

fn container() -> impl Strategy<Value = ContainerSpec> {
    let network = vec![Network::Disabled, Network::Loopback, Network::Local];
    let privileges = vec![Privileges::Ordinary, Privileges::Full];
    (
        root(),
        prop::collection::vec(mount(), 0..3),
        prop::sample::select(network),
        "[ab]{0,2}",
        0u32..3,
        0u32..3,
        prop::sample::select(privileges),
    )
        .prop_map(
            |(root, mounts, network, hostname, user, group, privileges)| ContainerSpec {
                root,
                mounts,
                network,
                hostname,
                user,
                group,
                privileges,
            },
        )
}

fn process() -> impl Strategy<Value = ProcessSpec> {
    (
        text(),
        prop::collection::vec(text(), 0..3),
        prop::collection::btree_map(text(), text(), 0..3),
        path(),
    )
        .prop_map(
            |(program, arguments, environment, working_directory)| ProcessSpec {
                program: program.into(),
                arguments,
                environment: Arc::new(environment),
                working_directory: working_directory.into(),
            },
        )
}

/// What is at a path depends on the path, and on `seed`.
fn contents_of(container: &ContainerSpec, seed: u8) -> Arc<Contents> {
    let hash = |path: &Path| {
        let mut text = path.as_os_str().as_encoded_bytes().to_vec();
        text.push(seed);
        ContentHash::of(&text)
    };
    let contents = host_paths(container).map(|path| (path.to_owned(), hash(path)));
    Arc::new(contents.collect())
}

fn action() -> impl Strategy<Value = Action> {
    let timeout = prop::option::of((0u64..3, 0u32..3).prop_map(|(s, ns)| Duration::new(s, ns)));
    let resident = prop::option::of(process().prop_map(Arc::new));
    let output = prop::sample::select(vec![OutputPipes::Separate, OutputPipes::Joined]);
    let parts = (container(), process(), resident, timeout, output, 0u8..2);
    parts.prop_map(
        |(container, process, resident, timeout, output, seed)| Action {
            contents: contents_of(&container, seed),
            container: Arc::new(container),
            process: Arc::new(process),
            resident,
            timeout,
            output,
        },
    )
}

/// The action with one of its parts taken from the other.
fn crossed(one: &Action, other: &Action, part: u8) -> Action {
    let mut crossed = one.clone();
    let container = Arc::make_mut(&mut crossed.container);
    let process = Arc::make_mut(&mut crossed.process);
    match part {
        0 => container.root = other.container.root.clone(),
        1 => container.mounts = other.container.mounts.clone(),
        2 => container.network = other.container.network,
        3 => container.hostname = other.container.hostname.clone(),
        4 => container.user = other.container.user,
        5 => container.group = other.container.group,
        6 => container.privileges = other.container.privileges,
        7 => process.program = Arc::clone(&other.process.program),
        8 => process.arguments = other.process.arguments.clone(),
        9 => process.environment = Arc::clone(&other.process.environment),
        10 => process.working_directory = Arc::clone(&other.process.working_directory),
        11 => crossed.timeout = other.timeout,
        14 => crossed.output = other.output,
        13 => crossed.resident = other.resident.clone(),
        _ => {}
    }
    let seed = u8::from(part == 12);
    crossed.contents = contents_of(&crossed.container, seed);
    crossed
}

proptest! {
    #[test]
    fn a_change_to_any_part_changes_the_digest(one in action(), other in action(), part in 0u8..15) {
        let one = Action { contents: contents_of(&one.container, 0), ..one };
        let crossed = crossed(&one, &other, part);
        prop_assert_eq!(one.digest() == crossed.digest(), one == crossed);
    }

    #[test]
    fn different_actions_have_different_encodings(one in action(), other in action()) {
        prop_assert_eq!(one.encode() == other.encode(), one == other);
    }

    #[test]
    fn an_action_knows_what_everything_of_the_host_holds(one in action(), which: prop::sample::Index) {
        let job = Job {
            placement: Placement::Here,
            container: Arc::clone(&one.container),
            process: Arc::clone(&one.process),
            resident: one.resident.clone().map(Resident::wanted),
            timeout: one.timeout,
            output: one.output,
        };
        let made = Action::new(&job, &one.contents);
        prop_assert_eq!(made.as_ref(), Ok(&one));
        let mut paths: Vec<&Path> = host_paths(&one.container).collect();
        if !paths.is_empty() {
            let path = paths.swap_remove(which.index(paths.len())).to_owned();
            let mut contents = Contents::clone(&one.contents);
            contents.remove(&path);
            prop_assert_eq!(Action::new(&job, &Arc::new(contents)), Err(UnknownContents { path }));
        }
    }
}

#[test]
fn what_an_action_does_not_show_is_not_in_its_digest() {
    let job = crate::engine::testing::job();
    let none = Arc::new(Contents::new());
    let other = PathBuf::from("/elsewhere");
    let more = Arc::new(Contents::from([(other, ContentHash::of(b"x"))]));
    let digest = |contents| Action::new(&job, contents).unwrap().digest();
    assert_eq!(digest(&none), digest(&more));
}

/// Another version of the program must come to the same digest, or say that its encoding differs.
#[test]
fn the_encoding_stays_what_it_is() {
    let job = Job {
        timeout: Some(Duration::from_millis(1500)),
        ..crate::engine::testing::job_of("true", &["-x"])
    };
    let action = Action::new(&job, &Arc::new(Contents::new())).unwrap();
    // Runs of zeros, as lengths and ids mostly are, are told by their number.
    let mut shown = action.encode().escape_ascii().to_string();
    for zeros in (2..20).rev() {
        shown = shown.replace(&r"\x00".repeat(zeros), &format!("<{zeros}>"));
    }
    let expected = r"maelstrom action 2\n<17>\x01\t<7>localhost<17>\x04<7>true\x01<7>\x02<7>-x\x01<7>\x04<7>PATH\r<7>/usr/bin:/bin\x01<7>/\x01\x01<8>e\xcd\x1d<5>";
    assert_eq!(shown, expected);
}
