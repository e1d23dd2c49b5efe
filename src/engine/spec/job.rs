//! Self-contained job descriptions: the JSON objects that `maelstrom-run` reads.
//!
//! An object is either a job, which has the fields of a container and those of a program, or a set
//! of named containers for the jobs that follow.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::document::{
    DocumentError, DocumentNode, DocumentTable, DocumentValue, SpanError, TextDocument,
};

use maelstrom_model::policy::DeviceNeed;

use super::container::ContainerDefinition;
use super::policy::read::devices;
use super::read::{CONTAINER_FIELDS, refuse_former};
use super::read_node::{SpecResult, into_table, list, natural, require, small_integer, text};
use super::reader::{SpecContext, SpecReader};
use super::resolve::{ResolvedSpec, SpecError, SpecResolver};

/// One object of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobFileEntry {
    /// Named containers for the jobs that follow.
    Containers(BTreeMap<String, ContainerDefinition>),
    Job(Box<JobSpecification>),
}

/// A job as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSpecification {
    /// The position in the input, for messages.
    pub place: String,
    pub program: String,
    pub arguments: Vec<String>,
    /// The timeout; `None` means no limit.
    pub timeout: Option<Duration>,
    /// The priority: jobs with a higher number start first.
    pub priority: i8,
    /// The devices of the machine that the job has, sorted.
    pub devices: Vec<DeviceNeed>,
    /// The container in which the job runs.
    pub container: ContainerDefinition,
}

/// The fields that a job has in addition to those of a container.
pub(super) const JOB_FIELDS: [&str; 5] = ["program", "arguments", "timeout", "priority", "devices"];

impl JobFileEntry {
    /// Reads an object.
    pub fn read(
        document: &TextDocument,
        context: &SpecContext<'_>,
    ) -> Result<JobFileEntry, DocumentError> {
        let node = document.read_json()?;
        let reader = SpecReader::new(document, context);
        reader.entry(node).map_err(|fault| document.locate(fault))
    }
}

impl SpecReader<'_> {
    fn entry(&self, node: DocumentNode) -> SpecResult<JobFileEntry> {
        let span = node.span.clone();
        let mut table = into_table(node, "a job or `containers`")?;
        if let Some(field) = table.take("containers") {
            if let Some(other) = table.fields.first() {
                return Err(SpanError {
                    span: other.span.clone(),
                    message: format!("`{}` cannot be used with `containers`", other.name),
                    help: Some("write two objects, one after the other".to_owned()),
                });
            }
            let containers = into_table(field.node, "a table of containers")?;
            return self.containers(containers).map(JobFileEntry::Containers);
        }
        let place = self.document.place(&span);
        let program = require(&mut table, "program", "a job", &span)?;
        let program = text(program.node, "a string")?;
        let arguments = table.take("arguments").map_or(Ok(Vec::new()), |field| {
            let words = list(field.node, "an array of strings")?;
            words
                .into_iter()
                .map(|node| text(node, "a string"))
                .collect()
        })?;
        let timeout = table.take("timeout").map(|field| natural(&field.node));
        let timeout_s = timeout.transpose()?.filter(|seconds| *seconds > 0);
        let priority = table
            .take("priority")
            .map_or(Ok(0), |field| small_integer(&field.node))?;
        let needs = table.take("devices").map(|field| devices(field.node));
        add_to_used_environment(&mut table);
        let fields = self.fields(&mut table)?;
        refuse_former(&table)?;
        let known: Vec<&str> = JOB_FIELDS.into_iter().chain(CONTAINER_FIELDS).collect();
        table.finish("a job", &known)?;
        Ok(JobFileEntry::Job(Box::new(JobSpecification {
            place,
            program,
            arguments,
            timeout: timeout_s.map(|seconds| Duration::from_secs(seconds.into())),
            priority,
            devices: needs.transpose()?.unwrap_or_default(),
            container: fields.into_container()?,
        })))
    }
}

/// Renames a job's list `environment` to `added_environment` if its base's `use` lists the
/// environment, so that the elements are added to the inherited ones.
fn add_to_used_environment(table: &mut DocumentTable) {
    let uses_environment = table.fields.iter().any(|field| {
        let DocumentValue::Table(origin) = &field.node.value else {
            return false;
        };
        let is_origin = field.name == "image" || field.name == "parent";
        is_origin
            && origin.fields.iter().any(|field| {
                let environment = DocumentValue::Text("environment".to_owned());
                field.name == "use"
                    && matches!(&field.node.value, DocumentValue::List(names)
                        if names.iter().any(|name| name.value == environment))
            })
    });
    let environment = table
        .fields
        .iter_mut()
        .find(|field| field.name == "environment")
        .filter(|field| matches!(field.node.value, DocumentValue::List(_)));
    if let Some(field) = environment.filter(|_| uses_environment) {
        field.name = "added_environment".to_owned();
    }
}

impl SpecResolver {
    /// Adds named containers, replacing earlier ones with the same names.
    pub fn define(&mut self, containers: BTreeMap<String, ContainerDefinition>) {
        self.specification_mut().containers.extend(containers);
    }

    /// Resolves the container of a self-contained job.
    pub fn resolve_job(&self, job: &JobSpecification) -> Result<ResolvedSpec, SpecError> {
        self.resolve_container(job.container.clone(), &job.place, job.timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::super::resolve::{ResolvedBase, RunnerLayers};
    use super::super::{InheritedFields, TestSpecification};
    use super::*;
    use crate::document::TextPosition;
    use crate::filter::vocabulary;
    use proptest::prelude::*;
    use std::path::Path;

    fn read(text: &str) -> Result<JobFileEntry, DocumentError> {
        let document = TextDocument::part("jobs", text, TextPosition { line: 7, column: 3 });
        let context = SpecContext {
            vocabulary: &vocabulary::CARGO,
            project: Path::new("/p"),
            variables: &[],
        };
        JobFileEntry::read(&document, &context)
    }

    fn job(text: &str) -> JobSpecification {
        match read(text) {
            Ok(JobFileEntry::Job(job)) => *job,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_job_has_the_fields_of_a_program_and_of_a_container() {
        let read = job(
            r#"{"program": "/probe", "arguments": ["-q"], "timeout": 9, "priority": -3,
                "layers": [{"stubs": ["/x"]}], "user": 7}"#,
        );
        assert_eq!(read.place, "jobs:7:3");
        assert_eq!(read.program, "/probe");
        assert_eq!(read.arguments, ["-q"]);
        assert_eq!(read.timeout, Some(Duration::from_secs(9)));
        assert_eq!(read.priority, -3);
        assert_eq!(read.container.scalars.user, Some(7));
        assert_eq!(read.container.layers.len(), 1);
        assert_eq!(job(r#"{"program": "x", "timeout": 0}"#).timeout, None);
    }

    #[test]
    fn containers_are_for_the_jobs_after_them() {
        let mut resolver =
            SpecResolver::new(TestSpecification::default(), None, RunnerLayers::None);
        let child = job(r#"{"program": "x", "parent": "base"}"#);
        let unknown = resolver.resolve_job(&child).unwrap_err();
        assert_eq!(
            unknown.to_string(),
            "jobs:7:30: there is no container `base`"
        );
        for user in [7, 8] {
            let named = read(&format!(
                r#"{{"containers": {{"base": {{"layers": [{{"stubs": ["/x"]}}], "user": {user}}}}}}}"#
            ));
            let Ok(JobFileEntry::Containers(named)) = named else {
                panic!("{named:?}");
            };
            resolver.define(named);
            let resolved = resolver.resolve_job(&child).unwrap();
            assert_eq!(resolved.scalars.user, Some(user));
            assert_eq!(resolved.base, ResolvedBase::Nothing);
        }
    }

    #[test]
    fn a_list_of_elements_adds_to_the_environment_that_is_used() {
        let read = job(
            r#"{"program": "x", "image": {"name": "docker://a", "use": ["layers", "environment"]},
                "environment": [{"vars": {"A": "1"}, "extend": true}]}"#,
        );
        assert_eq!(read.container.environment.len(), 1);
        let super::super::ContainerBase::Image { inherited, .. } = read.container.base else {
            panic!("{read:?}");
        };
        assert!(inherited.contains(InheritedFields::ENVIRONMENT));
    }

    #[test]
    fn every_mistake_has_its_place() {
        let mistakes = [
            r#"["program"]"#,
            r#"{"arguments": []}"#,
            r#"{"program": 1}"#,
            r#"{"program": "x", "argument": []}"#,
            r#"{"program": "x", "arguments": "y"}"#,
            r#"{"program": "x", "priority": 128}"#,
            r#"{"program": "x", "timeout": -1}"#,
            r#"{"program": "x", "timeout": null}"#,
            r#"{"program": "x", "containers": {}}"#,
            r#"{"program": "x", "enable_loopback": true}"#,
            r#"{"program": "x", "added_layers": []}"#,
            r#"{"program": "x", "image": "docker://a", "parent": "b"}"#,
            r#"{"program": "x", "environment": {"A": "$b"}}"#,
            r#"{"containers": {"a": {"layer": []}}}"#,
        ];
        let told = mistakes.map(|text| {
            let error = read(text).unwrap_err();
            match &error.help {
                Some(help) => format!("{error}\n  help: {help}"),
                None => error.to_string(),
            }
        });
        insta::assert_snapshot!(told.join("\n\n"));
    }

    /// Generates jobs of mostly valid fields in any order, some of them truncated.
    fn nearly_a_job() -> impl Strategy<Value = String> {
        let field = prop::sample::select(vec![
            r#""program": "x""#,
            r#""program": 1"#,
            r#""arguments": ["-q", "é"]"#,
            r#""arguments": [null]"#,
            r#""timeout": 4294967295"#,
            r#""timeout": 1e99"#,
            r#""priority": -128"#,
            r#""priority": 128"#,
            r#""parent": "a""#,
            r#""image": {"name": "docker://x", "use": ["layers"]}"#,
            r#""layers": [{"stubs": ["/{a,b}/"]}]"#,
            r#""added_layers": [{"tar": "a"}, {}]"#,
            r#""environment": {"A": "$prev{A:-x}$$"}"#,
            r#""environment": [{"vars": {}, "extend": true}]"#,
            r#""added_environment": {"A": "${"}"#,
            r#""mounts": [{"type": "tmp", "mount_point": "/"}]"#,
            r#""network": "loopback""#,
            r#""user": -1"#,
            r#""containers": {"a": {"user": 7}}"#,
            r#""\u0000": []"#,
        ]);
        (prop::collection::vec(field, 0..5), 0..200_usize).prop_map(|(fields, end)| {
            let text = format!("{{{}}}", fields.join(", "));
            text.chars().take(end).collect()
        })
    }

    proptest! {
        #[test]
        fn any_job_is_read_or_refused_with_a_place(
            text in prop_oneof![nearly_a_job(), any::<String>()],
        ) {
            if let Err(error) = read(&text) {
                prop_assert!(error.to_string().starts_with("jobs:"), "{error}");
            }
        }
    }
}
