//! Reads one file of nextest's configuration.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use maelstrom_model::error::help_of;
use maelstrom_model::policy::JobGroup;
use maelstrom_spec::config::{ConfigOption, ConfigOptionKind, ConfigWarning, ProjectValue};
use maelstrom_spec::document::{
    DocumentError, DocumentNode, DocumentTable, DocumentValue, SpanError, TableField, TextDocument,
};
use maelstrom_spec::filterset::TestFilterset;
use maelstrom_spec::policy::PolicyFields;
use maelstrom_spec::profile::take_inherits;
use maelstrom_spec::read_node::{SpecResult, boolean, into_table, list, natural, require, text};

use super::values::{GroupTable, group_limit, platform, set, time};
use super::{DefaultFilter, PlatformChoice, TestOverride};

static THREADS: ConfigOption = ConfigOption::new("test-threads", ConfigOptionKind::NumberOrText);
static FAILURES: ConfigOption = ConfigOption::new("max-fail", ConfigOptionKind::Text);
static STATUS: ConfigOption = ConfigOption::new("status-level", ConfigOptionKind::Text);
static SUCCESS: ConfigOption = ConfigOption::new("success-output", ConfigOptionKind::Text);
static RUN_LIMIT: ConfigOption = ConfigOption::new("run-timeout", ConfigOptionKind::Text);
static FAILURE: ConfigOption = ConfigOption::new("failure-output", ConfigOptionKind::Text);
static JUNIT: ConfigOption = ConfigOption::new("junit", ConfigOptionKind::Text);

/// The keys of the file that mean nothing here, and are not named.
const HARMLESS: [&str; 2] = ["nextest-version", "experimental"];

/// One file of nextest's configuration.
#[derive(Debug)]
pub(super) struct NextestFile {
    pub(super) document: Arc<TextDocument>,
    pub(super) profiles: BTreeMap<String, NextestProfile>,
    /// The directory of the store, to which paths of reports are relative.
    pub(super) store: Option<String>,
    /// The keys that mean nothing here, with their lines, and with the profile that has them.
    pub(super) idle: Vec<(Option<String>, String)>,
    /// The warnings about keys that nextest does not have.
    pub(super) warnings: Vec<ConfigWarning>,
}

/// A profile as written.
#[derive(Debug, Default)]
pub(super) struct NextestProfile {
    /// The profile from which it inherits, with the position of its name.
    pub(super) inherits: Option<(String, Range<usize>)>,
    pub(super) default_filters: Vec<DefaultFilter>,
    pub(super) overrides: Vec<Arc<TestOverride>>,
    pub(super) fields: PolicyFields,
    /// The options of the run.
    pub(super) values: Vec<ProjectValue>,
    pub(super) run_extra_args: Option<Vec<String>>,
}

/// Reads the test groups of a file.
pub(super) fn groups(document: &TextDocument) -> Result<GroupTable, DocumentError> {
    let mut table = document.read_toml()?;
    let Some(field) = table.take("test-groups") else {
        return Ok(GroupTable::new());
    };
    groups_of(field.node).map_err(|fault| document.locate(fault))
}

fn groups_of(node: DocumentNode) -> SpecResult<GroupTable> {
    let table = into_table(node, "a table of test groups")?;
    let group = |field: TableField| {
        let span = field.node.span.clone();
        let mut table = into_table(field.node, "a test group")?;
        let limit = require(&mut table, "max-threads", "a test group", &span)?;
        let jobs_max = group_limit(&limit.node)?;
        let name: Arc<str> = field.name.as_str().into();
        Ok((field.name, JobGroup { name, jobs_max }))
    };
    table.fields.into_iter().map(group).collect()
}

/// Reads a file, with the test groups of all files.
pub(super) fn read(
    document: &Arc<TextDocument>,
    groups: &GroupTable,
) -> Result<NextestFile, DocumentError> {
    let table = document.read_toml()?;
    let mut reader = FileReader {
        groups,
        profile: None,
        file: NextestFile {
            document: Arc::clone(document),
            profiles: BTreeMap::new(),
            store: None,
            idle: Vec::new(),
            warnings: Vec::new(),
        },
    };
    let read = reader.file(table);
    read.map_err(|fault| document.locate(fault))?;
    Ok(reader.file)
}

struct FileReader<'a> {
    groups: &'a GroupTable,
    /// The profile that is read.
    profile: Option<String>,
    file: NextestFile,
}

impl FileReader<'_> {
    fn place(&self, field: &TableField) -> String {
        self.file.document.place(&field.span)
    }

    /// Notes a key that means nothing here.
    fn idle(&mut self, prefix: &str, field: &TableField) {
        let place = self.place(field);
        let line = place.rsplit(':').nth(1).unwrap_or_default();
        let named = format!("`{prefix}{}` (line {line})", field.name);
        self.file.idle.push((self.profile.clone(), named));
    }

    /// Notes a key that nextest does not have.
    fn unknown(&mut self, prefix: &str, field: &TableField) {
        let text = format!(
            "{}: `{prefix}{}` is no key of nextest's configuration; it is ignored",
            self.place(field),
            field.name
        );
        self.file.warnings.push(ConfigWarning { text, help: None });
    }

    fn value(
        &self,
        option: &'static ConfigOption,
        field: &TableField,
        value: DocumentValue,
    ) -> ProjectValue {
        let node = DocumentNode {
            span: field.node.span.clone(),
            value,
        };
        ProjectValue {
            option,
            rank: 1,
            document: Arc::clone(&self.file.document),
            field: TableField {
                node,
                ..field.clone()
            },
        }
    }

    fn file(&mut self, mut table: DocumentTable) -> SpecResult<()> {
        if let Some(field) = table.take("store") {
            let mut store = into_table(field.node, "the store")?;
            let directory = store.take("dir").map(|field| text(field.node, "a path"));
            self.file.store = directory.transpose()?;
            for field in &store.fields {
                self.unknown("store.", field);
            }
        }
        let profiles = table.take("profile");
        // They are read before, and from all files.
        table.take("test-groups");
        for field in &table.fields {
            match field.name.as_str() {
                "scripts" | "script" => self.idle("", field),
                name if HARMLESS.contains(&name) => {}
                _ => self.unknown("", field),
            }
        }
        let Some(profiles) = profiles else {
            return Ok(());
        };
        for field in into_table(profiles.node, "a table of profiles")?.fields {
            let name = field.name.clone();
            self.profile = Some(name.clone());
            let profile = self.profile(field)?;
            self.file.profiles.insert(name, profile);
        }
        Ok(())
    }

    fn profile(&mut self, field: TableField) -> SpecResult<NextestProfile> {
        let prefix = format!("profile.{}.", field.name);
        let mut table = into_table(field.node, "a profile")?;
        let mut profile = NextestProfile {
            inherits: take_inherits(&mut table)?,
            ..NextestProfile::default()
        };
        let overrides = table.take("overrides");
        for field in overrides.into_iter() {
            for node in list(field.node, "an array of tables")? {
                self.overriding(&mut profile, &prefix, node)?;
            }
        }
        for field in table.fields {
            self.key(&mut profile, &prefix, field)?;
        }
        Ok(profile)
    }

    /// Reads a key of a profile.
    fn key(
        &mut self,
        profile: &mut NextestProfile,
        prefix: &str,
        field: TableField,
    ) -> SpecResult<()> {
        let node = field.node.clone();
        match field.name.as_str() {
            "default-filter" => profile.default_filters.push(DefaultFilter {
                platform: PlatformChoice::default(),
                filter: self.filterset(node)?,
            }),
            "test-threads" => {
                let value = node.value;
                profile.values.push(self.value(&THREADS, &field, value));
            }
            "fail-fast" => {
                let value = DocumentValue::Text(failures(node)?);
                profile.values.push(self.value(&FAILURES, &field, value));
            }
            "status-level" => profile.values.push(self.value(&STATUS, &field, node.value)),
            "success-output" => profile
                .values
                .push(self.value(&SUCCESS, &field, node.value)),
            "failure-output" if node.value == DocumentValue::Text("never".to_owned()) => {
                self.idle(prefix, &field);
            }
            "failure-output" => profile
                .values
                .push(self.value(&FAILURE, &field, node.value)),
            "run-extra-args" => profile.run_extra_args = Some(words(node)?),
            "junit" => self.junit(profile, prefix, field)?,
            "global-timeout" => {
                let limit = DocumentValue::Text(time(node)?.as_secs_f64().to_string());
                profile.values.push(self.value(&RUN_LIMIT, &field, limit));
            }
            "final-status-level" | "archive" | "bench" | "scripts" => self.idle(prefix, &field),
            name => {
                let origin: Arc<str> = self.place(&field).into();
                if !set(&mut profile.fields, self.groups, name, node, &origin)? {
                    self.unknown(prefix, &field);
                }
            }
        }
        Ok(())
    }

    fn junit(
        &mut self,
        profile: &mut NextestProfile,
        prefix: &str,
        field: TableField,
    ) -> SpecResult<()> {
        let prefix = format!("{prefix}junit.");
        for field in into_table(field.node, "the settings of the JUnit report")?.fields {
            match field.name.as_str() {
                "path" => {
                    let value = field.node.value.clone();
                    profile.values.push(self.value(&JUNIT, &field, value));
                }
                "store-failure-output" if boolean(&field.node)? => {}
                "report-name"
                | "store-success-output"
                | "store-failure-output"
                | "report-skipped"
                | "flaky-fail-status" => self.idle(&prefix, &field),
                _ => self.unknown(&prefix, &field),
            }
        }
        Ok(())
    }

    fn overriding(
        &mut self,
        profile: &mut NextestProfile,
        prefix: &str,
        node: DocumentNode,
    ) -> SpecResult<()> {
        let (prefix, span) = (format!("{prefix}overrides."), node.span.clone());
        let mut table = into_table(node, "an override")?;
        let filter = table.take("filter");
        let platforms = table.take("platform");
        if filter.is_none() && platforms.is_none() {
            return Err(SpanError {
                span,
                message: "an override needs `filter` or `platform`".to_owned(),
                help: Some("write filter = \"all()\" for all tests".to_owned()),
            });
        }
        let platforms = platforms.map(|field| platform(field.node));
        let platforms = platforms.transpose()?.unwrap_or_default();
        if let Some(field) = table.take("default-filter") {
            if filter.is_some() {
                let fault = field
                    .node
                    .fault("`default-filter` is for a `platform` alone");
                return Err(fault.with_help("put it into an override without `filter`"));
            }
            let written = self.filterset(field.node)?;
            // Those of platforms come before the profile's own, which is read later.
            profile.default_filters.push(DefaultFilter {
                platform: platforms.clone(),
                filter: written,
            });
        }
        let filter = filter.map(|field| self.filterset(field.node)).transpose()?;
        let mut fields = PolicyFields::default();
        for field in table.fields {
            match field.name.as_str() {
                "run-extra-args" | "success-output" | "failure-output" | "junit" | "bench" => {
                    self.idle(&prefix, &field);
                }
                name => {
                    let (origin, node): (Arc<str>, _) =
                        (self.place(&field).into(), field.node.clone());
                    if !set(&mut fields, self.groups, name, node, &origin)? {
                        self.unknown(&prefix, &field);
                    }
                }
            }
        }
        profile.overrides.push(Arc::new(TestOverride {
            platform: platforms,
            filter,
            fields,
        }));
        Ok(())
    }

    fn filterset(&self, node: DocumentNode) -> SpecResult<TestFilterset> {
        let span = node.span.clone();
        let written = text(node, "a filterset in a string")?;
        TestFilterset::parse(&written).map_err(|error| {
            let start = self.file.document.literal_at(&span, &written);
            SpanError {
                span: match start {
                    Some(start) => start + error.span.start..start + error.span.end,
                    None => span,
                },
                message: format!("invalid filterset: {}", error.problem),
                help: help_of(&error),
            }
        })
    }
}

/// Reads `fail-fast` and returns it as the value of `--max-fail`.
fn failures(node: DocumentNode) -> SpecResult<String> {
    const ALL: &str = "all";
    match node.value {
        DocumentValue::Boolean(true) => return Ok("1".to_owned()),
        DocumentValue::Boolean(false) => return Ok(ALL.to_owned()),
        _ => {}
    }
    let span = node.span.clone();
    let mut table = into_table(node, "true, false or `max-fail`")?;
    let count = require(&mut table, "max-fail", "`fail-fast`", &span)?;
    let mode = table.take("terminate");
    let mode = mode.map(|field| text(field.node, "\"wait\" or \"immediate\""));
    table.finish("`fail-fast`", &["max-fail", "terminate"])?;
    match &count.node.value {
        DocumentValue::Text(word) if word == ALL => Ok(ALL.to_owned()),
        _ => match (natural(&count.node)?, mode.transpose()?) {
            (0, _) => Err(count
                .node
                .fault("expected a number of at least 1, or \"all\"")),
            (count, None) => Ok(count.to_string()),
            (count, Some(mode)) => Ok(format!("{count}:{mode}")),
        },
    }
}

fn words(node: DocumentNode) -> SpecResult<Vec<String>> {
    let words = list(node, "an array of strings")?.into_iter();
    words.map(|node| text(node, "a string")).collect()
}

/// Returns the path of a report, which is relative to the profile's part of the store.
pub(super) fn in_store(mut value: ProjectValue, directory: &Path) -> ProjectValue {
    if let (true, DocumentValue::Text(path)) =
        (value.option.name == JUNIT.name, &mut value.field.node.value)
    {
        *path = directory.join(&*path).to_string_lossy().into_owned();
    }
    value
}
