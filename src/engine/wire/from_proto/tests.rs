//! Validation rules, each tested on a valid message that breaks only this rule.

use bytes::Bytes;
use proptest::prelude::*;
use prost::Message;

use super::super::error::WireError;
use super::super::limits::{DEVICES_MAX, LAYERS_MAX, MOUNTS_MAX, VARIABLES_MAX};
use super::super::toolbox::DEVICE;
use super::super::{to_proto, v1};
use super::container::ExecutePermission;
use super::*;
use maelstrom_container::plan::SERVICES_MAX;
use maelstrom_model::ids::WorkerId;
use maelstrom_model::job::{ExitStatus, JobOutcome, MountKind, NetworkMode, RootAccess, RootKind};
use maelstrom_model::policy::JobNeeds;

fn content(text: &str) -> v1::Digest {
    let digest = maelstrom_container::digest::Digest::of(text.as_bytes());
    v1::Digest {
        hash: digest.hash.to_string(),
        size_bytes: digest.size_bytes as i64,
    }
}

fn directory() -> v1::Source {
    v1::Source {
        kind: Some(v1::source::Kind::Directory(content("a directory"))),
    }
}

fn toolbox_source(path: &'static str) -> v1::Source {
    v1::Source {
        kind: Some(v1::source::Kind::Toolbox(path.as_bytes().into())),
    }
}

fn mount_of(mount_point: &'static str, kind: v1::mount::Kind) -> v1::Mount {
    v1::Mount {
        mount_point: mount_point.as_bytes().into(),
        kind: Some(kind),
    }
}

fn variable(name: &'static str, value: &'static str) -> v1::EnvironmentVariable {
    v1::EnvironmentVariable {
        name: name.as_bytes().into(),
        value: value.as_bytes().into(),
    }
}

fn sound_process() -> v1::Process {
    v1::Process {
        program: b"serve".as_slice().into(),
        arguments: vec![b"-q".as_slice().into()],
        environment: vec![variable("PATH", "/usr/bin")],
        working_directory: b"/".as_slice().into(),
    }
}

fn sound() -> v1::Template {
    let file = v1::File {
        digest: Some(content("a file")),
        executable: true,
    };
    v1::Template {
        container: Some(v1::Container {
            root: Some(v1::container::Root::Layers(v1::Layers {
                trees: vec![directory(), toolbox_source("/usr/share")],
                writable: true,
            })),
            mounts: vec![
                mount_of("/proc", v1::mount::Kind::Proc(v1::Empty {})),
                mount_of("/dev/null", v1::mount::Kind::Device("null".to_owned())),
                mount_of(
                    "/test",
                    v1::mount::Kind::ReadOnly(v1::Source {
                        kind: Some(v1::source::Kind::File(file)),
                    }),
                ),
                mount_of("/src", v1::mount::Kind::Overlay(directory())),
                mount_of("/tmp", v1::mount::Kind::Scratch(0o1777)),
            ],
            network: v1::Network::Loopback.into(),
            hostname: "test".to_owned(),
            user: 0,
            group: 0,
            privileges: v1::Privileges::Ordinary.into(),
            services: vec![v1::Service {
                name: "db".to_owned(),
                process: Some(sound_process()),
                readiness: Some(sound_process()),
                ready_timeout: Some(prost_types::Duration {
                    seconds: 5,
                    nanos: 0,
                }),
            }],
            devices: vec!["/dev/kvm".to_owned()],
        }),
        environment: vec![variable("PATH", "/usr/bin"), variable("A", "template")],
        working_directory: b"//src/".as_slice().into(),
        resident: None,
        architecture: "x86_64".to_owned(),
        toolbox: vec![
            v1::ToolboxPath {
                path: b"/usr".as_slice().into(),
                identity: b"same".as_slice().into(),
            },
            v1::ToolboxPath {
                path: b"/dev/kvm".as_slice().into(),
                identity: DEVICE.into(),
            },
        ],
    }
}

fn sound_job() -> v1::Job {
    v1::Job {
        id: 7,
        template: 1,
        program: b"/test".as_slice().into(),
        arguments: vec![b"--exact".as_slice().into(), b"\xff".as_slice().into()],
        environment: vec![variable("A", "job")],
        timeout: Some(prost_types::Duration {
            seconds: 1,
            nanos: 5,
        }),
        grace: None,
        priority: -128,
        estimate: None,
        output: v1::OutputPipes::Joined.into(),
        stack_dump: None,
        needs: Some(v1::JobNeeds {
            group: "database".to_owned(),
            group_jobs_max: 2,
            weight: 3,
            exclusive: true,
            memory_bytes: 1 << 30,
            avoided_worker: Some(0),
            devices: vec![v1::DeviceNeed {
                device: "/dev/kvm".to_owned(),
                jobs_max: 4,
            }],
        }),
    }
}

/// A field that a peer does not know, or does not send, has the meaning of an ordinary job.
#[test]
fn needs_are_the_same_on_both_sides_and_none_without_the_message() {
    let sound = sound_job();
    let there = job::needs(&sound).unwrap();
    assert_eq!(to_proto::needs(&there, Some(0)), sound.needs);
    assert_eq!(there.avoided_worker, Some(WorkerId(0)));
    let none = [None, Some(v1::JobNeeds::default())];
    for none in none.map(|needs| v1::Job {
        needs,
        ..sound_job()
    }) {
        assert_eq!(job::needs(&none).unwrap(), JobNeeds::default());
    }
    assert_eq!(to_proto::needs(&JobNeeds::default(), None), None);
}

#[test]
fn a_sound_template_says_what_its_container_is_made_of() {
    let template = template(&sound()).unwrap();
    let digest = |text: &str| maelstrom_container::digest::Digest::of(text.as_bytes());
    assert_eq!(
        template.sources,
        [
            ContentSource::Directory(digest("a directory")),
            ContentSource::File {
                digest: digest("a file"),
                execution: ExecutePermission::Allowed
            },
            ContentSource::Toolbox("/usr/share".into()),
        ]
    );
    assert_eq!(&*template.working_directory, Path::new("/src"));
    let mut asked = 0;
    let spec = container(&template.container, |_| {
        asked += 1;
        Ok::<_, WireError>(PathBuf::from(format!("/host/{asked}")))
    });
    let spec = spec.unwrap();
    let trees = ["/host/1", "/host/2"].map(PathBuf::from).to_vec();
    let access = RootAccess::Ephemeral;
    assert_eq!(spec.root, RootKind::Layers { trees, access });
    let sources = spec.mounts.iter().filter_map(|mount| match &mount.kind {
        MountKind::Bind { source, .. } | MountKind::Overlay { source } => Some(source),
        _ => None,
    });
    assert_eq!(
        sources.collect::<Vec<_>>(),
        ["/host/3", "/host/4"].map(Path::new)
    );
    assert_eq!(spec.network, NetworkMode::Loopback);
}

#[test]
fn a_job_has_its_own_variables_over_those_of_the_template() {
    let template = template(&sound()).unwrap();
    let order = job(&sound_job(), &template).unwrap();
    let variables: Vec<_> = order.process.environment.iter().collect();
    assert_eq!(
        format!("{variables:?}"),
        r#"[("A", "job"), ("PATH", "/usr/bin")]"#
    );
    assert_eq!(order.process.arguments.len(), 2);
    assert_eq!(order.timeout, Some(Duration::new(1, 5)));
    assert_eq!((order.grace, order.rank.priority), (None, -128));
    let mut bare = sound_job();
    bare.environment.clear();
    let order = job(&bare, &template).unwrap();
    assert!(std::sync::Arc::ptr_eq(
        &order.process.environment,
        &template.environment
    ));
}

/// The error for a template after this modification.
fn refused(spoil: impl FnOnce(&mut v1::Template, &mut v1::Container)) -> String {
    let mut message = sound();
    let mut container = message.container.take().unwrap();
    spoil(&mut message, &mut container);
    message.container = Some(container);
    template(&message).unwrap_err().to_string()
}

#[test]
fn what_breaks_a_rule_of_containers_is_refused_by_name() {
    let mount_point = |path: &'static str| {
        refused(|_, container| container.mounts[0].mount_point = path.as_bytes().into())
    };
    let mount = |kind| refused(|_, container| container.mounts[0].kind = kind);
    let root = |root| refused(|_, container| container.root = root);
    let layers = |trees| {
        let writable = false;
        let layers = v1::Layers { trees, writable };
        root(Some(v1::container::Root::Layers(layers)))
    };
    let entry = |path: &'static [u8], kind| {
        let path = path.into();
        let entries = vec![v1::SkeletonEntry { path, kind }];
        root(Some(v1::container::Root::Skeleton(v1::Skeleton {
            entries,
        })))
    };
    let link = v1::skeleton_entry::Kind::Symlink(b"a\0b".as_slice().into());
    let file_as_tree = v1::Source {
        kind: Some(v1::source::Kind::File(v1::File {
            digest: Some(content("a file")),
            executable: false,
        })),
    };
    let said = [
        mount_point("proc"),
        mount_point("/"),
        mount_point("/a/../b"),
        mount_point("/a\0b"),
        mount(None),
        mount(Some(v1::mount::Kind::Scratch(0o10000))),
        mount(Some(v1::mount::Kind::Device("sda".to_owned()))),
        mount(Some(v1::mount::Kind::Overlay(file_as_tree.clone()))),
        mount(Some(v1::mount::Kind::ReadOnly(v1::Source { kind: None }))),
        mount(Some(v1::mount::Kind::ReadOnly(toolbox_source("/etc")))),
        mount(Some(v1::mount::Kind::ReadOnly(toolbox_source(
            "/usr/../etc",
        )))),
        refused(|_, container| {
            let mount = container.mounts[0].clone();
            container.mounts = vec![mount; MOUNTS_MAX + 1];
        }),
        root(None),
        layers(Vec::new()),
        layers(vec![directory(); LAYERS_MAX + 1]),
        layers(vec![file_as_tree]),
        entry(b"etc", None),
        entry(
            b"etc",
            Some(v1::skeleton_entry::Kind::Directory(v1::Empty {})),
        ),
        entry(b"/etc", Some(link)),
        refused(|_, container| container.network = 3),
        refused(|_, container| container.network = 0),
        refused(|_, container| container.privileges = -1),
        refused(|_, container| container.hostname = "x".repeat(65)),
        refused(|_, container| container.user = u32::MAX),
        refused(|_, container| container.services[0].process = None),
        refused(|_, container| container.services[0].ready_timeout = None),
        refused(|_, container| {
            let readiness = container.services[0].readiness.as_mut();
            readiness.unwrap().program = Bytes::new();
        }),
        refused(|_, container| {
            let service = container.services[0].clone();
            container.services = vec![service; SERVICES_MAX + 1];
        }),
        refused(|_, container| container.devices.push("/etc/passwd".to_owned())),
        refused(|_, container| container.devices.push("/dev/../etc/passwd".to_owned())),
        refused(|_, container| container.devices.push("/dev/sda".to_owned())),
        refused(|_, container| container.devices = vec!["/dev/kvm".to_owned(); DEVICES_MAX + 1]),
    ];
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn what_breaks_a_rule_of_templates_is_refused_by_name() {
    let mut without = sound();
    without.container = None;
    let said = [
        template(&without).unwrap_err().to_string(),
        refused(|template, _| template.architecture.clear()),
        refused(|template, _| template.working_directory = b"src".as_slice().into()),
        refused(|template, _| template.environment.push(variable("A", "again"))),
        refused(|template, _| template.environment.push(variable("", "nameless"))),
        refused(|template, _| template.environment.push(variable("A=B", ""))),
        refused(|template, _| template.environment.push(variable("N", "a\0b"))),
        refused(|template, _| {
            template.environment = vec![variable("A", ""); VARIABLES_MAX + 1];
        }),
        refused(|template, _| template.toolbox[0].identity = vec![0; 65].into()),
        refused(|template, _| template.toolbox[1].identity = b"same".as_slice().into()),
        refused(|template, _| template.resident = Some(v1::Process::default())),
    ];
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn what_breaks_a_rule_of_jobs_is_refused_by_name() {
    let template = template(&sound()).unwrap();
    let refused = |spoil: fn(&mut v1::Job)| {
        let mut message = sound_job();
        spoil(&mut message);
        job(&message, &template).unwrap_err().to_string()
    };
    let time = |seconds, nanos| prost_types::Duration { seconds, nanos };
    let said = [
        refused(|job| job.program.clear()),
        refused(|job| job.program = vec![b'x'; 4097].into()),
        refused(|job| job.arguments.push(b"\0".as_slice().into())),
        refused(|job| job.arguments = vec![vec![b'x'; 100_000].into(); 30]),
        refused(|job| job.priority = 128),
        refused(|job| job.needs.as_mut().unwrap().group_jobs_max = 0),
        refused(|job| job.needs.as_mut().unwrap().devices[0].jobs_max = 0),
        refused(|job| job.needs.as_mut().unwrap().devices[0].device = "/dev".to_owned()),
        refused(|job| job.needs.as_mut().unwrap().group = "a\x1b[2J".to_owned()),
        refused(|job| {
            job.timeout = Some(prost_types::Duration {
                seconds: -1,
                nanos: 0,
            })
        }),
        duration(&time(0, 1_000_000_000)).unwrap_err().to_string(),
        duration(&time(0, -1)).unwrap_err().to_string(),
        stop(0).unwrap_err().to_string(),
        stream(9).unwrap_err().to_string(),
        name16("run", b"short").unwrap_err().to_string(),
    ];
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn digests_have_one_form() {
    let digest = |hash: &str, size_bytes| {
        let hash = hash.to_owned();
        super::digest(&v1::Digest { hash, size_bytes })
    };
    let hash = content("x").hash;
    assert!(digest(&hash, 1).is_ok());
    assert!(digest(&hash.to_uppercase(), 1).is_err());
    assert!(digest(&hash[1..], 1).is_err());
    assert!(digest(&hash, -1).is_err());
    assert!(digest(&hash, (1 << 40) + 1).is_err());
}

#[test]
fn of_what_a_job_wrote_in_vain_only_paths_are_named() {
    let told = |files: &[&[u8]], more| {
        let files = files.iter().map(|file| file.to_vec().into());
        discarded(&v1::Discarded {
            files: files.collect(),
            more,
        })
    };
    let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
    let all = told(
        &[b"/w/a.snap", b"w/b", b"/w/../c", b"", b"/w/\0", b"/w//d"],
        3,
    );
    assert_eq!((all.files, all.more), (paths(&["/w/a.snap", "/w/d"]), 7));
    let many: Vec<String> = (0..300).map(|number| format!("/w/{number}")).collect();
    let many: Vec<&[u8]> = many.iter().map(String::as_bytes).collect();
    let many = told(&many, u32::MAX);
    assert_eq!((many.files.len(), many.more), (100, u32::MAX));
    let long = vec![b'/'; 5000];
    assert_eq!(told(&[&long, b"/w/a"], 0).more, 2);
}

#[test]
fn each_end_of_a_job_is_told_apart() {
    use v1::job_result::End;
    let result = |end| {
        job_result(&v1::JobResult {
            end,
            ..v1::JobResult::default()
        })
    };
    let signalled = v1::Signalled {
        number: 11,
        core_dumped: true,
    };
    let ends = [
        End::Exited(3),
        End::Signalled(signalled),
        End::TimedOut(v1::Empty {}),
        End::Cancelled(v1::Empty {}),
        End::Infrastructure("a full disk".to_owned()),
    ]
    .map(|end| result(Some(end)).unwrap().end);
    assert_eq!(
        ends,
        [
            JobOutcome::Exited(ExitStatus::Code(3)),
            JobOutcome::Exited(ExitStatus::Signal {
                number: 11,
                core_dumped: true
            }),
            JobOutcome::TimedOut,
            JobOutcome::Cancelled,
            JobOutcome::Error("a full disk".to_owned()),
        ]
    );
    assert!(result(None).is_err());
}

/// A message with some bytes replaced.
fn scribbled(message: &impl Message, changes: &[(prop::sample::Index, u8)]) -> Vec<u8> {
    let mut bytes = message.encode_to_vec();
    for (place, byte) in changes {
        let place = place.index(bytes.len());
        bytes[place] = *byte;
    }
    bytes
}

proptest! {
    #[test]
    fn garbage_never_panics(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        noise in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let known = template(&sound()).unwrap();
        for bytes in [scribbled(&sound(), &changes), noise.clone()] {
            if let Ok(message) = v1::Template::decode(bytes.as_slice()) {
                let _ = template(&message);
            }
        }
        for bytes in [scribbled(&sound_job(), &changes), noise] {
            if let Ok(message) = v1::Job::decode(bytes.as_slice()) {
                let _ = job(&message, &known);
            }
        }
    }
}
