//! A test that classifies every text field of every message by how its content is made safe to
//! display.
//!
//! A new text field must be classified here.

use proptest::prelude::*;
use prost::Message;
use prost_types::FileDescriptorSet;
use prost_types::field_descriptor_proto::Type;

use super::from_proto;
use super::v1::{self, job_result};
use maelstrom_model::job::JobOutcome;
use maelstrom_model::testing::{assert_clean, hostile_text};

/// The class of a text field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TextClass {
    /// One of a few known values; errors show any other value escaped.
    Value,
    /// Text for display: [`from_proto::text`] sanitizes it first.
    People,
    /// A name that is also displayed to others: the broker rejects one that is not clean
    /// ([`super::limits::name`]).
    Name,
    /// Passed to the kernel; displayed like a path.
    Kernel,
}

/// All text fields, with their classes.
const TEXTS: [(&str, TextClass); 28] = [
    ("Client.name", TextClass::Name),
    ("Cluster.release", TextClass::People),
    ("Container.devices", TextClass::Value),
    ("Container.hostname", TextClass::Kernel),
    ("DeviceNeed.device", TextClass::Value),
    ("Digest.hash", TextClass::Value),
    ("DrainRequest.worker", TextClass::Name),
    ("DrainResponse.workers", TextClass::Name),
    ("Heartbeat.degraded", TextClass::People),
    ("Hello.name", TextClass::Name),
    ("JobNeeds.group", TextClass::Name),
    ("JobResult.infrastructure", TextClass::People),
    ("Leaked.names", TextClass::People),
    ("Mount.device", TextClass::Value),
    ("Notice.help", TextClass::People),
    ("Notice.text", TextClass::People),
    ("Register.architecture", TextClass::Value),
    ("Register.name", TextClass::Name),
    ("Requeued.reason", TextClass::People),
    ("Service.name", TextClass::People),
    ("Template.architecture", TextClass::Value),
    ("ToolboxAnswer.lacks", TextClass::People),
    ("Versions.release", TextClass::People),
    ("Worker.architecture", TextClass::People),
    ("Worker.degraded", TextClass::People),
    ("Worker.name", TextClass::Name),
    ("Worker.release", TextClass::People),
    ("WorkerLeft.reason", TextClass::People),
];

/// Returns the fields of this type in all messages, each with its message's name.
fn fields(wanted: Type) -> Vec<String> {
    let bytes = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
    let files = FileDescriptorSet::decode(bytes.as_slice()).unwrap();
    let ours = files.file.iter();
    let ours = ours.filter(|file| file.package() == "maelstrom.v1");
    let mut names: Vec<String> = ours
        .flat_map(|file| &file.message_type)
        .flat_map(|message| {
            assert!(
                message.nested_type.is_empty(),
                "look into {}",
                message.name()
            );
            let fields = message.field.iter();
            let fields = fields.filter(|field| field.r#type() == wanted);
            fields.map(|field| format!("{}.{}", message.name(), field.name()))
        })
        .collect();
    names.sort();
    names
}

#[test]
fn every_text_of_a_message_has_a_class() {
    let known: Vec<&str> = TEXTS.iter().map(|(name, _)| *name).collect();
    assert_eq!(fields(Type::String), known);
}

/// Bytes that may be displayed: programs, arguments, variables and paths in errors, which escape
/// them, and the names of discarded files in a notice, which sanitizes them.
#[test]
fn every_sequence_of_bytes_in_a_message_is_known() {
    let known = [
        "Client.run",
        "Discarded.files",
        "EnvironmentVariable.name",
        "EnvironmentVariable.value",
        "Hello.run",
        "Hello.secret",
        "Job.arguments",
        "Job.program",
        "JobName.run",
        "Lease.run",
        "Mount.mount_point",
        "Output.data",
        "Process.arguments",
        "Process.program",
        "Process.working_directory",
        "Register.instance",
        "SkeletonEntry.file",
        "SkeletonEntry.path",
        "SkeletonEntry.symlink",
        "Source.toolbox",
        "Template.working_directory",
        "ToolboxPath.identity",
        "ToolboxPath.path",
        "Written.data",
    ];
    assert_eq!(fields(Type::Bytes), known);
}

proptest! {
    /// Text for display comes out sanitized, and an unknown value is rejected with a sanitized
    /// error.
    #[test]
    fn no_text_of_a_message_does_anything(text in hostile_text()) {
        assert_clean(&from_proto::text(&text).to_string());
        let result = v1::JobResult {
            end: Some(job_result::End::Infrastructure(text.clone())),
            ..v1::JobResult::default()
        };
        let end = from_proto::job_result(&result).unwrap().end;
        let JobOutcome::Error(message) = end else {
            panic!("{end:?}");
        };
        message.split('\n').for_each(assert_clean);
        let versions = v1::Versions { lowest: 99, highest: 99, release: text.clone() };
        assert_clean(&super::versions::agree(Some(&versions), "broker").unwrap_err());
        let template = v1::Template {
            architecture: text.clone(),
            working_directory: text.clone().into_bytes().into(),
            container: Some(v1::Container {
                hostname: text.clone(),
                mounts: vec![v1::Mount {
                    mount_point: text.clone().into_bytes().into(),
                    kind: Some(v1::mount::Kind::Device(text.clone())),
                }],
                ..v1::Container::default()
            }),
            ..v1::Template::default()
        };
        assert_clean(&from_proto::template(&template).unwrap_err().to_string());
        let digest = v1::Digest { hash: text.clone(), size_bytes: 0 };
        assert_clean(&from_proto::digest(&digest).unwrap_err().to_string());
        if let Err(refused) = super::limits::name(&text) {
            assert_clean(&refused);
        } else {
            assert_clean(&text);
        }
    }
}
