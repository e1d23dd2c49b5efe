//! Profiles of a project's file: what a run uses if it is started with their name.
//!
//! A profile inherits from the one that it names, or else from [`DEFAULT_PROFILE`], which exists in
//! every file and inherits from none. What a nearer profile sets comes before what a farther one
//! does; directives apply in the opposite order, because the last one counts.
//!
//! A profile has two kinds of fields: those about tests, which are read here with the rest of the
//! file, and options of the run, which are read before ([`profile_options`]).

use std::collections::BTreeMap;
use std::ops::Range;

use crate::document::{
    DocumentError, DocumentNode, DocumentTable, SpanError, TableField, TextDocument,
};
use crate::filter::TestPattern;
use crate::snippet::nearest;

use super::directive::TestDirective;
use super::policy::PolicyFields;
use super::policy::read::POLICY_FIELDS;
use super::read_node::{SpecResult, into_table, text};

/// The profile of runs that name none, from which all others inherit.
pub const DEFAULT_PROFILE: &str = "default";

/// The fields of a profile besides those about how tests run and the options of the run.
pub(super) const PROFILE_FIELDS: [&str; 3] = ["inherits", "filter", "directives"];

/// The name of the profile from which another one inherits, and its span in the file.
pub type NamedParent = (String, Range<usize>);

/// A profile, without its options of the run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProjectProfile {
    /// The profile from which it inherits, with the position of its name.
    pub(super) inherits: Option<NamedParent>,
    /// The tests that run if nothing else is said.
    pub(super) filter: Option<TestPattern>,
    pub(super) policy: PolicyFields,
    pub(super) directives: Vec<TestDirective>,
}

/// The options of the run that a profile and those from which it inherits set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProfileOptions {
    /// Whether the file has the profile.
    pub is_known: bool,
    /// The names of the file's profiles.
    pub names: Vec<String>,
    /// The options: those of the nearest profile first.
    pub options: Vec<TableField>,
}

/// Returns the names of a profile and of those from which it inherits, nearest first. The last is
/// that of the default profile.
pub fn profile_chain(
    name: &str,
    is_known: &dyn Fn(&str) -> bool,
    inherits: &dyn Fn(&str) -> Option<NamedParent>,
) -> Result<Vec<String>, SpanError> {
    let mut chain = vec![name.to_owned()];
    let mut last = name.to_owned();
    loop {
        let parent = inherits(&last);
        if last == DEFAULT_PROFILE {
            return match parent {
                None => Ok(chain),
                Some((_, span)) => Err(SpanError {
                    span,
                    message: format!("the profile `{DEFAULT_PROFILE}` inherits from no other"),
                    help: Some("leave `inherits` out: all profiles inherit from it".to_owned()),
                }),
            };
        }
        last = match parent {
            None => DEFAULT_PROFILE.to_owned(),
            Some((parent, span)) => {
                let message = if chain.contains(&parent) {
                    let circle = chain.iter().chain([&parent]);
                    let circle: Vec<&str> = circle.map(String::as_str).collect();
                    Some(format!(
                        "the profile `{last}` is its own ancestor: {}",
                        circle.join(" → ")
                    ))
                } else {
                    let exists = is_known(&parent) || parent == DEFAULT_PROFILE;
                    (!exists).then(|| format!("there is no profile `{parent}`"))
                };
                if let Some(message) = message {
                    let help = None;
                    return Err(SpanError {
                        span,
                        message,
                        help,
                    });
                }
                parent
            }
        };
        chain.push(last.clone());
    }
}

/// Takes the name of the profile from which another inherits out of its table.
pub fn take_inherits(table: &mut DocumentTable) -> SpecResult<Option<NamedParent>> {
    let Some(field) = table.take("inherits") else {
        return Ok(None);
    };
    let span = field.node.span.clone();
    Ok(Some((text(field.node, "the name of a profile")?, span)))
}

/// Reads the options of the run that a profile sets. `known` are the names of the options that
/// exist, with `_` in place of `-`.
pub fn profile_options(
    document: &TextDocument,
    name: &str,
    known: &[String],
) -> Result<ProfileOptions, DocumentError> {
    let mut table = document.read_toml()?;
    let Some(field) = table.take("profiles") else {
        return Ok(ProfileOptions::default());
    };
    options_of(field.node, name, known).map_err(|fault| document.locate(fault))
}

fn options_of(node: DocumentNode, name: &str, known: &[String]) -> SpecResult<ProfileOptions> {
    let profiles = into_table(node, "a table of profiles")?;
    let names: Vec<String> = profiles
        .fields
        .iter()
        .map(|field| field.name.clone())
        .collect();
    let mut inherits = BTreeMap::new();
    let mut options: BTreeMap<String, Vec<TableField>> = BTreeMap::new();
    for profile in profiles.fields {
        let mut table = into_table(profile.node, "a profile")?;
        inherits.insert(profile.name.clone(), take_inherits(&mut table)?);
        let about_tests = PROFILE_FIELDS.into_iter().chain(POLICY_FIELDS);
        let about_tests: Vec<&str> = about_tests.collect();
        table
            .fields
            .retain(|field| !about_tests.contains(&field.name.as_str()));
        for field in &table.fields {
            if !known.contains(&field.name) {
                let others = known.iter().map(String::as_str);
                let all: Vec<&str> = about_tests.iter().copied().chain(others).collect();
                return Err(field.unknown("a profile", &all));
            }
        }
        options.insert(profile.name, table.fields);
    }
    let is_known = |name: &str| names.iter().any(|known| known == name);
    let parent = |name: &str| inherits.get(name).cloned().flatten();
    let chain = profile_chain(name, &is_known, &parent)?;
    let options = chain.iter().filter_map(|name| options.remove(name));
    Ok(ProfileOptions {
        is_known: is_known(name),
        options: options.flatten().collect(),
        names,
    })
}

/// Returns a hint on which profile may be meant.
pub fn did_you_mean_profile<'a>(
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    nearest(name, known).map(|known| format!("did you mean `{known}`?"))
}
