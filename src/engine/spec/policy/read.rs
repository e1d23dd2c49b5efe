//! Reads how tests run from a directive, a profile, and the test groups of a file.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::document::{
    DocumentNode, DocumentTable, DocumentValue, SpanError, TableField, TextDocument,
};
use crate::read_node::{
    SpecResult, boolean, choice, into_table, list, natural, positive, require, small_integer, text,
};
use crate::snippet::nearest;
use maelstrom_model::policy::{DeviceNeed, DeviceNeedError, JobGroup, RetryDelay};

use super::time::parse_units;
use super::words::{
    BACKOFF_KINDS, BackoffKind, FLAKY_VERDICTS, LEAK_VERDICTS, SHARE_SCOPES, TIMEOUT_VERDICTS,
};
use super::{PolicyFields, PolicySetting, RetrySetting};

/// The fields of a directive that say how tests run, in the order in which errors list them.
pub(crate) const POLICY_FIELDS: [&str; 13] = [
    "retries",
    "flaky_result",
    "slow",
    "timeout",
    "on_timeout",
    "grace",
    "leak",
    "priority",
    "test_group",
    "weight",
    "exclusive",
    "devices",
    "share",
];

/// The fields of a table of `retries`.
const RETRY_FIELDS: [&str; 5] = ["count", "backoff", "delay", "max_delay", "jitter"];

/// The test groups of a file, by name.
pub(crate) type TestGroups = BTreeMap<String, JobGroup>;

/// Reads the table of test groups.
pub(crate) fn test_groups(node: DocumentNode) -> SpecResult<TestGroups> {
    let table = into_table(node, "a table of test groups")?;
    let group = |field: TableField| {
        let span = field.node.span.clone();
        let mut table = into_table(field.node, "a test group")?;
        let limit = require(&mut table, "max", "a test group", &span)?;
        let jobs_max = positive(&limit.node)?;
        table.finish("a test group", &["max"])?;
        let name: Arc<str> = field.name.as_str().into();
        Ok((field.name, JobGroup { name, jobs_max }))
    };
    table.fields.into_iter().map(group).collect()
}

/// Takes the fields that say how tests run out of a table.
pub(crate) fn policy(
    document: &TextDocument,
    groups: &TestGroups,
    table: &mut DocumentTable,
) -> SpecResult<PolicyFields> {
    let mut taker = PolicyTaker { document, table };
    Ok(PolicyFields {
        retries: taker.take("retries", retries)?,
        flaky_result: taker.take("flaky_result", |node| choice(&node, &FLAKY_VERDICTS))?,
        slow: taker.take("slow", |node| time(&node).map(unless_zero))?,
        timeout: taker.take("timeout", |node| time(&node).map(unless_zero))?,
        on_timeout: taker.take("on_timeout", |node| choice(&node, &TIMEOUT_VERDICTS))?,
        grace: taker.take("grace", |node| time(&node))?,
        leak: taker.take("leak", |node| choice(&node, &LEAK_VERDICTS))?,
        priority: taker.take("priority", |node| small_integer(&node))?,
        test_group: taker.take("test_group", |node| test_group(node, groups))?,
        weight: taker.take("weight", |node| weight(&node))?,
        exclusive: taker.take("exclusive", |node| boolean(&node))?,
        devices: taker.take("devices", devices)?,
        share: taker.take("share", |node| choice(&node, &SHARE_SCOPES))?,
    })
}

/// Takes fields out of a table, each with its origin.
struct PolicyTaker<'a> {
    document: &'a TextDocument,
    table: &'a mut DocumentTable,
}

impl PolicyTaker<'_> {
    fn take<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(DocumentNode) -> SpecResult<T>,
    ) -> SpecResult<Option<PolicySetting<T>>> {
        let Some(field) = self.table.take(name) else {
            return Ok(None);
        };
        let origin = self.document.place(&field.span).into();
        let value = read(field.node)?;
        Ok(Some(PolicySetting { value, origin }))
    }
}

fn unless_zero(time: Duration) -> Option<Duration> {
    (!time.is_zero()).then_some(time)
}

/// Reads a number of seconds, or a text such as `1m 30s`.
pub(crate) fn time(node: &DocumentNode) -> SpecResult<Duration> {
    match &node.value {
        DocumentValue::Integer(_) => Ok(Duration::from_secs(natural(node)?.into())),
        DocumentValue::Text(text) => parse_units(text).map_err(|reason| {
            node.fault(reason)
                .with_help("write a number of seconds, or a time such as \"500ms\" or \"1m 30s\"")
        }),
        _ => Err(node.not("a number of seconds, or a time such as \"1m 30s\"")),
    }
}

/// Reads `retries`: a number, or a table.
fn retries(node: DocumentNode) -> SpecResult<RetrySetting> {
    if matches!(node.value, DocumentValue::Integer(_)) {
        return natural(&node).map(RetrySetting::immediate);
    }
    let span = node.span.clone();
    let mut table = into_table(node, "a number of retries or a retry policy")?;
    let count = require(&mut table, "count", "`retries`", &span)?;
    let backoff = table.take("backoff");
    let backoff = backoff.map(|field| choice(&field.node, &BACKOFF_KINDS));
    let backoff = backoff.transpose()?.unwrap_or(BackoffKind::Fixed);
    let delay = match backoff {
        BackoffKind::Fixed => table.take("delay"),
        BackoffKind::Exponential => {
            Some(require(&mut table, "delay", "an exponential delay", &span)?)
        }
    };
    let delay = delay.map(|field| time(&field.node)).transpose()?;
    let delay = delay.unwrap_or_default();
    let jitter = table.take("jitter").map(|field| boolean(&field.node));
    let jitter = jitter.transpose()?.unwrap_or_default();
    let delay = match (backoff, table.take("max_delay")) {
        (BackoffKind::Fixed, None) => RetryDelay::Fixed { delay, jitter },
        (BackoffKind::Fixed, Some(field)) => {
            let fault = field.node.fault("`max_delay` limits an exponential delay");
            return Err(fault.with_help("write backoff = \"exponential\", or leave it out"));
        }
        (BackoffKind::Exponential, longest) => RetryDelay::Exponential {
            first: delay,
            longest: longest.map(|field| time(&field.node)).transpose()?,
            jitter,
        },
    };
    table.finish("`retries`", &RETRY_FIELDS)?;
    let count = natural(&count.node)?;
    Ok(RetrySetting { count, delay })
}

/// Reads the name of a test group; an empty one means none.
fn test_group(node: DocumentNode, groups: &TestGroups) -> SpecResult<Option<JobGroup>> {
    let span = node.span.clone();
    let name = text(node, "the name of a test group")?;
    if name.is_empty() {
        return Ok(None);
    }
    match groups.get(&name) {
        Some(group) => Ok(Some(group.clone())),
        None => Err(SpanError {
            span,
            message: format!("there is no test group `{name}`"),
            help: Some(match nearest(&name, groups.keys().map(String::as_str)) {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => format!("define it: [test_groups.{name}] with `max`"),
            }),
        }),
    }
}

/// Reads the devices of a test or a job.
pub(crate) fn devices(node: DocumentNode) -> SpecResult<Vec<DeviceNeed>> {
    let mut needs = Vec::new();
    for node in list(node, "an array of devices")? {
        let span = node.span.clone();
        let need = text(node, "the path of a device")?.parse();
        needs.push(need.map_err(|error: DeviceNeedError| SpanError {
            span,
            message: error.to_string(),
            help: Some(error.help().to_owned()),
        })?);
    }
    Ok(DeviceNeed::settle(needs))
}

/// Reads the number of slots that a test takes: a number, or `"all"`.
fn weight(node: &DocumentNode) -> SpecResult<NonZeroU32> {
    match &node.value {
        DocumentValue::Text(word) if word == "all" => Ok(NonZeroU32::MAX),
        DocumentValue::Integer(_) => positive(node),
        _ => Err(node.not("a number of slots, or \"all\"")),
    }
}
