//! The values of keys that say how tests run, in nextest's notation.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use cargo_platform::Platform;

use maelstrom_model::policy::{JobGroup, LeakVerdict, RetryDelay, TimeoutVerdict};
use maelstrom_spec::document::{DocumentNode, DocumentValue, SpanError};
use maelstrom_spec::policy::time::parse_units;
use maelstrom_spec::policy::words::{
    BACKOFF_KINDS, BackoffKind, FLAKY_VERDICTS, LEAK_VERDICTS, TIMEOUT_VERDICTS,
};
use maelstrom_spec::policy::{PolicyFields, PolicySetting, RetrySetting};
use maelstrom_spec::read_node::{
    SpecResult, boolean, choice, into_table, natural, positive, require, small_integer, text,
};

use super::PlatformChoice;

/// The test group of all tests that are in no other one.
const GLOBAL: &str = "@global";

/// The time between SIGTERM and SIGKILL.
pub(super) const GRACE: Duration = Duration::from_secs(10);

/// The time after which a test is slow.
pub(super) const SLOW: Duration = Duration::from_secs(60);

/// The test groups by name.
pub(super) type GroupTable = BTreeMap<String, JobGroup>;

/// Sets the field of a key that says how tests run. Returns `false` if there is no such key.
pub(super) fn set(
    fields: &mut PolicyFields,
    groups: &GroupTable,
    key: &str,
    node: DocumentNode,
    origin: &Arc<str>,
) -> SpecResult<bool> {
    match key {
        "retries" => fields.retries = placed(retries(node)?, origin),
        "flaky-result" => fields.flaky_result = placed(choice(&node, &FLAKY_VERDICTS)?, origin),
        "slow-timeout" => set_slow(fields, node, origin)?,
        "leak-timeout" => fields.leak = placed(leak(node)?, origin),
        "threads-required" => fields.weight = placed(threads(&node)?, origin),
        "test-group" => fields.test_group = placed(group(node, groups)?, origin),
        "priority" => fields.priority = placed(priority(&node)?, origin),
        _ => return Ok(false),
    }
    Ok(true)
}

fn placed<T>(value: T, origin: &Arc<str>) -> Option<PolicySetting<T>> {
    Some(PolicySetting {
        value,
        origin: Arc::clone(origin),
    })
}

/// Reads a time, which is a string with a unit.
pub(super) fn time(node: DocumentNode) -> SpecResult<Duration> {
    let span = node.span.clone();
    let written = text(node, "a time in a string, such as \"60s\"")?;
    parse_units(&written).map_err(|message| SpanError {
        span,
        message,
        help: Some("write a number and a unit, such as \"60s\" or \"1m 30s\"".to_owned()),
    })
}

fn retries(node: DocumentNode) -> SpecResult<RetrySetting> {
    if matches!(node.value, DocumentValue::Integer(_)) {
        return natural(&node).map(RetrySetting::immediate);
    }
    let span = node.span.clone();
    let mut table = into_table(node, "a number of retries or a retry policy")?;
    let backoff = require(&mut table, "backoff", "`retries`", &span)?;
    let backoff = choice(&backoff.node, &BACKOFF_KINDS)?;
    let count = natural(&require(&mut table, "count", "`retries`", &span)?.node)?;
    let jitter = table.take("jitter").map(|field| boolean(&field.node));
    let jitter = jitter.transpose()?.unwrap_or_default();
    let delay = match backoff {
        BackoffKind::Fixed => {
            let delay = table.take("delay").map(|field| time(field.node));
            table.finish(
                "a fixed `retries`",
                &["backoff", "count", "delay", "jitter"],
            )?;
            let delay = delay.transpose()?.unwrap_or_default();
            RetryDelay::Fixed { delay, jitter }
        }
        BackoffKind::Exponential => {
            let first = require(&mut table, "delay", "an exponential `retries`", &span)?;
            let longest = table.take("max-delay").map(|field| time(field.node));
            table.finish(
                "an exponential `retries`",
                &["backoff", "count", "delay", "max-delay", "jitter"],
            )?;
            RetryDelay::Exponential {
                first: time(first.node)?,
                longest: longest.transpose()?,
                jitter,
            }
        }
    };
    Ok(RetrySetting { count, delay })
}

/// Sets all that `slow-timeout` is about: a nearer one replaces a farther one as a whole.
fn set_slow(fields: &mut PolicyFields, node: DocumentNode, origin: &Arc<str>) -> SpecResult<()> {
    let is_empty = node.value == DocumentValue::Text(String::new());
    let (period, terminate_after, grace, on_timeout) = match node.value {
        _ if is_empty => return Ok(()),
        DocumentValue::Text(_) => (time(node)?, None, GRACE, TimeoutVerdict::Fail),
        _ => {
            let span = node.span.clone();
            let mut table = into_table(node, "a time in a string or a slow timeout")?;
            let period = time(require(&mut table, "period", "`slow-timeout`", &span)?.node)?;
            let count = table.take("terminate-after");
            let count = count.map(|field| positive(&field.node)).transpose()?;
            let grace = table.take("grace-period").map(|field| time(field.node));
            let on_timeout = table.take("on-timeout");
            let on_timeout = on_timeout.map(|field| choice(&field.node, &TIMEOUT_VERDICTS));
            table.finish(
                "`slow-timeout`",
                &["period", "terminate-after", "grace-period", "on-timeout"],
            )?;
            let on_timeout = on_timeout.transpose()?.unwrap_or_default();
            (
                period,
                count,
                grace.transpose()?.unwrap_or(GRACE),
                on_timeout,
            )
        }
    };
    let limit = terminate_after.map(|count| period.saturating_mul(count.get()));
    fields.slow = placed(Some(period).filter(|period| !period.is_zero()), origin);
    fields.timeout = placed(limit, origin);
    fields.grace = placed(grace, origin);
    fields.on_timeout = placed(on_timeout, origin);
    Ok(())
}

/// Reads `leak-timeout`. Its period means nothing here: leaks are seen when a test ends.
fn leak(node: DocumentNode) -> SpecResult<LeakVerdict> {
    if matches!(node.value, DocumentValue::Text(_)) {
        return time(node).map(|_| LeakVerdict::Pass);
    }
    let span = node.span.clone();
    let mut table = into_table(node, "a time in a string or a leak timeout")?;
    time(require(&mut table, "period", "`leak-timeout`", &span)?.node)?;
    let result = table.take("result");
    let result = result.map(|field| choice(&field.node, &LEAK_VERDICTS));
    table.finish("`leak-timeout`", &["period", "result"])?;
    Ok(result.transpose()?.unwrap_or_default())
}

/// Reads a number of slots. As many as there are CPUs or test threads are all of them.
fn threads(node: &DocumentNode) -> SpecResult<NonZeroU32> {
    match &node.value {
        DocumentValue::Text(word) if word == "num-cpus" || word == "num-test-threads" => {
            Ok(NonZeroU32::MAX)
        }
        DocumentValue::Integer(_) => positive(node),
        _ => Err(node.not("a number of threads, \"num-cpus\" or \"num-test-threads\"")),
    }
}

/// Reads the limit of a test group. As many as there are CPUs are no limit.
pub(super) fn group_limit(node: &DocumentNode) -> SpecResult<NonZeroU32> {
    match &node.value {
        DocumentValue::Text(word) if word == "num-cpus" => Ok(NonZeroU32::MAX),
        DocumentValue::Integer(_) => positive(node),
        _ => Err(node.not("a number of threads, or \"num-cpus\"")),
    }
}

fn group(node: DocumentNode, groups: &GroupTable) -> SpecResult<Option<JobGroup>> {
    let span = node.span.clone();
    let name = text(node, "the name of a test group")?;
    if name == GLOBAL {
        return Ok(None);
    }
    groups
        .get(&name)
        .cloned()
        .map(Some)
        .ok_or_else(|| SpanError {
            span,
            message: format!("there is no test group `{name}`"),
            help: Some(format!(
                "define it: [test-groups.{name}] with `max-threads`"
            )),
        })
}

fn priority(node: &DocumentNode) -> SpecResult<i8> {
    let number = small_integer(node)?;
    match number {
        -100..=100 => Ok(number),
        _ => Err(node.fault("expected a number from -100 to 100")),
    }
}

/// Reads `platform`: one for the target, or a table of host and target.
pub(super) fn platform(node: DocumentNode) -> SpecResult<PlatformChoice> {
    if matches!(node.value, DocumentValue::Text(_)) {
        let target = Some(one_platform(node)?);
        return Ok(PlatformChoice { host: None, target });
    }
    let mut table = into_table(node, "a platform or `host` and `target`")?;
    let host = table.take("host").map(|field| one_platform(field.node));
    let target = table.take("target").map(|field| one_platform(field.node));
    table.finish("`platform`", &["host", "target"])?;
    Ok(PlatformChoice {
        host: host.transpose()?,
        target: target.transpose()?,
    })
}

fn one_platform(node: DocumentNode) -> SpecResult<Platform> {
    let span = node.span.clone();
    let written = text(node, "a target triple or a `cfg(…)` expression in a string")?;
    Platform::from_str(&written).map_err(|error| SpanError {
        span,
        message: format!("`{written}` is no platform: {error}"),
        help: Some("write a target triple, or an expression such as \"cfg(unix)\"".to_owned()),
    })
}
