//! The cluster's status as a live full-screen view.
//!
//! [`ClusterStatusView`] holds the content of the view and draws it without a terminal. If the
//! broker disconnects, the view keeps the last status, adds a line that says so, and reconnects.
//! The terminal is restored on every exit path.

use std::io;
use std::time::Duration;

use crossterm::event::{Event, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use futures_util::StreamExt;
use miette::Diagnostic;
use ratatui::Frame;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{LineGauge, Paragraph};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::client::AdminClient;
use super::text;
use crate::program::failure::ProgramFailure;
use maelstrom_model::error::ProgramError;
use maelstrom_model::exit_code;
use maelstrom_ui::terminal::TerminalGuard;
use maelstrom_wire::v1::{Cluster, StatusRequest};

/// The time between two attempts to reach a broker that has disconnected.
const PAUSE: Duration = Duration::from_secs(1);

/// The error of `--watch` without a terminal. The field names the standard stream.
#[derive(Debug, Diagnostic, thiserror::Error)]
#[error("`--watch` needs a terminal, and standard {0} is none")]
#[diagnostic(help("leave `--watch` out, or take `--json`"))]
struct WatchTerminalError(&'static str);

impl ProgramError for WatchTerminalError {
    fn exit_code(&self) -> u8 {
        exit_code::USAGE
    }
}

/// A new status, or the reason why the connection was lost.
type ClusterUpdate = Result<Cluster, String>;

/// Shows the cluster until the user leaves the view.
pub(super) async fn run(mut broker: AdminClient) -> Result<u8, ProgramFailure> {
    for (is_there, name) in [
        (io::IsTerminal::is_terminal(&io::stdin()), "input"),
        (io::IsTerminal::is_terminal(&io::stdout()), "output"),
    ] {
        if !is_there {
            return Err(WatchTerminalError(name).into());
        }
    }
    // An error of the first request is printed as an ordinary message, before the terminal is
    // taken.
    let first = broker.operator.status(StatusRequest {}).await;
    let first = first.map_err(|status| broker.failure(&status))?;
    let mut view = ClusterStatusView::new(broker.address.to_string(), first.into_inner());
    // A capacity of one: behind a slow terminal the stream waits, instead of piling up updates that
    // are outdated before they are drawn.
    let (sender, heard) = channel(1);
    let listening = tokio::spawn(listen(broker, sender));
    let shown = show(&mut view, heard).await;
    listening.abort();
    shown.map_err(|error| ProgramFailure::terminal_gone(&error))
}

async fn listen(mut broker: AdminClient, sender: Sender<ClusterUpdate>) {
    loop {
        let lost = match broker.operator.watch(StatusRequest {}).await {
            Err(status) => status.message().to_owned(),
            Ok(stream) => {
                let mut stream = stream.into_inner();
                loop {
                    match stream.message().await {
                        Ok(Some(cluster)) => {
                            if sender.send(Ok(cluster)).await.is_err() {
                                return;
                            }
                        }
                        Ok(None) => break "it has ended".to_owned(),
                        Err(status) => break status.message().to_owned(),
                    }
                }
            }
        };
        if sender.send(Err(lost)).await.is_err() {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn show(view: &mut ClusterStatusView, mut heard: Receiver<ClusterUpdate>) -> io::Result<u8> {
    // Registered before the terminal is taken: the default action of a signal would end the process
    // and leave the terminal in raw mode.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let _taken = TerminalGuard::enter()?;
    let mut screen = ratatui::Terminal::new(CrosstermBackend::new(io::stdout()))?;
    let mut keys = EventStream::new();
    loop {
        screen.draw(|frame| view.draw(frame))?;
        tokio::select! {
            _ = terminate.recv() => return Ok(exit_code::INTERRUPTED),
            _ = hang_up.recv() => return Ok(exit_code::INTERRUPTED),
            news = heard.recv() => match news {
                Some(news) => view.on_update(news),
                None => return Ok(exit_code::SUCCESS),
            },
            input = keys.next() => match input {
                Some(Ok(Event::Key(key))) => if let WatchControlFlow::Leave = view.key(key) {
                    return Ok(exit_code::SUCCESS);
                },
                // Such as a resize: the next iteration draws the view.
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => return Ok(exit_code::INTERRUPTED),
            },
        }
    }
}

/// Whether the view stays open after a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WatchControlFlow {
    Stay,
    Leave,
}

/// The content and scroll position of the view.
struct ClusterStatusView {
    address: String,
    cluster: Cluster,
    /// The reason why the connection is lost; `None` while connected.
    lost: Option<String>,
    /// The first visible line of the lists.
    top: u16,
}

impl ClusterStatusView {
    fn new(address: String, cluster: Cluster) -> ClusterStatusView {
        ClusterStatusView {
            address,
            cluster,
            lost: None,
            top: 0,
        }
    }

    fn on_update(&mut self, heard: ClusterUpdate) {
        match heard {
            Ok(cluster) => {
                self.cluster = cluster;
                self.lost = None;
            }
            Err(message) => self.lost = Some(message),
        }
    }

    fn key(&mut self, key: KeyEvent) -> WatchControlFlow {
        if key.kind == KeyEventKind::Release {
            return WatchControlFlow::Stay;
        }
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return WatchControlFlow::Leave,
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                return WatchControlFlow::Leave;
            }
            KeyCode::Down | KeyCode::Char('j') => self.scroll(1),
            KeyCode::Up | KeyCode::Char('k') => self.scroll(-1),
            KeyCode::PageDown => self.scroll(10),
            KeyCode::PageUp => self.scroll(-10),
            _ => {}
        }
        WatchControlFlow::Stay
    }

    fn scroll(&mut self, lines: i16) {
        let last = self.lists().len().saturating_sub(1);
        let last = u16::try_from(last).unwrap_or(u16::MAX);
        self.top = self.top.saturating_add_signed(lines).min(last);
    }

    fn lists(&self) -> Vec<Line<'static>> {
        let heading = Style::new().add_modifier(Modifier::BOLD);
        let list = |lines: Vec<String>| {
            let styled = lines.into_iter().enumerate();
            styled.map(move |(index, line)| match index {
                0 => Line::styled(line, heading),
                _ => Line::raw(line),
            })
        };
        list(text::workers(&self.cluster))
            .chain([Line::raw("")])
            .chain(list(text::clients(&self.cluster)))
            .collect()
    }

    fn draw(&self, frame: &mut Frame<'_>) {
        let summary = text::summary(&self.cluster);
        let height = u16::try_from(summary.len()).unwrap_or(u16::MAX);
        let [title, figures, gauge, _, lists, footer] = Layout::vertical([
            Constraint::Length(1),
            Constraint::Length(height),
            Constraint::Length(1),
            Constraint::Length(1),
            Constraint::Min(0),
            Constraint::Length(1),
        ])
        .areas(frame.area());
        let bold = Style::new().add_modifier(Modifier::BOLD);
        let heading = format!("The cluster of {}", self.address);
        frame.render_widget(Line::styled(heading, bold), title);
        let lines: Vec<Line<'_>> = summary.into_iter().map(Line::raw).collect();
        frame.render_widget(Paragraph::new(lines), figures);
        let busy: u64 = self
            .cluster
            .workers
            .iter()
            .map(|it| u64::from(it.busy))
            .sum();
        let ratio = match self.cluster.slots {
            0 => 0.0,
            slots => (busy as f64 / slots as f64).min(1.0),
        };
        let used = LineGauge::default()
            .ratio(ratio)
            .label(format!("In use: {:3.0} %", ratio * 100.0))
            .filled_style(Style::new().fg(Color::Green));
        frame.render_widget(used, gauge);
        let scrolled = Paragraph::new(self.lists()).scroll((self.top, 0));
        frame.render_widget(scrolled, lists);
        let last = match &self.lost {
            Some(why) => Line::styled(
                format!("no connection: {}; trying again", text::clean(why)),
                Style::new().fg(Color::Red),
            ),
            None => Line::styled(
                "q leaves  up and down scroll",
                Style::new().add_modifier(Modifier::DIM),
            ),
        };
        frame.render_widget(last, footer);
    }
}

#[cfg(test)]
mod tests {
    use ratatui::backend::TestBackend;

    use super::super::text::tests::cluster;
    use super::*;

    fn shown(view: &ClusterStatusView) -> String {
        let mut screen = ratatui::Terminal::new(TestBackend::new(90, 17)).unwrap();
        screen.draw(|frame| view.draw(frame)).unwrap();
        screen.backend().to_string()
    }

    #[test]
    fn a_cluster_fills_the_screen() {
        let view = ClusterStatusView::new("build.example:4000".to_owned(), cluster());
        insta::assert_snapshot!(shown(&view));
    }

    #[test]
    fn what_was_heard_last_stays_while_nothing_is_heard() {
        let mut view = ClusterStatusView::new("build.example:4000".to_owned(), cluster());
        view.on_update(Err("transport\u{1b}[2J error".to_owned()));
        let lost = shown(&view);
        assert!(lost.contains("no connection: transport\u{fffd}[2J error"));
        assert!(lost.contains("build-1"));
        view.on_update(Ok(Cluster::default()));
        assert!(shown(&view).contains("q leaves"));
    }

    #[test]
    fn keys_scroll_and_leave() {
        let mut view = ClusterStatusView::new("build.example:4000".to_owned(), cluster());
        let press = |code| KeyEvent::new(code, KeyModifiers::NONE);
        assert_eq!(view.key(press(KeyCode::Down)), WatchControlFlow::Stay);
        let scrolled = shown(&view);
        assert!(!scrolled.contains("WORKER") && scrolled.contains("CLIENT"));
        view.key(press(KeyCode::PageUp));
        assert!(shown(&view).contains("WORKER"));
        assert_eq!(view.key(press(KeyCode::Char('c'))), WatchControlFlow::Stay);
        let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(view.key(interrupt), WatchControlFlow::Leave);
        assert_eq!(view.key(press(KeyCode::Char('q'))), WatchControlFlow::Leave);
    }
}
