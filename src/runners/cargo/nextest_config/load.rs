//! Finds the files of a run, and combines what they say about its profile.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::options::profile::{ProfileAnswer, check_exists, read};
use maelstrom_spec::config::{
    ConfigEnvironment, ConfigError, ConfigWarning, ProjectValue, ProjectValues,
};
use maelstrom_spec::document::{SpanError, TextDocument};
use maelstrom_spec::policy::{PolicyFields, PolicySetting};
use maelstrom_spec::profile::profile_chain;

use super::file::{self, NextestFile, NextestProfile, in_store};
use super::values::{GRACE, GroupTable, SLOW};
use super::{DefaultFilter, NextestSettings};

/// The place of the file in a workspace.
const FILE: &str = ".config/nextest.toml";

/// The directory of nextest's store in a workspace.
const STORE: &str = "target/nextest";

/// The origin of nextest's own defaults.
const DEFAULTS: &str = "default of nextest";

/// The files of a run.
#[derive(Clone, Debug, Default)]
pub(in crate::cargo) struct NextestFiles {
    /// The root of the workspace.
    pub root: PathBuf,
    /// The file that is named in place of the workspace's own.
    pub named: Option<PathBuf>,
    /// The files of tools, as `TOOL:FILE`. Earlier ones come first.
    pub tools: Vec<String>,
}

impl NextestFiles {
    /// Reads the files. Returns what they and the project's own file say about a profile.
    pub(in crate::cargo) fn load(
        &self,
        system: &impl ConfigEnvironment,
        name: &str,
        own: ProfileAnswer,
    ) -> Result<(ProjectValues, NextestSettings), ConfigError> {
        let documents = self.documents(system)?;
        let mut groups = GroupTable::new();
        for document in documents.iter().rev() {
            groups.extend(file::groups(document).map_err(ConfigError::File)?);
        }
        let files = documents
            .iter()
            .map(|document| file::read(document, &groups));
        let files: Vec<NextestFile> = files.collect::<Result<_, _>>().map_err(ConfigError::File)?;
        let known: Vec<String> = files
            .iter()
            .flat_map(|file| file.profiles.keys().cloned())
            .chain(own.names)
            .collect();
        let is_here = files.iter().any(|file| file.profiles.contains_key(name));
        if !is_here && !own.is_known {
            check_exists(name, &known)?;
        }
        // A profile that only the project's own file has is the default one here.
        let chain = match is_here {
            true => chain(name, &files)?,
            false => vec![maelstrom_spec::profile::DEFAULT_PROFILE.to_owned()],
        };
        let store = files.iter().find_map(|file| file.store.clone());
        let store = store.unwrap_or_else(|| STORE.to_owned());
        let store = self.root.join(store).join(name);
        let mut combined = CombinedProfiles::default();
        for name in &chain {
            let profiles = files.iter().filter_map(|file| file.profiles.get(name));
            profiles.for_each(|profile| combined.add(profile));
        }
        let mut values = own.values;
        let ours = combined.values.into_values();
        values
            .values
            .extend(ours.map(|value| in_store(value, &store)));
        for file in &files {
            values.warnings.extend(file.warnings.iter().cloned());
            values.warnings.extend(idle(file, &chain));
        }
        let mut settings = combined.settings;
        settings.files = self.named_files();
        if !files.is_empty() {
            settings.base = settings.base.or(&defaults());
            settings.store = Some(store);
        }
        Ok((values, settings))
    }

    /// Returns the files, those of highest precedence first.
    fn documents(
        &self,
        system: &impl ConfigEnvironment,
    ) -> Result<Vec<Arc<TextDocument>>, ConfigError> {
        let mut documents = Vec::new();
        match &self.named {
            None => documents.extend(read(system, &self.root.join(FILE), FILE)?),
            Some(path) => documents.push(present(system, path)?),
        }
        for tool in &self.tools {
            documents.push(present(system, tool_file(tool))?);
        }
        Ok(documents)
    }

    fn named_files(&self) -> Vec<PathBuf> {
        let tools = self.tools.iter().map(|tool| tool_file(tool).to_owned());
        self.named.clone().into_iter().chain(tools).collect()
    }
}

/// Returns the file in `TOOL:FILE`. What comes before the colon names the tool, for messages of nextest.
fn tool_file(tool: &str) -> &Path {
    Path::new(tool.split_once(':').map_or(tool, |(_, path)| path))
}

fn present(system: &impl ConfigEnvironment, path: &Path) -> Result<Arc<TextDocument>, ConfigError> {
    let document = read(system, path, &path.to_string_lossy())?;
    document.ok_or_else(|| ConfigError::Read {
        path: path.to_owned(),
        source: std::io::ErrorKind::NotFound.into(),
    })
}

/// Returns the names of a profile and of those from which it inherits.
fn chain(name: &str, files: &[NextestFile]) -> Result<Vec<String>, ConfigError> {
    let with = |name: &str| {
        let mut files = files.iter();
        files.find(|file| file.profiles.contains_key(name))
    };
    let is_known = |name: &str| with(name).is_some();
    let parent = |name: &str| with(name)?.profiles.get(name)?.inherits.clone();
    profile_chain(name, &is_known, &parent).map_err(|fault: SpanError| {
        let holds = |file: &&NextestFile| {
            let mut profiles = file.profiles.values();
            let span = Some(&fault.span);
            profiles.any(|profile| profile.inherits.as_ref().map(|(_, span)| span) == span)
        };
        let file = files.iter().find(holds).or(files.first());
        match file {
            Some(file) => ConfigError::File(file.document.locate(fault)),
            None => ConfigError::UnknownProfile {
                name: name.to_owned(),
                help: fault.message,
            },
        }
    })
}

/// The profiles of a chain, combined: nearer ones are added first.
#[derive(Debug, Default)]
struct CombinedProfiles {
    settings: NextestSettings,
    has_extra_args: bool,
    /// The options of the run, by name.
    values: BTreeMap<&'static str, ProjectValue>,
}

impl CombinedProfiles {
    fn add(&mut self, profile: &NextestProfile) {
        let settings = &mut self.settings;
        let filters: Vec<DefaultFilter> = profile.default_filters.clone();
        settings.default_filters.extend(filters);
        settings.overrides.extend(profile.overrides.iter().cloned());
        let nearer: PolicyFields = std::mem::take(&mut settings.base);
        settings.base = nearer.or(&profile.fields);
        if let (false, Some(words)) = (self.has_extra_args, &profile.run_extra_args) {
            settings.run_extra_args.clone_from(words);
            self.has_extra_args = true;
        }
        for value in &profile.values {
            let name = value.option.name;
            self.values.entry(name).or_insert_with(|| value.clone());
        }
    }
}

/// Returns what nextest does where no file says it.
fn defaults() -> PolicyFields {
    let origin: Arc<str> = DEFAULTS.into();
    PolicyFields {
        slow: Some(PolicySetting {
            value: Some(SLOW),
            origin: Arc::clone(&origin),
        }),
        grace: Some(PolicySetting {
            value: GRACE,
            origin,
        }),
        ..PolicyFields::default()
    }
}

/// Returns the warning about keys that mean nothing here, of the profiles in use.
fn idle(file: &NextestFile, chain: &[String]) -> Option<ConfigWarning> {
    let counts =
        |profile: &Option<String>| profile.as_ref().is_none_or(|name| chain.contains(name));
    let idle = file.idle.iter().filter(|(profile, _)| counts(profile));
    let idle: Vec<&str> = idle.map(|(_, key)| key.as_str()).collect();
    let keys = match idle.as_slice() {
        [] => return None,
        [key] => format!("this key has no effect here: {key}"),
        keys => format!("these keys have no effect here: {}", keys.join(", ")),
    };
    let place = file.document.place(&(0..0));
    let name = place.rsplitn(3, ':').last().unwrap_or_default();
    Some(ConfigWarning {
        text: format!("{name}: {keys}"),
        help: None,
    })
}
