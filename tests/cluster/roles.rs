//! Who may call what: each call with each credential, against a broker that asks for one.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::cluster::{Cluster, PORTABLE, Running};
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Code, Request};
use tonic_prost::ProstCodec;

/// Who is let in, beside administrators, who always are.
#[derive(Clone, Copy)]
enum For {
    /// Whoever asks.
    Everybody,
    /// Whoever shows a credential.
    Members,
    Clients,
    Workers,
    Writers,
    Administrators,
}

const CALLS: [(&str, For); 19] = [
    ("/maelstrom.v1.Jobs/Session", For::Clients),
    ("/maelstrom.v1.Workers/Work", For::Workers),
    ("/maelstrom.v1.Operator/Status", For::Clients),
    ("/maelstrom.v1.Operator/Watch", For::Clients),
    ("/maelstrom.v1.Operator/Drain", For::Administrators),
    (
        "/build.bazel.remote.execution.v2.ContentAddressableStorage/FindMissingBlobs",
        For::Members,
    ),
    (
        "/build.bazel.remote.execution.v2.ContentAddressableStorage/BatchUpdateBlobs",
        For::Members,
    ),
    (
        "/build.bazel.remote.execution.v2.ContentAddressableStorage/BatchReadBlobs",
        For::Members,
    ),
    (
        "/build.bazel.remote.execution.v2.ContentAddressableStorage/GetTree",
        For::Members,
    ),
    (
        "/build.bazel.remote.execution.v2.ContentAddressableStorage/SplitBlob",
        For::Members,
    ),
    (
        "/build.bazel.remote.execution.v2.ActionCache/GetActionResult",
        For::Members,
    ),
    (
        "/build.bazel.remote.execution.v2.ActionCache/UpdateActionResult",
        For::Writers,
    ),
    ("/google.bytestream.ByteStream/Read", For::Members),
    ("/google.bytestream.ByteStream/Write", For::Members),
    (
        "/google.bytestream.ByteStream/QueryWriteStatus",
        For::Members,
    ),
    (
        "/build.bazel.remote.execution.v2.Capabilities/GetCapabilities",
        For::Everybody,
    ),
    ("/grpc.health.v1.Health/Check", For::Everybody),
    ("/grpc.health.v1.Health/Watch", For::Everybody),
    // The last: it ends the broker.
    ("/maelstrom.v1.Operator/Stop", For::Administrators),
];

const ROLES: [&str; 5] = ["client", "writer", "privileged", "worker", "admin"];

const NO_CREDENTIALS: [&str; 2] = ["nothing", "a guess"];

fn is_for(whom: For, credential: &str) -> bool {
    matches!(
        (whom, credential),
        (For::Everybody, _)
            | (_, "admin")
            | (For::Members, "client" | "writer" | "privileged" | "worker")
            | (For::Clients, "client" | "writer" | "privileged")
            | (For::Workers, "worker")
            | (For::Writers, "writer")
    )
}

/// A file of tokens, each named as its role.
fn tokens(directory: &Path) -> String {
    let team = directory.join("team");
    let make = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_maelstrom-broker"));
        let (first, rest) = words.split_first().unwrap();
        command.args(["credentials", first]).arg(&team).args(rest);
        assert!(command.output().unwrap().status.success());
    };
    make(&["init", "--name", "127.0.0.1"]);
    for role in ROLES {
        make(&["token", "--role", role, "--name", role]);
    }
    team.join("tokens").display().to_string()
}

/// What becomes of an empty message, sent with this token.
async fn call(channel: &Channel, path: &'static str, token: Option<&str>) -> Code {
    let mut grpc = Grpc::new(channel.clone());
    grpc.ready().await.unwrap();
    let mut request = Request::new(tokio_stream::iter([()]));
    if let Some(token) = token {
        let value: MetadataValue<_> = format!("Bearer {token}").parse().unwrap();
        request.metadata_mut().insert("authorization", value);
    }
    let codec = ProstCodec::<(), ()>::default();
    let path = PathAndQuery::from_static(path);
    match grpc.streaming(request, path, codec).await {
        Err(status) => status.code(),
        // What follows is for whoever was let in.
        Ok(_) => Code::Ok,
    }
}

#[tokio::test]
async fn each_call_is_for_who_has_the_role() {
    let directory = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(&["--tokens", &tokens(directory.path())]);
    let address = format!("http://{}", cluster.address);
    let token = |credential: &str| match credential {
        "nothing" => None,
        "a guess" => Some("guess".to_owned()),
        role => {
            let path = directory.path().join(format!("team/{role}.token"));
            Some(fs::read_to_string(path).unwrap().trim().to_owned())
        }
    };
    for (path, whom) in CALLS {
        for credential in NO_CREDENTIALS.into_iter().chain(ROLES) {
            // A connection of its own, so that nobody profits from another's credential.
            let channel = Channel::from_shared(address.clone()).unwrap();
            let channel = channel.connect().await.unwrap();
            let code = call(&channel, path, token(credential).as_deref()).await;
            let expected = match (is_for(whom, credential), credential) {
                (true, _) => None,
                (false, "nothing" | "a guess") => Some(Code::Unauthenticated),
                (false, _) => Some(Code::PermissionDenied),
            };
            let refused = matches!(code, Code::Unauthenticated | Code::PermissionDenied);
            let refused = refused.then_some(code);
            assert_eq!(refused, expected, "{path} with {credential}");
        }
    }
}

/// Who may have jobs run with all privileges, on a worker that allows them to whoever the broker lets ask.
#[test]
fn full_privileges_are_for_who_has_the_role() {
    let directory = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(&["--tokens", &tokens(directory.path())]);
    let shows = |role: &str| {
        let token = directory.path().join(format!("team/{role}.token"));
        format!("--broker-token-file={}", token.display())
    };
    let mut worker = cluster.worker_command("one");
    worker.args([&shows("worker"), "--allow=full-privileges"]);
    let _worker = Running::start(&mut worker);
    let run = |role: &str, privileges: &str| {
        let job = format!(
            r#"{{"program": "/bin/sh", "arguments": ["-c", "unshare -Ur --cgroup echo lifted || echo kept"], {PORTABLE},
            "added_layers": [], "privileges": "{privileges}"}}"#
        );
        fs::write(directory.path().join("job.json"), job).unwrap();
        let mut command = cluster.client(env!("CARGO_BIN_EXE_maelstrom-run"), directory.path());
        let output = command
            .args(["--no-tui", "--file", "job.json", &shows(role)])
            .output()
            .unwrap();
        let streams = [output.stdout, output.stderr].concat();
        let told = String::from_utf8(streams).unwrap();
        (output.status.success(), told)
    };
    for (role, privileges, expected) in [
        ("client", "ordinary", true),
        ("client", "full", false),
        ("writer", "full", false),
        ("privileged", "full", true),
        ("admin", "full", true),
    ] {
        let (succeeded, told) = run(role, privileges);
        assert_eq!(succeeded, expected, "{role} {privileges}: {told}");
        let refused = told.contains("only who has the role `privileged`");
        assert_eq!(refused, !expected, "{role} {privileges}: {told}");
        let ran = told.contains("kept") || told.contains("lifted");
        assert_eq!(ran, expected, "{role} {privileges}: {told}");
        let lifted = told.contains("lifted");
        assert_eq!(lifted, expected && privileges == "full", "{role}: {told}");
    }
}

/// A connection that has shown one credential is not believed for that alone.
#[tokio::test]
async fn each_call_shows_its_own_credential() {
    let directory = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(&["--tokens", &tokens(directory.path())]);
    let channel = Channel::from_shared(format!("http://{}", cluster.address)).unwrap();
    let channel = channel.connect().await.unwrap();
    let token = fs::read_to_string(directory.path().join("team/admin.token")).unwrap();
    let path = "/maelstrom.v1.Operator/Drain";
    assert_eq!(call(&channel, path, Some(token.trim())).await, Code::Ok);
    assert_eq!(call(&channel, path, None).await, Code::Unauthenticated);
}
