//! The event loop of the dashboard.
//!
//! Keys, signals, events of the run, the end of terminal writes, and timers arrive in a single
//! `select!`. After each of them, a frame is drawn if one is due and the terminal is ready. Events
//! are handled promptly whatever the state of the terminal, so a slow terminal never delays a test.

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
use crate::terminal_features::TerminalFeatureSet;
use maelstrom_model::event::channel::EventReceiver;
use maelstrom_model::event::{Event, EventKind, RunEvent, UiCommand};

use super::app::{
    App, AppEffect, AppMessage, AppOptions, EventSource, MouseCapture, OnFinish, PlaybackState,
};
use super::external::{self, PreparedProgram};
use super::frame_rate::{FrameRateLimiter, RedrawCause};
use super::screen::ScreenRenderer;
use super::settings::DashboardSettings;
use super::terminal_title::DashboardStatus;
use super::theme::GlyphSet;
use super::writer::TerminalWriter;

/// The maximum number of events received at a time.
const EVENTS_BATCH: usize = 2_048;
/// The maximum time for applying events before the loop checks for keys and signals. A single event
/// may contain ten thousand tests.
const TAKE_MAX: Duration = Duration::from_millis(8);
/// The maximum wait for the run to confirm that it is suspended.
const SUSPEND_WAIT: Duration = Duration::from_millis(500);

/// The options of a dashboard.
#[derive(Clone, Debug)]
pub struct DashboardOptions {
    pub settings: DashboardSettings,
    /// The characters that the terminal can display.
    pub glyphs: GlyphSet,
    /// What to do at the end of the run.
    pub on_finish: OnFinish,
    /// The source of the events.
    pub source: EventSource,
    /// Whether a recording starts to play immediately.
    pub playback: PlaybackState,
    /// Where to request the next event of a recording.
    pub step: Option<UnboundedSender<()>>,
    /// What the terminal shows beside the dashboard.
    pub terminal: TerminalFeatureSet,
}

/// Why the dashboard closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DashboardEnd {
    /// The run has finished, or the user quit.
    Closed,
    /// A termination signal arrived, with this number.
    Signal(i32),
}

/// The result of a dashboard that has closed.
#[derive(Debug)]
pub struct DashboardOutcome {
    pub end: DashboardEnd,
    /// The state of the run when the dashboard closed.
    pub model: RunModel,
    pub logs: LogStore,
}

/// Errors that prevent or end the dashboard.
#[derive(Debug, thiserror::Error)]
pub enum DashboardError {
    /// The terminal can't be set up for the dashboard.
    #[error("cannot take the terminal: {0}")]
    Enter(#[source] io::Error),
    /// The runtime, the writer thread or the signal handlers can't be set up.
    #[error("cannot start the dashboard: {0}")]
    Start(#[source] io::Error),
    /// The terminal can't be written to, or its input can't be read.
    #[error("cannot write to the terminal: {0}")]
    Write(#[source] io::Error),
}

/// Shows the dashboard until it closes by itself or the user quits. Blocks, so call it on a
/// different thread than the one that runs the tests.
pub fn run(
    events: EventReceiver,
    commands: UnboundedSender<UiCommand>,
    options: DashboardOptions,
) -> Result<DashboardOutcome, DashboardError> {
    // The theme handles NO_COLOR. If crossterm handled it, bold and reverse would be lost as well.
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
            status: DashboardStatus::new(options.terminal),
            signals: TerminationSignals::new().map_err(DashboardError::Start)?,
            started: Instant::now(),
        };
        looper.pacer.want(RedrawCause::Input);
        let end = looper.run().await?;
        // A pending frame would otherwise be written to the main screen after the dashboard has
        // closed.
        looper.writer.finish_write().await;
        let announced = looper.status.update(looper.app.live());
        if !announced.is_empty() {
            looper.writer.write(announced);
            looper.writer.finish_write().await;
        }
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
    /// Events that were received but not applied yet.
    backlog: VecDeque<Event>,
    /// Effects that were not carried out yet, in order.
    deferred: VecDeque<AppEffect>,
    commands: UnboundedSender<UiCommand>,
    step: Option<UnboundedSender<()>>,
    status: DashboardStatus,
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

/// Whether the loop continues.
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
                // Biased, so that the end of the dashboard and user input take precedence over
                // events, of which there may always be more.
                biased;
                _ = self.signals.terminate.recv() => return Ok(self.ended_by(SignalKind::terminate())),
                _ = self.signals.hang_up.recv() => return Ok(self.ended_by(SignalKind::hangup())),
                // The run handles this signal as well, and its events report the consequences.
                _ = self.signals.interrupt.recv() => match self.app.source() {
                    EventSource::Live => Vec::new(),
                    EventSource::Recording => return Ok(DashboardEnd::Closed),
                },
                input = keys.next() => match input {
                    Some(Ok(input)) => self.input(input),
                    Some(Err(error)) => return Err(DashboardError::Write(error)),
                    // The input has ended, so the terminal is gone.
                    None => return Ok(self.ended_by(SignalKind::hangup())),
                },
                written = self.writer.finished() => {
                    written.map_err(DashboardError::Write)?;
                    Vec::new()
                }
                () = std::future::ready(()), if !self.backlog.is_empty() => {
                    // Yield, so that keys and signals are checked between two batches of events.
                    tokio::task::yield_now().await;
                    self.take(TAKE_MAX)
                }
                count = self.events.recv_many(&mut received, EVENTS_BATCH), if events_open => {
                    if count == 0 {
                        events_open = false;
                        let is_over = matches!(self.app.live().phase, RunPhase::Finished { .. });
                        // A live run whose events end without `Finished` has nothing more to show.
                        // A recording may be of a run that was killed, which is worth looking at.
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

    /// Returns when to wake up if no other event arrives.
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
        let mut bytes = frame.map_err(DashboardError::Write)?.unwrap_or_default();
        bytes.extend(self.status.update(self.app.live()));
        if !bytes.is_empty() {
            self.writer.write(bytes);
        }
        self.pacer.drawn(now_us);
        Ok(())
    }

    /// Applies received events in order until `time_max` has passed.
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

    /// Applies all received events while another program has the terminal. Commands are sent to the
    /// run immediately; effects that need the terminal, or close the dashboard, are deferred.
    fn take_while_away(&mut self) {
        for effect in self.take(Duration::MAX) {
            match effect {
                // Sending fails only if the run has finished.
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
        // Prepare first, because keys move through the rows as they will be drawn.
        self.app.prepare(now_us);
        self.app.update(msg, now_us)
    }

    fn ended_by(&mut self, kind: SignalKind) -> DashboardEnd {
        for command in [UiCommand::Kill, UiCommand::Leave] {
            // Sending fails only if the run has finished.
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
                // Sending fails only if the run has finished.
                let _ = self.commands.send(command);
            }
            AppEffect::Close => return Ok(LoopControl::End(DashboardEnd::Closed)),
            AppEffect::Suspend => self.suspend(keys).await?,
            AppEffect::Run(external) => match external::prepare(&external, &self.app) {
                Ok(prepared) => self.run_external(prepared, keys).await?,
                Err(error) => self.show_status(error),
            },
            AppEffect::Copy(text) => {
                // OSC 52 sets the clipboard of the terminal, whatever machine this program runs on.
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
                    // Sending fails only at the end of the recording.
                    let _ = step.send(());
                }
            }
        }
        Ok(LoopControl::Go)
    }

    /// Writes bytes that are not part of a frame, between two frames.
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
        // Sending fails only if the run has finished.
        let _ = self.commands.send(UiCommand::Suspend);
        self.await_suspended().await;
        self.release_terminal(keys).await;
        let stopped = Instant::now();
        let result = terminal::stop_job().await;
        let for_us = stopped.elapsed().as_micros() as u64;
        let _ = self.commands.send(UiCommand::Continue);
        let now_us = self.now_us();
        // The tests were suspended too, so this time doesn't count for the run.
        self.app.update(AppMessage::Stopped { for_us }, now_us);
        self.reacquire_terminal()?;
        if let Err(error) = result {
            self.show_status(format!("the program cannot be stopped: {error}"));
        }
        Ok(())
    }

    /// Waits until the tests are suspended, so that they don't continue unattended.
    async fn await_suspended(&mut self) {
        // A single deadline for all events, so that unrelated events don't extend the wait.
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

    /// Runs another program in the terminal. Events of the run are applied meanwhile.
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
                        // The signal goes to the whole process group; the other program handles it.
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
        // The thread of the old stream must not read input for the other program. When it ends, it
        // leaves a wake-up behind. If crossterm found this together with a later key, it would hide
        // that key until the next one, so consume it here.
        *keys = EventStream::new();
        let _ = crossterm::event::poll(Duration::ZERO);
        drop(self.terminal.take());
        self.status.forget();
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
