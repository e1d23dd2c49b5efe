use maelstrom::engine::backend::local::LocalBackend;
use maelstrom::engine::event::*;
use maelstrom::engine::run::{driver::*, message::*, outlet::Outlet};
use maelstrom::runners::cargo::*;
use std::collections::HashMap;
use std::num::NonZeroU32;
fn main() {
    if let Some(code) = maelstrom::container::spawner::run_if_helper() {
        std::process::exit(code);
    }
    let rt = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let code = rt.block_on(async {
        let options = Options::read(std::env::args_os()).unwrap_or_else(|e| e.exit());
        let settings = options.settle(NonZeroU32::new(2).unwrap()).unwrap();
        let slots = settings.slots;
        let backend = LocalBackend::start(&std::env::current_exe().unwrap(), slots).unwrap();
        let wishes = Wishes {
            repeat: settings.repeat,
            stop_after: settings.stop_after,
            at_end: AtEnd::Leave,
            grace: std::time::Duration::from_secs(5),
        };
        let framework = CargoFramework::new(
            settings,
            Invocation::of_this_process(Colours::Unwanted).unwrap(),
        );
        let (send, mut recv) = channel::channel();
        let (_c, commands) = tokio::sync::mpsc::unbounded_channel();
        let interrupts = maelstrom::engine::run::signals::listen().unwrap();
        let run = RunStarted {
            schema: SCHEMA_VERSION,
            run: maelstrom::engine::ids::RunId(1),
            program: "x".into(),
            version: "".into(),
            command: vec![],
            directory: "".into(),
            started_unix_ms: 0,
            backend: BackendInfo::Local,
            isolation: Isolation::Container,
        };
        let setup = Setup {
            wishes,
            run,
            framework: &framework,
            backend,
            history: None,
            outlet: Outlet::new(send, None),
            commands,
            interrupts,
        };
        let print = async {
            let mut titles = HashMap::new();
            let mut outputs: HashMap<_, Vec<u8>> = HashMap::new();
            let verbose = std::env::var_os("TRY_VERBOSE").is_some();
            while let Some(e) = recv.recv().await {
                match e.kind {
                    EventKind::Discovered { tests } => {
                        for t in tests {
                            titles.insert(t.test, t.title);
                        }
                    }
                    EventKind::Output { test, text, .. } => {
                        outputs.entry(test).or_default().extend(text.0)
                    }
                    EventKind::Finished(f) => {
                        let out = outputs.remove(&f.test).unwrap_or_default();
                        if f.outcome.is_failure() || verbose {
                            println!(
                                "{:?} {} {:?}\n{}",
                                f.outcome,
                                titles[&f.test],
                                f.location,
                                String::from_utf8_lossy(&out)
                            );
                        }
                    }
                    EventKind::BuildOutput { text } => {
                        print!("{}", String::from_utf8_lossy(&text.0))
                    }
                    EventKind::Notice(n) => println!("NOTICE {} | {:?}", n.text, n.help),
                    EventKind::RoundFinished { summary, .. } => {
                        println!("{:.3}s {summary:?}", e.at_us as f64 / 1e6)
                    }
                    EventKind::BuildFinished { .. } => {
                        println!("{:.3}s build finished", e.at_us as f64 / 1e6)
                    }
                    EventKind::Queued { .. }
                    | EventKind::Started { .. }
                    | EventKind::WorkerSample { .. }
                    | EventKind::BuildProgress { .. } => {}
                    other => {
                        if verbose {
                            println!("{:.3}s {other:?}", e.at_us as f64 / 1e6)
                        } else {
                            drop(other)
                        }
                    }
                }
            }
        };
        tokio::join!(drive(setup), print).0
    });
    std::process::exit(code.into());
}
