//! `maelstrom-worker`, from its command line to its exit code.
//!
//! - [`options`]: its command line.

pub mod options;

use std::ffi::OsString;

use self::options::{Options, PROGRAM};
use super::descriptors;
use super::failure::Failure;
use super::logging;
use super::opening::{print_out, tell};
use super::session::{local_backend, runtime};
use super::systemd::{self, Answer};
use crate::container::store::{Store, StoreOptions};
use crate::engine::config::{self, ConfigError, ThisProcess};
use crate::engine::exit_code;
use crate::engine::ids::random_name;
use crate::engine::reapi::client::CasClient;
use crate::engine::run::signals;
use crate::engine::security::client::connect_later;
use crate::engine::worker::line::dial_over;
use crate::engine::worker::work::Sign;
use crate::engine::worker::{Settings, Worker};
use crate::runners::sandbox::invocation::{Colours, Invocation};

/// Runs the program with this command line.
pub fn main(arguments: Vec<OsString>) -> u8 {
    match run(&arguments) {
        Ok(code) => code,
        Err(failure) => failure.tell(),
    }
}

/// A worker without a broker.
#[derive(Debug, thiserror::Error)]
#[error("a worker needs a broker")]
struct NoBroker;

fn run(arguments: &[OsString]) -> Result<u8, Failure> {
    let infrastructure = |error: &dyn std::error::Error| Failure::infrastructure(error, None);
    let settled = match config::settle::<Options>(&PROGRAM, arguments, &ThisProcess) {
        Ok(settled) => settled,
        Err(ConfigError::CommandLine(told)) => return Ok(tell(&told)),
        Err(error) => return Err(Failure::usage(&error, error.help())),
    };
    let Options {
        cluster,
        offer,
        cache,
        machine,
        log,
        ..
    } = settled.options;
    let Some(broker) = &cluster.broker else {
        let help = "name it by `--broker HOST:PORT` or MAELSTROM_WORKER_BROKER".to_owned();
        return Err(Failure::usage(&NoBroker, Some(help)));
    };
    if let Some(values) = settled.print {
        return print_out(&values);
    }
    logging::start(settled.log_level, log.log_format).to_stderr();
    for warning in settled.warnings {
        tracing::warn!("{}", warning.text);
    }
    let invocation =
        Invocation::of_this_process(Colours::Unwanted).map_err(|error| infrastructure(&error))?;
    let cache_home = invocation
        .cache_home()
        .unwrap_or_else(|| invocation.directory.join(".cache"));
    let store = Store::open(&StoreOptions {
        root: cache
            .cache_root
            .unwrap_or_else(|| cache_home.join("maelstrom/worker")),
        size_target_bytes: cache.cache_size.0,
    })
    .map_err(|error| infrastructure(&error))?;
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
        let interrupts = signals::listen(|_| true).map_err(|error| infrastructure(&error))?;
        let connection = connect_later(broker, &security)
            .map_err(|error| Failure::infrastructure(&error, error.help()))?;
        let backend = local_backend(None, slots, &machine)?;
        let mut settings = Settings::new(name.clone(), random_name(), slots);
        settings.drain_timeout = offer.drain_timeout();
        let secrets = [security.token, security.certificate.map(|(_, key)| key)];
        settings.private = secrets.into_iter().flatten().collect();
        let contents = (store, CasClient::new(connection.clone()));
        let dial = dial_over(connection.service());
        print_out(&format!(
            "maelstrom-worker {} {name}: {slots} slots, broker {broker}\n",
            env!("CARGO_PKG_VERSION")
        ))?;
        let worker = Worker::new(settings, backend, contents, dial, interrupts, tell_systemd);
        tokio::select! {
            ended = worker.run() => ended.map_err(|error| infrastructure(&error)),
            // On the one thread that does everything: whoever hears of it knows that it moves on.
            never = systemd::watchdog(async || Answer::Given) => match never {},
        }
    })?;
    Ok(exit_code::SUCCESS)
}

/// A worker is up when the broker has it.
fn tell_systemd(sign: &Sign) {
    match sign {
        Sign::Registered(_) => systemd::ready(),
        Sign::Draining => systemd::stopping(),
        Sign::Down(_) => {}
    }
}
