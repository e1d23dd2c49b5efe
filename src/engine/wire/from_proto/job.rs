//! Converts templates, jobs and job results.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::super::error::{WireError, at_most};
use super::super::limits::{
    ARCHITECTURE_BYTES_MAX, DEVICES_MAX, LEAKED_NAME_BYTES_MAX, TEXT_BYTES_MAX,
    TOOLBOX_IDENTITY_BYTES_MAX, TOOLBOX_PATHS_MAX,
};
use super::super::toolbox::DEVICE;
use super::super::{limits, v1};
use super::container::{ContentSource, device_pattern, devices, sources};
use super::process::{arguments, environment, process, program};
use super::{absolute, optional_duration, output_pipes, unknown};
use maelstrom_container::message::{DiscardedFiles, LEAKED_NAMES_MAX};
use maelstrom_model::backend::JobPriority;
use maelstrom_model::ids::WorkerId;
use maelstrom_model::job::StackDumpMethod;
use maelstrom_model::job::{
    ExitStatus, JobOutcome, JobResult, LeakedProcesses, OutputPipes, ProcessSpec, ResourceUsage,
};
use maelstrom_model::policy::{DeviceNeed, JobGroup, JobNeeds};

/// The common part of many jobs. The container is kept as a message; convert it with
/// [`super::container::container`].
#[derive(Clone, Debug, PartialEq)]
pub struct TemplateSpec {
    /// The container, already validated.
    pub container: v1::Container,
    /// The container's sources, without duplicates.
    pub sources: Vec<ContentSource>,
    pub environment: Arc<BTreeMap<OsString, OsString>>,
    /// The working directory of the program.
    pub working_directory: Arc<Path>,
    /// The fork server, if any.
    pub resident: Option<Arc<ProcessSpec>>,
    /// The processor architecture of the programs.
    pub architecture: String,
    /// The paths that the worker's host must provide. Every [`ContentSource::Toolbox`] equals or
    /// lies below one of these paths.
    pub toolbox: Vec<ToolboxPath>,
}

/// A file, directory or device that the worker's host must provide.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ToolboxPath {
    pub path: PathBuf,
    pub identity: Vec<u8>,
}

impl ToolboxPath {
    /// Returns whether it is a device, which the worker must offer.
    pub fn is_device(&self) -> bool {
        self.identity == DEVICE
    }
}

/// One job of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobOrder {
    /// The client's number for the job.
    pub id: u64,
    /// The number of its template.
    pub template: u32,
    pub process: Arc<ProcessSpec>,
    /// How long the job may run before SIGTERM.
    pub timeout: Option<Duration>,
    /// The time between SIGTERM and SIGKILL, if the client set it.
    pub grace: Option<Duration>,
    /// The job's priority in a queue.
    pub rank: JobPriority,
    /// Whether the output streams are separate.
    pub output: OutputPipes,
    /// The variables of this job alone, which its process has already. A fork has no others.
    pub own_variables: Vec<(OsString, OsString)>,
    /// How it shows what its threads do before it is stopped for its timeout.
    pub stack_dump: StackDumpMethod,
    /// What the job needs besides a slot. The avoided worker has the broker's number.
    pub needs: JobNeeds,
}

/// Converts a template.
pub fn template(message: &v1::Template) -> Result<TemplateSpec, WireError> {
    let container = message.container.as_ref();
    let container = container.ok_or(WireError::Missing { what: "container" })?;
    let toolbox = toolbox(&message.toolbox)?;
    let mut sources = sources(container)?;
    sources.sort();
    sources.dedup();
    for source in &sources {
        match source {
            ContentSource::Toolbox(path)
                if !toolbox.iter().any(|own| path.starts_with(&own.path)) =>
            {
                let expected = "one that the template's toolbox has";
                let path = path.as_os_str().as_encoded_bytes();
                return Err(WireError::invalid("path of the toolbox", path, expected));
            }
            ContentSource::Toolbox(_)
            | ContentSource::Directory(_)
            | ContentSource::File { .. } => {}
        }
    }
    for device in devices(&container.devices)? {
        let path = Path::new(device.as_str());
        if !toolbox
            .iter()
            .any(|own| own.path == path && own.is_device())
        {
            let expected = "one that the template's toolbox has as a device";
            return Err(WireError::invalid(
                "device",
                device.as_str().as_bytes(),
                expected,
            ));
        }
    }
    let architecture = message.architecture.as_bytes();
    if architecture.is_empty() || architecture.len() > ARCHITECTURE_BYTES_MAX {
        let expected = "a name such as x86_64 or aarch64";
        return Err(WireError::invalid(
            "processor architecture",
            architecture,
            expected,
        ));
    }
    Ok(TemplateSpec {
        container: container.clone(),
        sources,
        environment: Arc::new(environment(BTreeMap::new(), &message.environment)?),
        working_directory: absolute("working directory", &message.working_directory)?.into(),
        resident: message
            .resident
            .as_ref()
            .map(process)
            .transpose()?
            .map(Arc::new),
        architecture: message.architecture.clone(),
        toolbox,
    })
}

/// Converts the paths that a worker's host must provide.
pub fn toolbox(paths: &[v1::ToolboxPath]) -> Result<Vec<ToolboxPath>, WireError> {
    at_most("paths of the toolbox", paths.len(), TOOLBOX_PATHS_MAX)?;
    let paths = paths.iter().map(|message| {
        let identity = message.identity.to_vec();
        at_most(
            "bytes of an identity",
            identity.len(),
            TOOLBOX_IDENTITY_BYTES_MAX,
        )?;
        let path = absolute("path of the toolbox", &message.path)?;
        Ok(ToolboxPath { path, identity })
    });
    paths.collect()
}

/// Converts a job, given its template.
pub fn job(message: &v1::Job, template: &TemplateSpec) -> Result<JobOrder, WireError> {
    let own = &message.environment;
    let own_variables = environment(BTreeMap::new(), own)?;
    let mut environment = Arc::clone(&template.environment);
    if !own_variables.is_empty() {
        Arc::make_mut(&mut environment).extend(own_variables.clone());
    }
    Ok(JobOrder {
        id: message.id,
        template: message.template,
        process: Arc::new(ProcessSpec {
            program: program(&message.program)?,
            arguments: arguments(&message.arguments)?,
            environment,
            working_directory: Arc::clone(&template.working_directory),
        }),
        timeout: optional_duration(message.timeout.as_ref())?,
        grace: optional_duration(message.grace.as_ref())?,
        rank: rank(message)?,
        output: output_pipes(message.output)?,
        own_variables: own_variables.into_iter().collect(),
        stack_dump: stack_dump(message.stack_dump.as_ref())?,
        needs: needs(message)?,
    })
}

/// Converts a job's priority.
pub fn rank(message: &v1::Job) -> Result<JobPriority, WireError> {
    let priority = i8::try_from(message.priority).map_err(|_| {
        let text = message.priority.to_string();
        WireError::invalid("priority", text.as_bytes(), "a number from -128 to 127")
    })?;
    Ok(JobPriority {
        priority,
        estimate: optional_duration(message.estimate.as_ref())?,
    })
}

/// Converts what a job needs besides a slot.
pub fn needs(message: &v1::Job) -> Result<JobNeeds, WireError> {
    let Some(needs) = &message.needs else {
        return Ok(JobNeeds::default());
    };
    let group = match needs.group.as_str() {
        "" => None,
        name => {
            if limits::name(name).is_err() {
                let expected = "at most 256 bytes without control characters";
                return Err(WireError::invalid("group", name.as_bytes(), expected));
            }
            let jobs_max = NonZeroU32::new(needs.group_jobs_max);
            let jobs_max = jobs_max.ok_or(WireError::Missing {
                what: "maximum of the group",
            })?;
            let name = Arc::from(name);
            Some(JobGroup { name, jobs_max })
        }
    };
    at_most("devices", needs.devices.len(), DEVICES_MAX)?;
    let devices = needs.devices.iter().map(device_need);
    Ok(JobNeeds {
        group,
        weight: NonZeroU32::new(needs.weight).unwrap_or(NonZeroU32::MIN),
        exclusive: needs.exclusive,
        memory_bytes: (needs.memory_bytes > 0).then_some(needs.memory_bytes),
        avoided_worker: needs.avoided_worker.map(WorkerId),
        devices: devices.collect::<Result<_, _>>()?,
    })
}

fn device_need(message: &v1::DeviceNeed) -> Result<DeviceNeed, WireError> {
    let jobs_max = NonZeroU32::new(message.jobs_max);
    Ok(DeviceNeed {
        device: device_pattern(&message.device)?,
        jobs_max: jobs_max.ok_or(WireError::Missing {
            what: "maximum of the device",
        })?,
    })
}

fn stack_dump(message: Option<&v1::StackDump>) -> Result<StackDumpMethod, WireError> {
    use v1::stack_dump::Method;
    match message.and_then(|message| message.method.as_ref()) {
        // A method that this program does not know is none.
        None => Ok(StackDumpMethod::None),
        Some(Method::Threads(v1::Empty {})) => Ok(StackDumpMethod::Threads),
        Some(Method::Signal(number @ 1..=31)) => Ok(StackDumpMethod::Signal(*number)),
        Some(Method::Signal(number)) => Err(unknown("signal", *number)),
    }
}

/// Converts the names of a job's discarded files. A name that is not a container path, or exceeds a
/// limit, is only counted.
pub fn discarded(message: &v1::Discarded) -> DiscardedFiles {
    let mut message = message.clone();
    limits::cut_discarded(&mut message);
    let all = message.files.len();
    let files = message.files.iter();
    let files: Vec<PathBuf> = files
        .filter_map(|file| absolute("file", file).ok())
        .collect();
    let others = u32::try_from(all.saturating_sub(files.len())).unwrap_or(u32::MAX);
    DiscardedFiles {
        more: message.more.saturating_add(others),
        files,
    }
}

/// Converts the processes that a job left running. Names in excess are counted.
fn leaked(message: &v1::Leaked) -> LeakedProcesses {
    let is_short = |name: &&String| name.len() <= LEAKED_NAME_BYTES_MAX;
    let names = message.names.iter().filter(is_short).take(LEAKED_NAMES_MAX);
    let names: Vec<String> = names.map(|name| super::text(name).to_string()).collect();
    let others = message.names.len().saturating_sub(names.len());
    let others = u32::try_from(others).unwrap_or(u32::MAX);
    LeakedProcesses {
        more: message.more.saturating_add(others),
        names,
    }
}

/// Converts a job result.
pub fn job_result(message: &v1::JobResult) -> Result<JobResult, WireError> {
    use v1::job_result::End;
    let end = match message
        .end
        .as_ref()
        .ok_or(WireError::Missing { what: "end" })?
    {
        End::Exited(code) => JobOutcome::Exited(ExitStatus::Code(*code)),
        End::Signalled(signalled) => JobOutcome::Exited(ExitStatus::Signal {
            number: signalled.number,
            core_dumped: signalled.core_dumped,
        }),
        End::TimedOut(v1::Empty {}) => JobOutcome::TimedOut,
        End::Cancelled(v1::Empty {}) => JobOutcome::Cancelled,
        End::Infrastructure(text) => {
            at_most("bytes of a text", text.len(), TEXT_BYTES_MAX)?;
            JobOutcome::Error(super::text(text).lines())
        }
    };
    let of = |duration: Option<&prost_types::Duration>| -> Result<Duration, WireError> {
        Ok(optional_duration(duration)?.unwrap_or_default())
    };
    let usage = message.usage.unwrap_or_default();
    Ok(JobResult {
        end,
        usage: ResourceUsage {
            user: of(usage.user.as_ref())?,
            system: of(usage.system.as_ref())?,
            memory_peak_bytes: usage.memory_peak_bytes,
        },
        prepared: of(message.prepared.as_ref())?,
        ran: of(message.ran.as_ref())?,
        leaked: message.leaked.as_ref().map(leaked).unwrap_or_default(),
    })
}
