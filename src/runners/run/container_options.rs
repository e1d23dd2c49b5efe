//! The command-line options for the container of a program on the command line, and for the
//! directories of layers and images.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::options::policy::parse_device;
use crate::sandbox::caches::{LayerDirectories, RunnerCacheOptions};
use crate::sandbox::invocation::Invocation;
use maelstrom_engine::layer_cache::LayerCacheOptions;
use maelstrom_model::job::{NetworkMode, PrivilegeLevel, RootAccess};
use maelstrom_model::policy::DeviceNeed;
use maelstrom_spec::environment::{EnvironmentElement, EnvironmentValue, MergeMode};
use maelstrom_spec::{
    ContainerBase, ContainerDefinition, DEFAULT_CONTAINER, InheritedFields, ScalarFields,
    SpecifiedMount,
};

use super::command::{JobCommand, NamedJob};
use super::image_mounts::furnish;
use super::mount::mount;
use super::options_error::RunCommandOptionsError;

/// The options for the container of a program on the command line.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Container of PROGRAM")]
pub struct JobContainerOptions {
    /// Container image, such as docker://debian [default: this machine's programs and this
    /// directory]
    #[arg(long, value_name = "URI")]
    pub image: Option<String>,

    /// A mount, such as type=bind,source=.,target=/src,readonly; may be repeated
    #[arg(long, value_name = "MOUNT")]
    pub mount: Vec<String>,

    /// Device of this machine, such as /dev/kvm or '/dev/nvidia*'; may be repeated
    #[arg(long, value_name = "DEVICE", value_parser = parse_device)]
    pub device: Vec<DeviceNeed>,

    /// Environment variable; without a value, its current one is used; may be repeated
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    pub env: Vec<String>,

    /// Network that the program can use
    #[arg(long, value_name = "NETWORK", value_enum)]
    pub network: Option<NetworkOption>,

    /// The user id
    #[arg(long, value_name = "ID")]
    pub user: Option<u32>,

    /// The group id
    #[arg(long, value_name = "ID")]
    pub group: Option<u32>,

    /// Privileges of the program in its container
    #[arg(long, value_name = "PRIVILEGES", value_enum)]
    pub privileges: Option<PrivilegesOption>,

    /// Directory in which the program starts
    #[arg(long, value_name = "DIRECTORY")]
    pub working_directory: Option<PathBuf>,

    /// Make the whole container writable; changes are discarded
    #[arg(long)]
    pub writable: bool,

    /// Stop the program after this many seconds; 0 means no limit
    #[arg(long, value_name = "SECONDS")]
    pub timeout: Option<u32>,
}

/// The options for the directories of layers and images.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Layers and images")]
pub struct RunCacheOptions {
    /// Directory of the layer cache [default: $XDG_CACHE_HOME/maelstrom/run]
    #[arg(long, value_name = "DIRECTORY")]
    pub cache_root: Option<PathBuf>,

    /// The cache options that all programs share.
    #[command(flatten)]
    pub shared: RunnerCacheOptions,
}

impl RunCacheOptions {
    /// Returns the options of the layer cache.
    pub fn sources(&self, invocation: &Invocation) -> LayerCacheOptions {
        // Without a home directory, the caches are in `.cache` in the working directory.
        let home = invocation
            .cache_home()
            .unwrap_or_else(|| invocation.directory.join(".cache"))
            .join("maelstrom");
        let places = LayerDirectories {
            project: invocation.directory.clone(),
            cache: match &self.cache_root {
                Some(said) => invocation.directory.join(said),
                None => home.join("run"),
            },
            homeless_depot: home.join("container"),
        };
        self.shared.sources(invocation, places)
    }
}

/// The network that a job can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum NetworkOption {
    /// None
    Disabled,
    /// A loopback device of its own
    Loopback,
    /// This machine's network
    Local,
}

/// The privileges of a job within its container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PrivilegesOption {
    /// Those of an ordinary process
    Ordinary,
    /// All capabilities within its namespaces, and every system call of this machine
    Full,
}

impl JobContainerOptions {
    /// Returns an error if any of these options is set: with an input of jobs there is no container
    /// to which they could apply.
    pub(super) fn refuse(&self) -> Result<(), RunCommandOptionsError> {
        let said = [
            ("--image", self.image.is_some()),
            ("--mount", !self.mount.is_empty()),
            ("--device", !self.device.is_empty()),
            ("--env", !self.env.is_empty()),
            ("--network", self.network.is_some()),
            ("--user", self.user.is_some()),
            ("--group", self.group.is_some()),
            ("--privileges", self.privileges.is_some()),
            ("--working-directory", self.working_directory.is_some()),
            ("--writable", self.writable),
            ("--timeout", self.timeout.is_some()),
        ];
        match said.into_iter().find(|(_, is_said)| *is_said) {
            None => Ok(()),
            Some((option, _)) => Err(RunCommandOptionsError::ContainerOfInput { option }),
        }
    }

    /// Returns the job of a program. Relative paths of mounts start at `directory`.
    pub(super) fn job(
        &self,
        command: JobCommand,
        directory: &Path,
    ) -> Result<Box<NamedJob>, RunCommandOptionsError> {
        let scalars = ScalarFields {
            network: self.network.map(|network| match network {
                NetworkOption::Disabled => NetworkMode::Disabled,
                NetworkOption::Loopback => NetworkMode::Loopback,
                NetworkOption::Local => NetworkMode::Local,
            }),
            root_access: self.writable.then_some(RootAccess::Ephemeral),
            working_directory: self.working_directory.clone(),
            user: self.user,
            group: self.group,
            toolbox: None,
            privileges: self.privileges.map(|privileges| match privileges {
                PrivilegesOption::Ordinary => PrivilegeLevel::Ordinary,
                PrivilegesOption::Full => PrivilegeLevel::Full,
            }),
        };
        let base = match &self.image {
            Some(name) => ContainerBase::Image {
                name: name.clone(),
                inherited: InheritedFields::IMAGE,
            },
            None => ContainerBase::Parent {
                name: DEFAULT_CONTAINER.to_owned(),
                inherited: InheritedFields::all(),
                place: "the command line".to_owned(),
            },
        };
        let mounts = self.mount.iter().map(|text| mount(text, directory));
        let mounts = mounts.map(|mount| mount.map(SpecifiedMount::from));
        let vars = self.env.iter().map(|text| variable(text));
        let vars = vars.collect::<Result<BTreeMap<_, _>, _>>()?;
        let timeout = self.timeout.filter(|seconds| *seconds > 0);
        let mut container = ContainerDefinition {
            base,
            layers: Vec::new(),
            environment: vec![EnvironmentElement {
                vars,
                merge: MergeMode::Extend,
            }],
            mounts: mounts.collect::<Result<_, _>>()?,
            scalars,
        };
        if self.image.is_some() {
            furnish(&mut container);
        }
        Ok(Box::new(NamedJob {
            command,
            container,
            timeout: timeout.map(|seconds| Duration::from_secs(seconds.into())),
            devices: DeviceNeed::settle(self.device.clone()),
        }))
    }
}

/// Parses `NAME=VALUE`, or `NAME` for a variable that is copied from this program's environment.
fn variable(text: &str) -> Result<(String, EnvironmentValue), RunCommandOptionsError> {
    let invalid = || RunCommandOptionsError::Variable {
        text: text.to_owned(),
    };
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, EnvironmentValue::literal(value)),
        None => {
            // With the empty default, a variable that is not set here is not an error.
            let forwarded = format!("$env{{{text}:-}}");
            (text, forwarded.parse().map_err(|_| invalid())?)
        }
    };
    if name.is_empty() {
        return Err(invalid());
    }
    Ok((name.to_owned(), value))
}
