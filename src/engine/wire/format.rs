//! A test of the wire format: a listing of every service, message and enumeration of
//! `proto/maelstrom/v1`.
//!
//! Two files next to this one hold such listings. `snapshots/…wire_format.snap` is the current
//! format, so that changes show up in reviews. `wire-0.1.txt` is the format of the first release
//! and never changes: peers with its version of the protocol still exist.

use std::collections::BTreeSet;

use prost::Message;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet,
    ServiceDescriptorProto,
};

const PACKAGE: &str = "maelstrom.v1";

/// The format of the first release. A line may be removed once no release speaks version 1 any
/// more.
const FIRST: &str = include_str!("wire-0.1.txt");

/// Returns one line for each method, field and value, sorted by name and number.
fn listing() -> Vec<String> {
    let bytes = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
    let files = FileDescriptorSet::decode(bytes.as_slice()).unwrap();
    let ours = files.file.iter().filter(|file| file.package() == PACKAGE);
    let mut items = Vec::new();
    for file in ours {
        assert_eq!(file.syntax(), "proto3", "{}", file.name());
        items.extend(file.service.iter().map(service));
        items.extend(file.message_type.iter().map(message));
        items.extend(file.enum_type.iter().map(enumeration));
    }
    items.sort();
    items.concat()
}

fn service(service: &ServiceDescriptorProto) -> Vec<String> {
    let mut lines = vec![format!("service {}", service.name())];
    let side = |is_stream: bool, of: &str| match is_stream {
        true => format!("stream {}", short(of)),
        false => short(of).to_owned(),
    };
    lines.extend(service.method.iter().map(|method| {
        format!(
            "{}.{} ({}) returns ({})",
            service.name(),
            method.name(),
            side(method.client_streaming(), method.input_type()),
            side(method.server_streaming(), method.output_type()),
        )
    }));
    lines
}

fn message(message: &DescriptorProto) -> Vec<String> {
    let name = message.name();
    let is_flat = message.nested_type.is_empty() && message.enum_type.is_empty();
    assert!(is_flat, "list what is in {name}, too");
    let mut lines = vec![format!("message {name}")];
    let mut fields: Vec<_> = message.field.iter().collect();
    fields.sort_by_key(|field| field.number());
    let fields = fields.into_iter();
    lines.extend(fields.map(|field| format!("{name}.{}", described(field, message))));
    let reserved = message.reserved_range.iter();
    lines.extend(reserved.map(|range| {
        // The end is exclusive.
        format!("{name} reserves {} to {}", range.start(), range.end() - 1)
    }));
    let names = message.reserved_name.iter();
    lines.extend(names.map(|reserved| format!("{name} reserves {reserved}")));
    lines
}

fn described(field: &FieldDescriptorProto, message: &DescriptorProto) -> String {
    let kind = match field.r#type() {
        Type::Message | Type::Enum => short(field.type_name()).to_owned(),
        scalar => scalar.as_str_name().replace("TYPE_", "").to_lowercase(),
    };
    let label = match field.label() {
        Label::Repeated => "repeated ",
        Label::Optional if field.proto3_optional() => "optional ",
        Label::Optional => "",
        Label::Required => "required ",
    };
    // An `optional` field is represented as a `oneof` with a single field.
    let choice = field.oneof_index.filter(|_| !field.proto3_optional());
    let choice = choice.map_or(String::new(), |index| {
        let choice = &message.oneof_decl[usize::try_from(index).unwrap()];
        format!(" in {}", choice.name())
    });
    format!(
        "{} = {} {label}{kind}{choice}",
        field.name(),
        field.number()
    )
}

fn enumeration(values: &EnumDescriptorProto) -> Vec<String> {
    let name = values.name();
    let mut lines = vec![format!("enum {name}")];
    let values = values.value.iter();
    lines.extend(values.map(|value| format!("{name}.{} = {}", value.name(), value.number())));
    lines
}

/// Returns a type's name without this protocol's own package.
fn short(name: &str) -> &str {
    let name = name.trim_start_matches('.');
    let rest = name.strip_prefix(PACKAGE);
    rest.and_then(|rest| rest.strip_prefix('.')).unwrap_or(name)
}

#[test]
fn the_wire_format_changes_in_review_only() {
    insta::assert_snapshot!("wire_format", listing().join("\n"));
}

/// Fields may be added; existing ones keep their number and type.
#[test]
fn all_of_the_first_builds_wire_format_is_in_todays() {
    let today: BTreeSet<String> = listing().into_iter().collect();
    let missing: Vec<&str> = FIRST
        .lines()
        .filter(|line| !today.contains(*line))
        .collect();
    assert!(missing.is_empty(), "removed or changed: {missing:#?}");
}
