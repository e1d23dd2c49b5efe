//! Tests the advice for each kind of misconfigured machine.

use super::*;

fn facts() -> PreflightFacts {
    PreflightFacts {
        kernel: (6, 1),
        user_namespaces_max: Some(15_000),
        executable: "/usr/bin/cargo-maelstrom".into(),
        ..PreflightFacts::default()
    }
}

#[test]
fn every_restriction_has_its_cure() {
    let denied = Some(Errno::EPERM);
    let cases = [
        (
            "old kernel",
            PreflightFacts {
                kernel: (5, 4),
                ..facts()
            },
            denied,
        ),
        (
            "none allowed",
            PreflightFacts {
                user_namespaces_max: Some(0),
                ..facts()
            },
            Some(Errno::ENOSPC),
        ),
        (
            "root only",
            PreflightFacts {
                unprivileged_clone: Some(0),
                ..facts()
            },
            denied,
        ),
        (
            "apparmor",
            PreflightFacts {
                apparmor_restricts: Some(1),
                ..facts()
            },
            denied,
        ),
        (
            "docker",
            PreflightFacts {
                engine: Some(ContainerEngine::Docker),
                seccomp: true,
                ..facts()
            },
            denied,
        ),
        (
            "podman",
            PreflightFacts {
                engine: Some(ContainerEngine::Podman),
                ..facts()
            },
            denied,
        ),
        (
            "kubernetes",
            PreflightFacts {
                engine: Some(ContainerEngine::Other),
                ..facts()
            },
            denied,
        ),
        (
            "bubblewrap",
            PreflightFacts {
                engine: Some(ContainerEngine::Bubblewrap),
                ..facts()
            },
            denied,
        ),
        (
            "bubblewrap of root",
            PreflightFacts {
                engine: Some(ContainerEngine::Bubblewrap),
                proc_masked: true,
                ..facts()
            },
            denied,
        ),
        ("exhausted", facts(), Some(Errno::ENOSPC)),
        (
            "seccomp",
            PreflightFacts {
                seccomp: true,
                ..facts()
            },
            denied,
        ),
        (
            "masked proc",
            PreflightFacts {
                proc_masked: true,
                ..facts()
            },
            denied,
        ),
        ("unknown", facts(), Some(Errno::ENODEV)),
    ];
    let mut text = String::new();
    for (name, facts, errno) in cases {
        let (message, help) = advise(&facts, errno);
        text.push_str(&format!("# {name}\n{message}\n{help}\n\n"));
    }
    insta::assert_snapshot!(text);
}

/// A container engine is blamed for what it forbids, but not for exhausted resources.
#[test]
fn what_has_run_out_is_named_wherever_this_process_runs() {
    let engines = [
        None,
        Some(ContainerEngine::Docker),
        Some(ContainerEngine::Podman),
        Some(ContainerEngine::Other),
    ];
    for engine in engines {
        for (errno, word) in [
            (Errno::EMFILE, "ulimit -n"),
            (Errno::ENFILE, "fs.file-max"),
            (Errno::ETOOMANYREFS, "ulimit -n"),
            (Errno::ENOSPC, "user.max_user_namespaces"),
            (Errno::EAGAIN, "ulimit -u"),
            (Errno::EDQUOT, "kernel.keys.maxkeys"),
            (Errno::ENOMEM, "memory"),
        ] {
            let facts = PreflightFacts {
                engine,
                seccomp: engine.is_some(),
                ..facts()
            };
            let (message, help) = advise(&facts, Some(errno));
            assert!(!message.contains("runs in"), "{errno}: {message}");
            assert!(help.contains(word), "{errno}: {help}");
        }
        let facts = PreflightFacts { engine, ..facts() };
        let (message, _) = advise(&facts, Some(Errno::EPERM));
        assert_eq!(message.contains("runs in"), engine.is_some(), "{message}");
    }
}

#[test]
fn settings_that_bind_ordinary_users_only_are_not_blamed_for_root() {
    let root = PreflightFacts {
        root: true,
        unprivileged_clone: Some(0),
        apparmor_restricts: Some(1),
        ..facts()
    };
    let (message, _) = advise(&root, Some(Errno::EPERM));
    assert_eq!(message, "this machine does not allow containers");
}

#[test]
fn facts_are_read_from_the_kernels_texts() {
    assert!(has_seccomp_filter("Name:\tx\nSeccomp:\t2\n"));
    assert!(!has_seccomp_filter("Seccomp:\t0\n"));
    let masked = "30 29 0:5 /null /proc/kcore rw - devtmpfs devtmpfs rw\n";
    assert!(has_masked_proc(masked));
    assert!(!has_masked_proc(
        "30 29 0:5 / /proc/sys/fs/binfmt_misc rw - autofs x rw\n"
    ));
    let stat = "12 (a) b (c)) S 3 12 12 0";
    assert_eq!(name_and_parent(stat), Some(("a) b (c)", "3")));
    assert_eq!(name_and_parent("garbage"), None);
}

#[test]
fn an_engine_is_named_only_for_what_is_really_there() {
    let docker = "30 29 0:5 / / rw - overlay o rw\n31 30 8:1 /x /etc/hosts rw - ext4 /dev/a rw\n";
    let machine = "30 29 8:1 / / rw - ext4 /dev/a rw\n";
    let files = [
        "/.dockerenv",
        "/run/.containerenv",
        "/run/secrets/kubernetes.io",
    ];
    let told = |there: &[usize], variable: Option<&str>, mounts: &str, ancestor: &str| {
        let there: Vec<&str> = there.iter().map(|at| files[*at]).collect();
        engine(&EngineMarkers {
            exists: &|path| there.iter().any(|known| path == Path::new(known)),
            variable,
            mounts,
            ancestors: &[ancestor.to_owned(), "init".to_owned()],
        })
    };
    assert_eq!(told(&[], None, machine, "sh"), None);
    assert_eq!(told(&[], Some(""), machine, "sh"), None);
    assert_eq!(
        told(&[0], None, docker, "sh"),
        Some(ContainerEngine::Docker)
    );
    // A virtual machine whose disk was made from an image.
    assert_eq!(told(&[0], None, machine, "sh"), None);
    assert_eq!(
        told(&[0], None, docker, "bwrap"),
        Some(ContainerEngine::Bubblewrap)
    );
    assert_eq!(
        told(&[], None, machine, "bwrap"),
        Some(ContainerEngine::Bubblewrap)
    );
    assert_eq!(
        told(&[1], None, machine, "sh"),
        Some(ContainerEngine::Podman)
    );
    assert_eq!(
        told(&[], Some("podman"), machine, "sh"),
        Some(ContainerEngine::Podman)
    );
    assert_eq!(
        told(&[2], None, machine, "sh"),
        Some(ContainerEngine::Other)
    );
    let nspawn = Some("systemd-nspawn");
    assert_eq!(
        told(&[], nspawn, machine, "sh"),
        Some(ContainerEngine::Other)
    );
}
