//! The dashboard's checks that need a terminal, in tmux: the numbered ones of its design.
//!
//! The program in the terminal is this test program itself, in the role that a variable gives it:
//! the dashboard over a run that is made up, whose thread answers commands as a real run does.
//! What depends on how tests are really run is tested with the real program.

mod manners;
mod speed;

use crate::stream;
use std::time::{Duration, Instant};

use crate::stream::Script;
use crate::tmux::Tmux;
use maelstrom_model::event::channel::{EventSender, channel};
use maelstrom_model::event::{
    Event, EventKind, OutputStream, RoundCause, RoundEvent, RoundSummary, RunEvent, UiCommand,
};
use maelstrom_model::ids::TestId;
use maelstrom_ui::dashboard::settings::{DashboardSettings, ThemeChoice};
use maelstrom_ui::dashboard::theme::{ColorChoice, GlyphSet};
use maelstrom_ui::dashboard::{
    self, DashboardEnd, DashboardOptions, EventSource, OnFinish, PlaybackState,
};
use maelstrom_ui::report::{PrecedingOutput, write_ending};
use maelstrom_ui::style::OutputColor;
use maelstrom_ui::terminal_features::TerminalFeatureSet;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

const ROLE: &str = "MAELSTROM_TEST_ROLE";
/// The role of a run whose round ends while the dashboard is being stopped.
const ENDS_WHILE_STOPPED: &str = "ends-while-stopped";
/// The words that make this program run [`the_program_in_the_terminal`] alone.
const ROLE_WORDS: [&str; 4] = [
    "--exact",
    "terminal::the_program_in_the_terminal",
    "--include-ignored",
    "--nocapture",
];
const TOLD: &str = "MAELSTROM_TEST_TOLD";
const FRAME_BEGIN: &[u8] = b"\x1b[?2026h";
const FRAME_END: &[u8] = b"\x1b[?2026l";

/// The command line that runs this program in a role.
fn program(role: &str) -> String {
    let own = std::env::current_exe().expect("this program has a path");
    let own = own.display();
    format!("{ROLE}={role} {own} {}", ROLE_WORDS.join(" "))
}

/// Not a check: what runs in the terminal when one of the checks asks for it.
#[test]
#[ignore = "needs tmux"]
fn the_program_in_the_terminal() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let (sender, events) = channel();
    let (commands, queue) = unbounded_channel();
    let settings = DashboardSettings::standard(&ThemeChoice::dark(ColorChoice::Color))
        .expect("the built-in themes are right");
    let on_finish = match role == ENDS_WHILE_STOPPED {
        true => OnFinish::Exit,
        false => OnFinish::Auto,
    };
    let engine = std::thread::spawn(move || match role.as_str() {
        "endless-flood" => endless_flood(&sender, queue),
        "flood-and-tell" => {
            flood(&sender);
            let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
            let peak = status.lines().find(|line| line.starts_with("VmHWM:"));
            let peak = peak
                .and_then(|line| line.split_whitespace().nth(1))
                .expect("a number");
            std::fs::write(std::env::var(TOLD).expect("a file to tell"), peak).expect("it is ours");
            std::process::exit(0);
        }
        "long-log" => long_log(&sender, queue),
        role => answer(&sender, queue, role),
    });
    let options = DashboardOptions {
        settings,
        glyphs: GlyphSet::Unicode,
        on_finish,
        source: EventSource::Live,
        playback: PlaybackState::Going,
        step: None,
        terminal: TerminalFeatureSet::NONE,
    };
    let outcome = dashboard::run(events, commands, options).expect("there is a terminal");
    match outcome.end {
        DashboardEnd::Closed => {}
        DashboardEnd::Signal(number) => std::process::exit(128 + number),
    }
    let mut stdout = std::io::stdout();
    write_ending(
        &mut stdout,
        OutputColor::Never,
        PrecedingOutput::Nothing,
        (&outcome.model, &outcome.logs),
    )
    .expect("the terminal takes text");
    drop(engine);
    std::process::exit(1);
}

/// A run that has come to the middle, answers what is asked of it, and ends when it is left.
fn answer(sender: &EventSender, mut commands: UnboundedReceiver<UiCommand>, role: &str) {
    let began = Instant::now();
    let mut script = stream::showcase();
    if role == "ended" {
        let summary = RoundSummary {
            failed: 2,
            ..RoundSummary::default()
        };
        script.end_round(1, summary);
    }
    let offset_us = script.at_us;
    script
        .events
        .into_iter()
        .for_each(|event| sender.send(event));
    let mut suspended = Instant::now();
    let tell = |kind| {
        let at_us = offset_us + began.elapsed().as_micros() as u64;
        sender.send(Event { at_us, kind });
    };
    while let Some(command) = commands.blocking_recv() {
        match command {
            UiCommand::Pause if role == "panic" => panic!("as the check wants it"),
            UiCommand::Pause => tell(EventKind::Run(RunEvent::Paused)),
            UiCommand::Resume => tell(EventKind::Run(RunEvent::Resumed)),
            UiCommand::Suspend => {
                suspended = Instant::now();
                if role == ENDS_WHILE_STOPPED {
                    let summary = RoundSummary::default();
                    tell(EventKind::Round(RoundEvent::Finished { round: 1, summary }));
                }
                tell(EventKind::Run(RunEvent::Suspended));
            }
            UiCommand::Continue => {
                let suspended_us = suspended.elapsed().as_micros() as u64;
                tell(EventKind::Run(RunEvent::Continued { suspended_us }));
            }
            UiCommand::Cancel => tell(EventKind::Run(RunEvent::Cancelling {
                grace_us: 10_000_000,
            })),
            UiCommand::Rerun { tests } => tell(EventKind::Round(RoundEvent::RerunQueued {
                tests: tests.len() as u32,
            })),
            UiCommand::Leave | UiCommand::Kill => {
                tell(EventKind::Run(RunEvent::Finished { exit_code: 1 }));
                return;
            }
            UiCommand::CancelTest { .. } | UiCommand::Describe { .. } => {}
        }
    }
}

/// Ten thousand events a second, as long as somebody takes them.
fn flood(sender: &EventSender) {
    let count = 30_000;
    let mut script = stream::big(count);
    script.events.drain(..).for_each(|event| sender.send(event));
    stream::run_big(&mut script, count);
    let began = Instant::now();
    let (tick, rest) = std::sync::mpsc::channel::<()>();
    for (index, mut event) in (0_u32..).zip(script.events) {
        let due = Duration::from_micros(100) * index;
        // A wait on a channel that nobody writes to: the pace of the stream.
        let _ = rest.recv_timeout(due.saturating_sub(began.elapsed()));
        event.at_us = began.elapsed().as_micros() as u64;
        sender.send(event);
    }
    drop(tick);
}

/// Ten thousand events a second, of a test that writes, until the run is to end.
fn endless_flood(sender: &EventSender, mut commands: UnboundedReceiver<UiCommand>) {
    let mut script = stream::big(1_000);
    stream::run_big(&mut script, 500);
    script.start(TestId(999));
    // A wait on a channel that nobody writes to: the pace of the stream.
    let (tick, rest) = std::sync::mpsc::channel::<()>();
    while commands.try_recv() == Err(TryRecvError::Empty) {
        script.write(TestId(999), OutputStream::Stdout, "a line\n");
        script.events.drain(..).for_each(|event| sender.send(event));
        let _ = rest.recv_timeout(Duration::from_micros(100));
    }
    drop(tick);
}

/// A test that has written a million lines, one in a thousand of which says `needle`.
fn long_log(sender: &EventSender, mut commands: UnboundedReceiver<UiCommand>) {
    let mut script = Script::local();
    let tests = script.discover("demo", &["chatty"]);
    script.begin_round(1, RoundCause::Start);
    script.start(tests[0]);
    script.write_million_lines(TestId(0));
    script.fail(tests[0]);
    script
        .events
        .into_iter()
        .for_each(|event| sender.send(event));
    while commands
        .blocking_recv()
        .is_some_and(|command| command != UiCommand::Leave)
    {}
}

/// A terminal with the program in it, showing the run.
fn showing(role: &str) -> Tmux {
    let mut tmux = Tmux::start(120, 36);
    tmux.type_line(&program(role));
    tmux.wait_for("the dashboard", |screen| screen.contains("Failures 1/4"));
    tmux
}
