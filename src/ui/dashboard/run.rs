//! The loop: one thing at a time, from whichever side it comes.
//!
//! Keys, signals, the run's events, the terminal's readiness and timers all end up here, in one
//! `select!`. After each, what is queued is drained, and a frame is drawn if one is due and the
//! terminal is ready. Events are taken in promptly whatever the terminal does, so that a slow one
//! never holds up a test.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use base64::Engine as _;
use crossterm::event::{Event as Input, EventStream, KeyEventKind};
use futures_util::StreamExt;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::UnboundedSender;

use crate::log::LogStore;
use crate::model::{Model, Phase};
use crate::terminal::{self, Terminal};
use maelstrom_model::event::channel::EventReceiver;
use maelstrom_model::event::{Command, Event, EventKind};

use super::app::{App, AppOptions, Effect, Mouse, Msg, OnFinish, Playback, Source};
use super::external::{self, Prepared};
use super::pace::{Cause, Pacer};
use super::screen::Screen;
use super::settings::Settings;
use super::theme::Glyphs;
use super::writer::Writer;

/// Events received at a time.
const EVENTS_BATCH: usize = 2_048;
/// How long events are taken in between two looks at the keyboard; one event may tell of ten
/// thousand tests.
const TAKE_MAX: Duration = Duration::from_millis(8);
/// How long a suspended run may take to say that it stands still.
const SUSPEND_WAIT: Duration = Duration::from_millis(500);

/// How a dashboard is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Theme and keys.
    pub settings: Settings,
    /// What the terminal can show.
    pub glyphs: Glyphs,
    /// What to do at the end.
    pub on_finish: OnFinish,
    /// Where the events come from.
    pub source: Source,
    /// Whether a recording begins to move by itself.
    pub playback: Playback,
    /// Where to ask for a recording's next event.
    pub step: Option<UnboundedSender<()>>,
}

/// Why the dashboard closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The run is over, or the person left.
    Closed,
    /// A signal asked the program to end; its number.
    Signal(i32),
}

/// What is left when the dashboard has closed.
#[derive(Debug)]
pub struct Outcome {
    /// Why it closed.
    pub end: End,
    /// The run as it was then.
    pub model: Model,
    /// All output.
    pub logs: LogStore,
}

/// Why there was no dashboard, or no longer.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The terminal cannot be taken.
    #[error("cannot take the terminal: {0}")]
    Enter(#[source] io::Error),
    /// Something that the loop needs cannot be had.
    #[error("cannot start the dashboard: {0}")]
    Start(#[source] io::Error),
    /// The terminal is gone.
    #[error("cannot write to the terminal: {0}")]
    Write(#[source] io::Error),
}

/// Shows a run until it is over and the person has seen enough. Blocks; needs a thread of its own
/// beside the one that runs the tests.
pub fn run(
    events: EventReceiver,
    commands: UnboundedSender<Command>,
    options: Options,
) -> Result<Outcome, RunError> {
    // The theme decides about colours, and it has heard of NO_COLOR; crossterm's own reaction to
    // it would take away bold and reverse as well.
    crossterm::style::force_color_output(true);
    let (columns, rows) = crossterm::terminal::size().map_err(RunError::Enter)?;
    let terminal = Terminal::enter().map_err(RunError::Enter)?;
    let app = App::new(AppOptions {
        settings: options.settings,
        glyphs: options.glyphs,
        source: options.source,
        playback: options.playback,
        on_finish: options.on_finish,
        columns,
        rows,
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(RunError::Start)?;
    runtime.block_on(async move {
        let mut looper = Loop {
            app,
            screen: Screen::new(),
            pacer: Pacer::default(),
            writer: Writer::start().map_err(RunError::Start)?,
            terminal: Some(terminal),
            events,
            backlog: VecDeque::with_capacity(EVENTS_BATCH),
            commands,
            step: options.step,
            signals: Signals::new().map_err(RunError::Start)?,
            started: Instant::now(),
        };
        looper.pacer.want(Cause::Input);
        let end = looper.run().await?;
        looper.writer.settle().await;
        drop(looper.terminal.take());
        let (model, logs) = looper.app.into_parts();
        Ok(Outcome { end, model, logs })
    })
}

struct Loop {
    app: App,
    screen: Screen,
    pacer: Pacer,
    writer: Writer,
    terminal: Option<Terminal>,
    events: EventReceiver,
    /// Events that were received and not taken in yet.
    backlog: VecDeque<Event>,
    commands: UnboundedSender<Command>,
    step: Option<UnboundedSender<()>>,
    signals: Signals,
    started: Instant,
}

struct Signals {
    terminate: Signal,
    hang_up: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }
}

/// Whether to go on.
enum Next {
    Go,
    End(End),
}

impl Loop {
    fn now_us(&self) -> u64 {
        self.started.elapsed().as_micros() as u64
    }

    async fn run(&mut self) -> Result<End, RunError> {
        let mut keys = EventStream::new();
        let mut received = Vec::with_capacity(EVENTS_BATCH);
        let mut events_open = true;
        loop {
            self.draw_if_due()?;
            let wake = self.wake();
            let effects = tokio::select! {
                biased;
                _ = self.signals.terminate.recv() => return Ok(self.ended_by(SignalKind::terminate())),
                _ = self.signals.hang_up.recv() => return Ok(self.ended_by(SignalKind::hangup())),
                // The run listens for it as well, and its events tell what comes of it.
                _ = self.signals.interrupt.recv() => match self.app.source {
                    Source::Live => Vec::new(),
                    Source::Recording => return Ok(End::Closed),
                },
                input = keys.next() => match input {
                    Some(Ok(input)) => self.input(input),
                    Some(Err(error)) => return Err(RunError::Write(error)),
                    // The terminal is gone, and with it the person.
                    None => return Ok(self.ended_by(SignalKind::hangup())),
                },
                written = self.writer.finished() => {
                    written.map_err(RunError::Write)?;
                    Vec::new()
                }
                () = std::future::ready(()), if !self.backlog.is_empty() => {
                    // Keys and signals are looked at between two stretches of work.
                    tokio::task::yield_now().await;
                    self.take(TAKE_MAX)
                }
                count = self.events.recv_many(&mut received, EVENTS_BATCH), if events_open => {
                    if count == 0 {
                        events_open = false;
                        let is_over = matches!(self.app.live().phase, Phase::Finished { .. });
                        // A run that ends without a word has nothing more to show; a recording
                        // may well be of a run that was killed.
                        if !is_over && self.app.source == Source::Live {
                            return Ok(End::Closed);
                        }
                    }
                    self.backlog.extend(received.drain(..));
                    self.take(TAKE_MAX)
                }
                () = sleep_until(wake) => {
                    let now_us = self.now_us();
                    if self.app.next_wake_us(now_us).is_some() {
                        self.pacer.want(Cause::Data);
                    }
                    self.app.update(Msg::Clock, now_us)
                }
                () = std::future::ready(()), if self.app.has_idle_work() => {
                    self.pacer.want(Cause::Data);
                    let now_us = self.now_us();
                    tokio::task::yield_now().await;
                    self.app.update(Msg::Idle, now_us)
                }
            };
            for effect in effects {
                match self.perform(effect, &mut keys).await? {
                    Next::Go => {}
                    Next::End(end) => return Ok(end),
                }
            }
        }
    }

    /// When to wake up if nothing else happens.
    fn wake(&self) -> Option<Instant> {
        let frame = self.pacer.due_us().filter(|_| !self.writer.is_busy());
        let clock = self.app.next_wake_us(self.now_us());
        let at_us = frame.into_iter().chain(clock).min()?;
        Some(self.started + Duration::from_micros(at_us))
    }

    fn draw_if_due(&mut self) -> Result<(), RunError> {
        let now_us = self.now_us();
        if self.writer.is_busy() || self.pacer.due_us().is_none_or(|due_us| due_us > now_us) {
            return Ok(());
        }
        self.app.prepare(now_us);
        let frame = self.screen.frame(&self.app, now_us);
        if let Some(bytes) = frame.map_err(RunError::Write)? {
            self.writer.write(bytes);
        }
        self.pacer.drawn(now_us);
        Ok(())
    }

    /// Takes in what was received, in that order, as far as the time allows.
    fn take(&mut self, time_max: Duration) -> Vec<Effect> {
        let began = Instant::now();
        let now_us = self.now_us();
        let mut effects = Vec::new();
        while began.elapsed() < time_max
            && let Some(event) = self.backlog.pop_front()
        {
            effects.extend(self.app.update(Msg::Event(Box::new(event)), now_us));
        }
        self.pacer.want(Cause::Data);
        effects
    }

    fn input(&mut self, input: Input) -> Vec<Effect> {
        let msg = match input {
            Input::Key(key) if key.kind != KeyEventKind::Release => Msg::Key(key),
            Input::Mouse(mouse) => Msg::Mouse(mouse),
            Input::Paste(text) => Msg::Paste(text),
            Input::Resize(columns, rows) => Msg::Resize { columns, rows },
            Input::Key(_) | Input::FocusGained | Input::FocusLost => return Vec::new(),
        };
        self.pacer.want(Cause::Input);
        let now_us = self.now_us();
        // What a key moves through must be as it will be drawn.
        self.app.prepare(now_us);
        self.app.update(msg, now_us)
    }

    fn ended_by(&mut self, kind: SignalKind) -> End {
        for command in [Command::Kill, Command::Leave] {
            // Without a receiver the run is already over.
            let _ = self.commands.send(command);
        }
        End::Signal(kind.as_raw_value())
    }

    async fn perform(&mut self, effect: Effect, keys: &mut EventStream) -> Result<Next, RunError> {
        match effect {
            Effect::Send(command) => {
                // Without a receiver the run is already over.
                let _ = self.commands.send(command);
            }
            Effect::Close => return Ok(Next::End(End::Closed)),
            Effect::Suspend => self.suspend(keys).await?,
            Effect::Run(external) => match external::prepare(&external, &self.app) {
                Ok(prepared) => self.run_external(prepared, keys).await?,
                Err(error) => self.say(error),
            },
            Effect::Copy(text) => {
                let encoded = base64::engine::general_purpose::STANDARD.encode(text);
                self.write_aside(format!("\x1b]52;c;{encoded}\x1b\\").as_bytes())
                    .await?;
            }
            Effect::Repaint => self.screen.forget(),
            Effect::Mouse(Mouse::Taken) => self.write_aside(terminal::mouse_on()).await?,
            Effect::Mouse(Mouse::Given) => self.write_aside(terminal::mouse_off()).await?,
            Effect::Step => {
                if let Some(step) = &self.step {
                    // A recording at its end takes no more steps.
                    let _ = step.send(());
                }
            }
        }
        Ok(Next::Go)
    }

    /// Writes something that is not part of a frame, between two frames.
    async fn write_aside(&mut self, bytes: &[u8]) -> Result<(), RunError> {
        if self.writer.is_busy() {
            self.writer.finished().await.map_err(RunError::Write)?;
        }
        self.writer.write(bytes.to_vec());
        Ok(())
    }

    fn say(&mut self, text: String) {
        let now_us = self.now_us();
        self.app.update(Msg::Remark(text), now_us);
        self.pacer.want(Cause::Input);
    }

    async fn suspend(&mut self, keys: &mut EventStream) -> Result<(), RunError> {
        // Without a receiver the run is already over.
        let _ = self.commands.send(Command::Suspend);
        self.await_suspended().await;
        self.give_back(keys).await;
        let stopped = Instant::now();
        let result = terminal::stop_job().await;
        let for_us = stopped.elapsed().as_micros() as u64;
        let _ = self.commands.send(Command::Continue);
        let now_us = self.now_us();
        self.app.update(Msg::Stopped { for_us }, now_us);
        self.take_again()?;
        if let Err(error) = result {
            self.say(format!("the program cannot be stopped: {error}"));
        }
        Ok(())
    }

    /// Waits until the tests stand still, so that they do not run on while nobody watches.
    async fn await_suspended(&mut self) {
        let deadline = tokio::time::Instant::now() + SUSPEND_WAIT;
        if !self.app.live().is_active() {
            return;
        }
        while let Ok(Some(event)) = tokio::time::timeout_at(deadline, self.events.recv()).await {
            let is_answer = event.kind == EventKind::Suspended;
            self.backlog.push_back(event);
            self.take(Duration::MAX);
            if is_answer {
                return;
            }
        }
    }

    /// Lets another program have the terminal. The run's events are taken in meanwhile.
    async fn run_external(
        &mut self,
        mut prepared: Prepared,
        keys: &mut EventStream,
    ) -> Result<(), RunError> {
        self.give_back(keys).await;
        let lent = terminal::lend();
        let result = match prepared.command.spawn() {
            Ok(mut child) => {
                let mut received = Vec::new();
                let mut open = true;
                loop {
                    tokio::select! {
                        status = child.wait() => break status.map(drop),
                        // It went to the whole job, and is the other program's to answer.
                        _ = self.signals.interrupt.recv() => {}
                        count = self.events.recv_many(&mut received, EVENTS_BATCH), if open => {
                            open = count > 0;
                            self.backlog.extend(received.drain(..));
                            for effect in self.take(Duration::MAX) {
                                if let Effect::Send(command) = effect {
                                    let _ = self.commands.send(command);
                                }
                            }
                        }
                    }
                }
            }
            Err(error) => Err(error),
        };
        drop(lent);
        self.take_again()?;
        if let Err(error) = result {
            self.say(format!("cannot run {}: {error}", prepared.name));
        }
        Ok(())
    }

    async fn give_back(&mut self, keys: &mut EventStream) {
        self.writer.settle().await;
        // The old stream's thread must not read what is meant for somebody else. Its end leaves a
        // wake-up behind; found together with a key later, it would hide that key until the next.
        *keys = EventStream::new();
        let _ = crossterm::event::poll(Duration::ZERO);
        drop(self.terminal.take());
    }

    fn take_again(&mut self) -> Result<(), RunError> {
        self.terminal = Some(Terminal::enter().map_err(RunError::Enter)?);
        if let Ok((columns, rows)) = crossterm::terminal::size() {
            let now_us = self.now_us();
            self.app.update(Msg::Resize { columns, rows }, now_us);
        }
        self.screen.forget();
        self.pacer.want(Cause::Input);
        Ok(())
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
