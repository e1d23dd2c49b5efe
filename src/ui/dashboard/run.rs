//! The dashboard's event loop.
//!
//! Keys, signals, the run's events, the terminal's readiness and timers all arrive in one
//! `select!`. After each, the queue is drained, and a frame is drawn if one is due and the terminal
//! is ready. Events are handled promptly whatever the terminal does, so a slow one never delays a
//! test.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use crossterm::event::{Event as Input, EventStream, KeyEventKind};
use data_encoding::BASE64;
use futures_util::StreamExt;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::UnboundedSender;

use crate::log::LogStore;
use crate::model::{RunModel, RunPhase};
use crate::terminal::{self, TerminalGuard};
use maelstrom_model::event::channel::EventReceiver;
use maelstrom_model::event::{Event, EventKind, RunEvent, UiCommand};

use super::app::{
    App, AppEffect, AppMessage, AppOptions, EventSource, MouseCapture, OnFinish, PlaybackState,
};
use super::external::{self, PreparedProgram};
use super::frame_rate::{FrameRateLimiter, RedrawCause};
use super::screen::ScreenRenderer;
use super::settings::DashboardSettings;
use super::theme::GlyphSet;
use super::writer::TerminalWriter;

/// Events received at a time.
const EVENTS_BATCH: usize = 2_048;
/// How long events are taken in between two looks at the keyboard; one event may tell of ten
/// thousand tests.
const TAKE_MAX: Duration = Duration::from_millis(8);
/// How long a suspended run may take to say that it stands still.
const SUSPEND_WAIT: Duration = Duration::from_millis(500);

/// How a dashboard is run.
#[derive(Clone, Debug)]
pub struct DashboardOptions {
    pub settings: DashboardSettings,
    /// What the terminal can show.
    pub glyphs: GlyphSet,
    /// What to do at the end.
    pub on_finish: OnFinish,
    /// Where the events come from.
    pub source: EventSource,
    /// Whether a recording begins to move by itself.
    pub playback: PlaybackState,
    /// Where to ask for a recording's next event.
    pub step: Option<UnboundedSender<()>>,
}

/// Why the dashboard closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DashboardEnd {
    /// The run is over, or the person left.
    Closed,
    /// A signal asked the program to end; its number.
    Signal(i32),
}

/// What is left when the dashboard has closed.
#[derive(Debug)]
pub struct DashboardOutcome {
    pub end: DashboardEnd,
    /// The run as it was then.
    pub model: RunModel,
    pub logs: LogStore,
}

/// Why there was no dashboard, or no longer.
#[derive(Debug, thiserror::Error)]
pub enum DashboardError {
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
    commands: UnboundedSender<UiCommand>,
    options: DashboardOptions,
) -> Result<DashboardOutcome, DashboardError> {
    // The theme decides about colors, and it has heard of NO_COLOR; crossterm's own reaction to
    // it would take away bold and reverse as well.
    crossterm::style::force_color_output(true);
    let (columns, rows) = crossterm::terminal::size().map_err(DashboardError::Enter)?;
    let terminal = TerminalGuard::enter().map_err(DashboardError::Enter)?;
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
        .map_err(DashboardError::Start)?;
    runtime.block_on(async move {
        let mut looper = DashboardLoop {
            app,
            screen: ScreenRenderer::new(),
            pacer: FrameRateLimiter::default(),
            writer: TerminalWriter::start().map_err(DashboardError::Start)?,
            terminal: Some(terminal),
            events,
            backlog: VecDeque::with_capacity(EVENTS_BATCH),
            deferred: VecDeque::new(),
            commands,
            step: options.step,
            signals: TerminationSignals::new().map_err(DashboardError::Start)?,
            started: Instant::now(),
        };
        looper.pacer.want(RedrawCause::Input);
        let end = looper.run().await?;
        // A frame that is still being written would otherwise go to the person's own screen.
        looper.writer.finish_write().await;
        drop(looper.terminal.take());
        let (model, logs) = looper.app.into_parts();
        Ok(DashboardOutcome { end, model, logs })
    })
}

struct DashboardLoop {
    app: App,
    screen: ScreenRenderer,
    pacer: FrameRateLimiter,
    writer: TerminalWriter,
    terminal: Option<TerminalGuard>,
    events: EventReceiver,
    /// Events that were received and not taken in yet.
    backlog: VecDeque<Event>,
    /// What is still to be done, in this order.
    deferred: VecDeque<AppEffect>,
    commands: UnboundedSender<UiCommand>,
    step: Option<UnboundedSender<()>>,
    signals: TerminationSignals,
    started: Instant,
}

struct TerminationSignals {
    terminate: Signal,
    hang_up: Signal,
    interrupt: Signal,
}

impl TerminationSignals {
    fn new() -> io::Result<Self> {
        Ok(TerminationSignals {
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }
}

/// Whether to go on.
enum LoopControl {
    Go,
    End(DashboardEnd),
}

impl DashboardLoop {
    fn now_us(&self) -> u64 {
        self.started.elapsed().as_micros() as u64
    }

    async fn run(&mut self) -> Result<DashboardEnd, DashboardError> {
        let mut keys = EventStream::new();
        let mut received = Vec::with_capacity(EVENTS_BATCH);
        let mut events_open = true;
        loop {
            self.draw_if_due()?;
            let wake = self.wake();
            let effects = tokio::select! {
                // In this order: what ends the dashboard and what a person types come before
                // events, of which there may always be more.
                biased;
                _ = self.signals.terminate.recv() => return Ok(self.ended_by(SignalKind::terminate())),
                _ = self.signals.hang_up.recv() => return Ok(self.ended_by(SignalKind::hangup())),
                // The run listens for it as well, and its events tell what comes of it.
                _ = self.signals.interrupt.recv() => match self.app.source() {
                    EventSource::Live => Vec::new(),
                    EventSource::Recording => return Ok(DashboardEnd::Closed),
                },
                input = keys.next() => match input {
                    Some(Ok(input)) => self.input(input),
                    Some(Err(error)) => return Err(DashboardError::Write(error)),
                    // The terminal is gone, and with it the person.
                    None => return Ok(self.ended_by(SignalKind::hangup())),
                },
                written = self.writer.finished() => {
                    written.map_err(DashboardError::Write)?;
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
                        let is_over = matches!(self.app.live().phase, RunPhase::Finished { .. });
                        // A run that ends without a word has nothing more to show; a recording
                        // may well be of a run that was killed.
                        if !is_over && self.app.source() == EventSource::Live {
                            return Ok(DashboardEnd::Closed);
                        }
                    }
                    self.backlog.extend(received.drain(..));
                    self.take(TAKE_MAX)
                }
                () = sleep_until(wake) => {
                    let now_us = self.now_us();
                    if self.app.next_wake_us(now_us).is_some() {
                        self.pacer.want(RedrawCause::Data);
                    }
                    self.app.update(AppMessage::Clock, now_us)
                }
                () = std::future::ready(()), if self.app.has_idle_work() => {
                    self.pacer.want(RedrawCause::Data);
                    let now_us = self.now_us();
                    tokio::task::yield_now().await;
                    self.app.update(AppMessage::Idle, now_us)
                }
            };
            self.deferred.extend(effects);
            while let Some(effect) = self.deferred.pop_front() {
                match self.perform(effect, &mut keys).await? {
                    LoopControl::Go => {}
                    LoopControl::End(end) => return Ok(end),
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

    fn draw_if_due(&mut self) -> Result<(), DashboardError> {
        let now_us = self.now_us();
        if self.writer.is_busy() || self.pacer.due_us().is_none_or(|due_us| due_us > now_us) {
            return Ok(());
        }
        self.app.prepare(now_us);
        let frame = self.screen.frame(&self.app, now_us);
        if let Some(bytes) = frame.map_err(DashboardError::Write)? {
            self.writer.write(bytes);
        }
        self.pacer.drawn(now_us);
        Ok(())
    }

    /// Takes in what was received, in that order, as far as the time allows.
    fn take(&mut self, time_max: Duration) -> Vec<AppEffect> {
        let began = Instant::now();
        let now_us = self.now_us();
        let mut effects = Vec::new();
        while began.elapsed() < time_max
            && let Some(event) = self.backlog.pop_front()
        {
            effects.extend(self.app.update(AppMessage::Event(Box::new(event)), now_us));
        }
        self.pacer.want(RedrawCause::Data);
        effects
    }

    /// Takes in what was received while somebody else has the terminal. The run hears at once what
    /// it is to hear; what needs the terminal, or closes the dashboard, waits until it is back.
    fn take_while_away(&mut self) {
        for effect in self.take(Duration::MAX) {
            match effect {
                // Without a receiver the run is already over.
                AppEffect::Send(command) => drop(self.commands.send(command)),
                other => self.deferred.push_back(other),
            }
        }
    }

    fn input(&mut self, input: Input) -> Vec<AppEffect> {
        let msg = match input {
            Input::Key(key) if key.kind != KeyEventKind::Release => AppMessage::Key(key),
            Input::Mouse(mouse) => AppMessage::Mouse(mouse),
            Input::Paste(text) => AppMessage::Paste(text),
            Input::Resize(columns, rows) => AppMessage::Resize { columns, rows },
            Input::Key(_) | Input::FocusGained | Input::FocusLost => return Vec::new(),
        };
        self.pacer.want(RedrawCause::Input);
        let now_us = self.now_us();
        // What a key moves through must be as it will be drawn.
        self.app.prepare(now_us);
        self.app.update(msg, now_us)
    }

    fn ended_by(&mut self, kind: SignalKind) -> DashboardEnd {
        for command in [UiCommand::Kill, UiCommand::Leave] {
            // Without a receiver the run is already over.
            let _ = self.commands.send(command);
        }
        DashboardEnd::Signal(kind.as_raw_value())
    }

    async fn perform(
        &mut self,
        effect: AppEffect,
        keys: &mut EventStream,
    ) -> Result<LoopControl, DashboardError> {
        match effect {
            AppEffect::Send(command) => {
                // Without a receiver the run is already over.
                let _ = self.commands.send(command);
            }
            AppEffect::Close => return Ok(LoopControl::End(DashboardEnd::Closed)),
            AppEffect::Suspend => self.suspend(keys).await?,
            AppEffect::Run(external) => match external::prepare(&external, &self.app) {
                Ok(prepared) => self.run_external(prepared, keys).await?,
                Err(error) => self.show_status(error),
            },
            AppEffect::Copy(text) => {
                // OSC 52: the terminal has the clipboard, on whatever machine this program runs.
                let encoded = BASE64.encode(text.as_bytes());
                self.write_aside(format!("\x1b]52;c;{encoded}\x1b\\").as_bytes())
                    .await?;
            }
            AppEffect::Repaint => self.screen.forget(),
            AppEffect::Mouse(MouseCapture::Taken) => self.write_aside(terminal::mouse_on()).await?,
            AppEffect::Mouse(MouseCapture::Given) => {
                self.write_aside(terminal::mouse_off()).await?
            }
            AppEffect::Step => {
                if let Some(step) = &self.step {
                    // A recording at its end takes no more steps.
                    let _ = step.send(());
                }
            }
        }
        Ok(LoopControl::Go)
    }

    /// Writes something that is not part of a frame, between two frames.
    async fn write_aside(&mut self, bytes: &[u8]) -> Result<(), DashboardError> {
        if self.writer.is_busy() {
            self.writer
                .finished()
                .await
                .map_err(DashboardError::Write)?;
        }
        self.writer.write(bytes.to_vec());
        Ok(())
    }

    fn show_status(&mut self, text: String) {
        let now_us = self.now_us();
        self.app.update(AppMessage::Remark(text), now_us);
        self.pacer.want(RedrawCause::Input);
    }

    async fn suspend(&mut self, keys: &mut EventStream) -> Result<(), DashboardError> {
        // Without a receiver the run is already over.
        let _ = self.commands.send(UiCommand::Suspend);
        self.await_suspended().await;
        self.release_terminal(keys).await;
        let stopped = Instant::now();
        let result = terminal::stop_job().await;
        let for_us = stopped.elapsed().as_micros() as u64;
        let _ = self.commands.send(UiCommand::Continue);
        let now_us = self.now_us();
        // The tests stood still as well, so the run's clock does not count this time.
        self.app.update(AppMessage::Stopped { for_us }, now_us);
        self.reacquire_terminal()?;
        if let Err(error) = result {
            self.show_status(format!("the program cannot be stopped: {error}"));
        }
        Ok(())
    }

    /// Waits until the tests stand still, so that they do not run on while nobody watches.
    async fn await_suspended(&mut self) {
        // One deadline for all events: a run that tells of other things must not put it off.
        let deadline = tokio::time::Instant::now() + SUSPEND_WAIT;
        if !self.app.live().is_active() {
            return;
        }
        while let Ok(Some(event)) = tokio::time::timeout_at(deadline, self.events.recv()).await {
            let is_answer = event.kind == EventKind::Run(RunEvent::Suspended);
            self.backlog.push_back(event);
            self.take_while_away();
            if is_answer {
                return;
            }
        }
    }

    /// Lets another program have the terminal. The run's events are taken in meanwhile.
    async fn run_external(
        &mut self,
        mut prepared: PreparedProgram,
        keys: &mut EventStream,
    ) -> Result<(), DashboardError> {
        self.release_terminal(keys).await;
        let lent = terminal::hand_off();
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
                            self.take_while_away();
                        }
                    }
                }
            }
            Err(error) => Err(error),
        };
        drop(lent);
        self.reacquire_terminal()?;
        if let Err(error) = result {
            self.show_status(format!("cannot run {}: {error}", prepared.name));
        }
        Ok(())
    }

    async fn release_terminal(&mut self, keys: &mut EventStream) {
        self.writer.finish_write().await;
        // The old stream's thread must not read what is meant for somebody else. Its end leaves a
        // wake-up behind; found together with a key later, it would hide that key until the next.
        *keys = EventStream::new();
        let _ = crossterm::event::poll(Duration::ZERO);
        drop(self.terminal.take());
    }

    fn reacquire_terminal(&mut self) -> Result<(), DashboardError> {
        self.terminal = Some(TerminalGuard::enter().map_err(DashboardError::Enter)?);
        if let Ok((columns, rows)) = crossterm::terminal::size() {
            let now_us = self.now_us();
            self.app
                .update(AppMessage::Resize { columns, rows }, now_us);
        }
        self.screen.forget();
        self.pacer.want(RedrawCause::Input);
        Ok(())
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
