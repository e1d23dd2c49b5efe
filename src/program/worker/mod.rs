//! `maelstrom-worker`, from its command line to its exit code.
//!
//! - [`options`]: its command line. [`lending`]: which host paths it lends.

pub mod lending;
pub mod options;

use std::ffi::OsString;
use std::path::PathBuf;

use miette::Diagnostic;

use self::options::{PROGRAM, WorkerOptions};
use super::descriptors;
use super::failure::ProgramFailure;
use super::help;
use super::logging;
use super::session::{local_backend, runtime};
use super::startup::{print_clap_error, print_out};
use super::systemd::{self, WatchdogStatus};
use maelstrom_cluster::worker::broker_connection::channel_dialer;
use maelstrom_cluster::worker::event_loop::WorkerEvent;
use maelstrom_cluster::worker::{Worker, WorkerConfig};
use maelstrom_container::store::{Store, StoreOptions};
use maelstrom_engine::cache_kind::CacheKind;
use maelstrom_engine::local::MemoryBudget;
use maelstrom_engine::run::signals;
use maelstrom_model::error::ProgramError;
use maelstrom_model::event::untrusted_text::clean;
use maelstrom_model::exit_code;
use maelstrom_model::ids::random_name;
use maelstrom_runners::sandbox::invocation::{ColorMode, Invocation};
use maelstrom_spec::config::{self, ConfigError, ThisProcess};
use maelstrom_wire::connection::connect_later;
use maelstrom_wire::reapi::client::CasClient;

/// Runs the program with this command line and returns its exit code.
pub fn main(arguments: Vec<OsString>) -> u8 {
    if let Some(code) = help::run_if_asked(&help::manual::WORKER, &arguments) {
        return code;
    }
    match run(&arguments) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

/// The error of a worker without a broker.
#[derive(Debug, Diagnostic, thiserror::Error)]
#[error("a worker needs a broker")]
#[diagnostic(help("name it by `--broker HOST:PORT` or MAELSTROM_WORKER_BROKER"))]
struct NoBroker;

impl ProgramError for NoBroker {
    fn exit_code(&self) -> u8 {
        exit_code::USAGE
    }
}

fn run(arguments: &[OsString]) -> Result<u8, ProgramFailure> {
    let settled = match config::resolve::<WorkerOptions>(&PROGRAM, arguments, &ThisProcess) {
        Ok(settled) => settled,
        Err(ConfigError::CommandLine(told)) => return Ok(print_clap_error(&told)),
        Err(error) => return Err(error.into()),
    };
    let WorkerOptions {
        cluster,
        offer,
        cache,
        machine,
        log,
        ..
    } = settled.options;
    let Some(broker) = &cluster.broker else {
        return Err(NoBroker.into());
    };
    let invocation = Invocation::of_this_process(ColorMode::Unwanted)
        .map_err(|error| ProgramFailure::infrastructure(&error))?;
    let lent = lending::paths(&offer.lend, &invocation);
    if let Some(values) = settled.print {
        return print_out(&format!("{values}{}", explained(&lent)));
    }
    logging::start(settled.log_level, log.log_format).to_stderr();
    for warning in settled.warnings {
        tracing::warn!("{}", warning.text);
    }
    let cache_home = invocation
        .cache_home()
        .unwrap_or_else(|| invocation.directory.join(".cache"));
    let options = StoreOptions {
        root: cache
            .cache_root
            .unwrap_or_else(|| cache_home.join("maelstrom/worker")),
        size_target_bytes: cache.cache_size.0,
    };
    CacheKind::Worker.check(&options.root)?;
    let store = Store::open(&options)?;
    CacheKind::Worker.claim(store.root())?;
    let name = match &offer.name {
        Some(name) => name.clone(),
        None => {
            let host = nix::unistd::gethostname().unwrap_or_default();
            host.to_string_lossy().into_owned()
        }
    };
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let slots = offer.slots.unwrap_or(u32::try_from(cpus).unwrap_or(1));
    descriptors::ensure(descriptors::of_worker(slots))?;
    let security = cluster.security();
    runtime()?.block_on(async {
        let interrupts =
            signals::listen(|_| true).map_err(|error| ProgramFailure::infrastructure(&error))?;
        // A worker may be started before its broker.
        let connection = connect_later(broker, &security)?;
        let backend = local_backend(None, slots, &machine)?;
        let mut settings = WorkerConfig::new(name.clone(), random_name(), slots);
        settings.memory_max = machine.memory_budget.map(MemoryBudget::bytes);
        settings.drain_timeout = offer.drain_timeout();
        settings.lent = lent;
        settings.devices = offer.offer_device.clone();
        settings.allowed = offer.allow.iter().copied().map(Into::into).collect();
        // No job may see the worker's own credentials, even if their directory is lent.
        let secrets = [security.token, security.certificate.map(|(_, key)| key)];
        settings.private = secrets.into_iter().flatten().collect();
        let contents = (store, CasClient::new(connection.clone()));
        let dial = channel_dialer(connection.service());
        print_out(&format!(
            "maelstrom-worker {} {name}: {slots} slots, broker {broker}\n",
            env!("CARGO_PKG_VERSION")
        ))?;
        let worker = Worker::new(
            settings,
            backend,
            contents,
            dial,
            interrupts,
            notify_systemd,
        );
        tokio::select! {
            ended = worker.run() => ended.map_err(|error| ProgramFailure::infrastructure(&error)),
            // The watchdog runs on the worker's only thread, so a notification shows that this
            // thread makes progress.
            never = systemd::watchdog(async || WatchdogStatus::Given) => match never {},
        }
    })?;
    Ok(exit_code::SUCCESS)
}

/// Formats the lent paths as comments of a configuration file.
fn explained(lent: &[PathBuf]) -> String {
    let lines = lent
        .iter()
        .map(|path| format!("#   {}\n", clean(&path.to_string_lossy())));
    match lent {
        [] => "# nothing of this machine is lent\n".to_owned(),
        _ => format!(
            "# what is lent of this machine:\n{}",
            lines.collect::<String>()
        ),
    }
}

/// Notifies systemd. A worker is ready once a broker has registered it.
fn notify_systemd(sign: &WorkerEvent) {
    match sign {
        WorkerEvent::Registered(_) => systemd::ready(),
        WorkerEvent::Draining => systemd::stopping(),
        WorkerEvent::Down(_) => {}
    }
}
