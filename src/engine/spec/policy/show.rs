//! The fields of a policy as text: in the notation of files, and with the origin of each value.

use std::time::Duration;

use maelstrom_model::policy::{DeviceNeed, FlakyVerdict, LeakVerdict, RetryDelay, TimeoutVerdict};

use super::time::format_time;
use super::words::share_word;
use super::{PolicyFields, PolicySetting, RetrySetting};

/// The origin of a value that nobody has set.
const BUILT_IN: &str = "built in";

/// A field with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownField {
    /// The name of the field.
    pub name: &'static str,
    /// The value in TOML.
    pub value: String,
    /// Where the value comes from; `None` means that it is the default.
    pub origin: Option<String>,
}

fn time(time: Duration) -> String {
    match time.subsec_nanos() {
        0 => time.as_secs().to_string(),
        _ => format!("\"{}\"", format_time(time)),
    }
}

fn time_or_never(limit: &Option<Duration>) -> String {
    time(limit.unwrap_or_default())
}

fn retries(schedule: &RetrySetting) -> String {
    let count = schedule.count;
    let jittered = |jitter| match jitter {
        true => ", jitter = true",
        false => "",
    };
    match schedule.delay {
        RetryDelay::Fixed { delay, jitter } if delay.is_zero() && !jitter => count.to_string(),
        RetryDelay::Fixed { delay, jitter } => format!(
            "{{ count = {count}, backoff = \"fixed\", delay = {}{} }}",
            time(delay),
            jittered(jitter)
        ),
        RetryDelay::Exponential {
            first,
            longest,
            jitter,
        } => {
            let longest = longest.map(|longest| format!(", max_delay = {}", time(longest)));
            format!(
                "{{ count = {count}, backoff = \"exponential\", delay = {}{}{} }}",
                time(first),
                longest.unwrap_or_default(),
                jittered(jitter)
            )
        }
    }
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn devices(needs: &[DeviceNeed]) -> String {
    let needs = needs.iter().map(|need| quoted(&need.to_string()));
    format!("[{}]", needs.collect::<Vec<_>>().join(", "))
}

fn shown<T>(
    name: &'static str,
    setting: &Option<PolicySetting<T>>,
    format: impl Fn(&T) -> String,
    default: &str,
) -> ShownField {
    match setting {
        Some(PolicySetting { value, origin }) => ShownField {
            name,
            value: format(value),
            origin: Some(origin.to_string()),
        },
        None => ShownField {
            name,
            value: default.to_owned(),
            origin: None,
        },
    }
}

impl PolicyFields {
    /// Returns all fields in the notation of directives.
    pub fn shown(&self) -> Vec<ShownField> {
        let flaky = |verdict: &FlakyVerdict| match verdict {
            FlakyVerdict::Pass => quoted("pass"),
            FlakyVerdict::Fail => quoted("fail"),
        };
        let on_timeout = |verdict: &TimeoutVerdict| match verdict {
            TimeoutVerdict::Fail => quoted("fail"),
            TimeoutVerdict::Pass => quoted("pass"),
        };
        let leak = |verdict: &LeakVerdict| match verdict {
            LeakVerdict::Pass => quoted("pass"),
            LeakVerdict::Fail => quoted("fail"),
        };
        vec![
            shown("retries", &self.retries, retries, "0"),
            shown("flaky_result", &self.flaky_result, flaky, "\"pass\""),
            shown("slow", &self.slow, time_or_never, "0"),
            shown("timeout", &self.timeout, time_or_never, "0"),
            shown("on_timeout", &self.on_timeout, on_timeout, "\"fail\""),
            shown("grace", &self.grace, |grace| time(*grace), "5"),
            shown("leak", &self.leak, leak, "\"pass\""),
            shown("priority", &self.priority, i8::to_string, "0"),
            shown(
                "test_group",
                &self.test_group,
                |group| quoted(group.as_ref().map_or("", |group| &group.name)),
                "\"\"",
            ),
            shown(
                "weight",
                &self.weight,
                |weight| match weight.get() {
                    u32::MAX => quoted("all"),
                    weight => weight.to_string(),
                },
                "1",
            ),
            shown("exclusive", &self.exclusive, bool::to_string, "false"),
            shown("devices", &self.devices, |needs| devices(needs), "[]"),
            shown(
                "share",
                &self.share,
                |scope| quoted(share_word(*scope)),
                "\"none\"",
            ),
        ]
    }

    /// Returns a text with each field, its value and its origin.
    pub fn explain(&self) -> String {
        let fields = self.shown();
        let lines: Vec<(String, &str)> = fields
            .iter()
            .map(|field| {
                let value = format!("{} = {}", field.name, field.value);
                (value, field.origin.as_deref().unwrap_or(BUILT_IN))
            })
            .collect();
        let width = lines.iter().map(|(value, _)| value.chars().count()).max();
        let width = width.unwrap_or_default();
        let line = |(value, origin): &(String, &str)| format!("{value:width$}  # {origin}\n");
        lines.iter().map(line).collect()
    }
}
