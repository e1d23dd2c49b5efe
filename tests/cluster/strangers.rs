//! What a cluster does for a client that asks for what is not its own: files of a worker's machine,
//! power over it, results that others believe.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cluster::{Cluster, Running, credentials};
use maelstrom_client::{
    BrokerClient, ClientOptions, DeviceKind, ExitStatus, JobEvent, JobOutcome, JobRequest,
    JobTemplate, MountKind, PrivilegeLevel, SkeletonEntry, SkeletonKind,
};
use maelstrom_wire::reapi::v2;
use maelstrom_wire::reapi::v2::action_cache_client::ActionCacheClient;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Code, Status};

/// A worker that is started with these options besides.
fn worker(cluster: &Cluster, options: &[&str]) -> Running {
    let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
    Running::start(&mut cluster.worker_with(&options)).0
}

/// What becomes of a job that reads a file of its container.
async fn outcome(cluster: &Cluster, template: JobTemplate) -> JobOutcome {
    let request = JobRequest::new("/bin/cat").argument("/there/file");
    outcome_of(cluster, template, request).await
}

/// What becomes of a job.
async fn outcome_of(cluster: &Cluster, template: JobTemplate, request: JobRequest) -> JobOutcome {
    let options = ClientOptions::new(cluster.address.parse().unwrap());
    let mut client = BrokerClient::connect(&options).await.unwrap();
    let template = client.define(template);
    client.submit(&template, request);
    let end = loop {
        match client.next().await.unwrap() {
            JobEvent::Finished { result, .. } => break result.end,
            _ => continue,
        }
    };
    client.close().await;
    end
}

/// A container of the machine's programs, all of which is lent.
fn programs() -> JobTemplate {
    let system = ["/usr", "/bin", "/lib", "/lib64"];
    let system = system.into_iter().map(PathBuf::from);
    let there: Vec<PathBuf> = system.filter(|path| path.is_dir()).collect();
    let points = there
        .iter()
        .map(PathBuf::as_path)
        .chain([Path::new("/there")]);
    let entries = points.map(|path| SkeletonEntry {
        path: path.to_owned(),
        kind: SkeletonKind::Directory,
    });
    let template = JobTemplate::of_skeleton(entries);
    there.into_iter().fold(template, |template, path| {
        template.toolbox(path.clone()).show(path.clone(), path)
    })
}

fn error(end: JobOutcome) -> String {
    match end {
        JobOutcome::Error(text) => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_worker_shows_what_is_lent_and_nothing_else() {
    let cluster = Cluster::start(&[]);
    let keep = tempfile::tempdir().unwrap();
    let root = keep.path().canonicalize().unwrap();
    for directory in ["lent", "secret"] {
        fs::create_dir(root.join(directory)).unwrap();
        fs::write(root.join(directory).join("file"), directory).unwrap();
    }
    symlink(root.join("secret"), root.join("lent/out")).unwrap();
    let lent = root.join("lent").display().to_string();
    let _worker = worker(&cluster, &["--lend", "default", "--lend", &lent]);

    let shown = |tool: &str, source: &str| {
        let template = programs().toolbox(root.join(tool));
        template.show(root.join(source), "/there")
    };
    let end = outcome(&cluster, shown("lent", "lent")).await;
    assert!(matches!(&end, JobOutcome::Exited(_)), "{end:?}");
    // Its identity is guessed right: it is this machine's own.
    let whole = error(outcome(&cluster, shown("secret", "secret")).await);
    assert!(whole.contains("does not lend"), "{whole}");
    assert!(whole.contains("`--lend`"), "{whole}");
    // The directory is lent, and a link in it leads out.
    let linked = error(outcome(&cluster, shown("lent", "lent/out")).await);
    assert!(linked.contains("does not lend"), "{linked}");
}

#[tokio::test]
async fn a_worker_that_lends_nothing_shows_nothing() {
    let cluster = Cluster::start(&[]);
    let _worker = worker(&cluster, &["--lend", "none"]);
    let refused = error(outcome(&cluster, programs()).await);
    assert!(refused.contains("does not lend"), "{refused}");
}

#[tokio::test]
async fn what_weakens_a_container_is_for_the_operator_to_allow() {
    let cluster = Cluster::start(&[]);
    let full = || {
        let mut template = programs();
        template.container.privileges = PrivilegeLevel::Full;
        template
    };
    let shared = || programs().mount("/there", MountKind::Device(DeviceKind::Shm));
    let refusing = worker(&cluster, &[]);
    let told = error(outcome(&cluster, full()).await);
    assert!(told.contains("`--allow full-privileges`"), "{told}");
    let told = error(outcome(&cluster, shared()).await);
    assert!(told.contains("`--allow shared-memory`"), "{told}");
    drop(refusing);

    let cluster = Cluster::start(&[]);
    let _allowing = worker(&cluster, &["--allow", "full-privileges"]);
    let end = outcome(&cluster, full()).await;
    assert!(matches!(&end, JobOutcome::Exited(_)), "{end:?}");
}

/// Whether the broker takes a result of an action.
async fn write_result(address: &str, token: Option<&str>) -> Result<(), Status> {
    let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{address}")).unwrap();
    let channel = endpoint.connect().await.unwrap();
    let mut request = tonic::Request::new(v2::UpdateActionResultRequest {
        action_digest: Some(v2::Digest {
            hash: "a".repeat(64),
            size_bytes: 1,
        }),
        action_result: Some(v2::ActionResult::default()),
        ..v2::UpdateActionResultRequest::default()
    });
    if let Some(token) = token {
        let shown: MetadataValue<Ascii> = format!("Bearer {}", token.trim()).parse().unwrap();
        request.metadata_mut().insert("authorization", shown);
    }
    let mut results = ActionCacheClient::new(channel);
    results.update_action_result(request).await.map(drop)
}

#[tokio::test]
async fn results_are_written_by_writers() {
    let closed = Cluster::start(&[]);
    let refused = write_result(&closed.address, None).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert!(refused.message().contains("the role writer"), "{refused}");
    let open = Cluster::start(&["--open-action-cache"]);
    write_result(&open.address, None).await.unwrap();

    let keep = tempfile::tempdir().unwrap();
    let team = keep.path().join("team");
    credentials(&team, &["localhost"]);
    let made = Command::new(env!("CARGO_BIN_EXE_maelstrom-broker"))
        .args(["credentials", "token"])
        .arg(&team)
        .args(["--role", "writer", "--name", "writer"])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let tokens = team.join("tokens").display().to_string();
    let asking = Cluster::start(&["--tokens", &tokens]);
    for (role, allowed) in [("client", false), ("worker", false), ("writer", true)] {
        let token = fs::read_to_string(team.join(format!("{role}.token"))).unwrap();
        match write_result(&asking.address, Some(&token)).await {
            Ok(()) => assert!(allowed, "{role}"),
            Err(refused) => {
                assert!(!allowed, "{role}: {refused}");
                assert_eq!(refused.code(), Code::PermissionDenied);
                assert!(refused.message().contains("writer"), "{refused}");
            }
        }
    }
}

#[test]
fn a_cache_is_for_one_kind_of_program() {
    let cluster = Cluster::start(&[]);
    let command = cluster.broker_command(&[]);
    let mut words = command.get_args();
    let directory = words.find(|word| *word == "--cache-root").and(words.next());
    let output = Command::new(env!("CARGO_BIN_EXE_maelstrom-worker"))
        .args(["--broker", &cluster.address, "--cache-root"])
        .arg(directory.unwrap())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(125), "{told}");
    assert!(told.contains("is a broker's cache"), "{told}");
    assert!(told.contains("--cache-root"), "{told}");
}

/// Pods that run others' tests have nothing to show to Kubernetes, and no power over their node.
#[test]
fn the_manifests_hand_out_nothing() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/kubernetes");
    let mut pods = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let has = |line: &str| text.lines().any(|other| other.trim() == line);
        if !has("containers:") {
            continue;
        }
        pods += 1;
        for line in [
            "automountServiceAccountToken: false",
            "runAsNonRoot: true",
            "allowPrivilegeEscalation: false",
            "readOnlyRootFilesystem: true",
            "drop: [\"ALL\"]",
            "seccompProfile:",
        ] {
            assert!(has(line), "{} lacks `{line}`", path.display());
        }
    }
    assert_eq!(pods, 2);
}

#[tokio::test]
async fn jobs_with_a_device_run_where_it_is_offered() {
    let cluster = Cluster::start(&[]);
    let read = || {
        let template = programs().device("/dev/full".parse().unwrap());
        let request = JobRequest::new("/usr/bin/head")
            .argument("-c1")
            .argument("/dev/full");
        outcome_of(&cluster, template, request)
    };
    let _plain = worker(&cluster, &[]);
    let told = error(read().await);
    assert!(
        told.contains("does not offer the device /dev/full"),
        "{told}"
    );
    assert!(told.contains("`--offer-device`"), "{told}");
    let _offering = worker(&cluster, &["--offer-device", "/dev/ful?"]);
    // Until it has registered, no worker has the device.
    while matches!(read().await, JobOutcome::Error(_)) {}
    for _ in 0..10 {
        assert_eq!(read().await, JobOutcome::Exited(ExitStatus::Code(0)));
    }
    // What is not offered is not there, whoever asks.
    let template = programs().device("/dev/urandom".parse().unwrap());
    let told = error(outcome(&cluster, template).await);
    assert!(
        told.contains("does not offer the device /dev/urandom"),
        "{told}"
    );
}
