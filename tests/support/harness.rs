//! A dashboard without a terminal: events and keys in, a screen as text out.

#![allow(dead_code)] // Each user of this file uses a part of it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use maelstrom_model::event::{Event, UiCommand};
use maelstrom_ui::dashboard::app::{
    App, AppEffect, AppMessage, AppOptions, EventSource, OnFinish, PlaybackState,
};
use maelstrom_ui::dashboard::settings::{DashboardSettings, ThemeChoice};
use maelstrom_ui::dashboard::theme::{ColorChoice, GlyphSet};
use maelstrom_ui::dashboard::view::view;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;

/// See the module's documentation.
pub struct Harness {
    pub app: App,
    pub terminal: Terminal<TestBackend>,
    pub now_us: u64,
    /// What keys asked for, in order.
    pub effects: Vec<AppEffect>,
}

impl Harness {
    pub fn new(columns: u16, rows: u16) -> Self {
        Harness::with(columns, rows, ColorChoice::Color, GlyphSet::Unicode)
    }

    pub fn with(columns: u16, rows: u16, color: ColorChoice, glyphs: GlyphSet) -> Self {
        let app = App::new(AppOptions {
            settings: DashboardSettings::standard(&ThemeChoice::dark(color))
                .expect("the built-in themes are right"),
            glyphs,
            source: EventSource::Live,
            playback: PlaybackState::Going,
            on_finish: OnFinish::Auto,
            columns,
            rows,
        });
        let backend = TestBackend::new(columns, rows);
        Harness {
            app,
            terminal: Terminal::new(backend).expect("a test backend never fails"),
            now_us: 0,
            effects: Vec::new(),
        }
    }

    /// Takes events in, each at its own moment.
    pub fn feed(&mut self, events: impl IntoIterator<Item = Event>) {
        for event in events {
            self.now_us = self.now_us.max(event.at_us);
            let effects = self
                .app
                .update(AppMessage::Event(Box::new(event)), self.now_us);
            self.effects.extend(effects);
        }
        self.app.prepare(self.now_us);
    }

    /// Presses keys, each a character.
    pub fn keys(&mut self, keys: &str) {
        for key in keys.chars() {
            self.key(KeyCode::Char(key), KeyModifiers::NONE);
        }
    }

    pub fn enter(&mut self) {
        self.key(KeyCode::Enter, KeyModifiers::NONE);
    }

    pub fn esc(&mut self) {
        self.key(KeyCode::Esc, KeyModifiers::NONE);
    }

    pub fn tab(&mut self) {
        self.key(KeyCode::Tab, KeyModifiers::NONE);
    }

    pub fn control(&mut self, key: char) {
        self.key(KeyCode::Char(key), KeyModifiers::CONTROL);
    }

    pub fn key(&mut self, code: KeyCode, modifiers: KeyModifiers) {
        self.app.prepare(self.now_us);
        let msg = AppMessage::Key(KeyEvent::new(code, modifiers));
        let effects = self.app.update(msg, self.now_us);
        self.effects.extend(effects);
        self.app.prepare(self.now_us);
    }

    /// Clicks on a place of the screen.
    pub fn click(&mut self, column: u16, row: u16) {
        let event = MouseEvent {
            kind: MouseEventKind::Down(MouseButton::Left),
            column,
            row,
            modifiers: KeyModifiers::NONE,
        };
        let effects = self.app.update(AppMessage::Mouse(event), self.now_us);
        self.effects.extend(effects);
        self.app.prepare(self.now_us);
    }

    /// What was asked of the run since this was last looked at.
    pub fn commands(&mut self) -> Vec<UiCommand> {
        let effects = std::mem::take(&mut self.effects);
        let commands = effects.into_iter().filter_map(|effect| match effect {
            AppEffect::Send(command) => Some(command),
            _ => None,
        });
        commands.collect()
    }

    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.terminal.backend_mut().resize(columns, rows);
        let effects = self
            .app
            .update(AppMessage::Resize { columns, rows }, self.now_us);
        self.effects.extend(effects);
        self.app.prepare(self.now_us);
    }

    /// Draws, and gives the cells.
    pub fn draw(&mut self) -> Buffer {
        self.app.prepare(self.now_us);
        let (app, now_us) = (&self.app, self.now_us);
        self.terminal
            .draw(|frame| view(app, frame, now_us))
            .expect("a test backend never fails");
        self.terminal.backend().buffer().clone()
    }

    /// Draws, and gives the text: a line for each row, without what is blank at its end.
    pub fn screen(&mut self) -> String {
        text(&self.draw())
    }

    /// The only line of the screen that has all of `parts`.
    pub fn line(&mut self, parts: &[&str]) -> String {
        let screen = self.screen();
        let mut found = screen
            .lines()
            .filter(|line| parts.iter().all(|part| line.contains(part)));
        match (found.next(), found.next()) {
            (Some(line), None) => line.to_owned(),
            (None, _) => panic!("no line has {parts:?}:\n{screen}"),
            (Some(_), Some(_)) => panic!("several lines have {parts:?}:\n{screen}"),
        }
    }

    /// The text of the row that is drawn as selected in the pane with the focus.
    pub fn selected(&mut self) -> String {
        let buffer = self.draw();
        let style = self
            .app
            .style(maelstrom_ui::dashboard::theme::StyleRole::Selected);
        let mut rows = (0..buffer.area.height).map(|y| {
            let cells = (0..buffer.area.width).filter_map(|x| buffer.cell((x, y)));
            let selected = cells.filter(|cell| {
                cell.bg == style.bg.unwrap_or(cell.bg)
                    && cell.modifier.contains(style.add_modifier)
                    && (style.bg.is_some() || !style.add_modifier.is_empty())
            });
            selected.map(|cell| cell.symbol()).collect::<String>()
        });
        let row = rows
            .find(|row| row.chars().count() > 20)
            .unwrap_or_default();
        row.trim().to_owned()
    }
}

/// The text of a screen.
pub fn text(buffer: &Buffer) -> String {
    let mut text = String::new();
    for y in 0..buffer.area.height {
        let mut line = String::new();
        let mut x = 0;
        while x < buffer.area.width {
            let symbol = buffer.cell((x, y)).map_or(" ", |cell| cell.symbol());
            line.push_str(symbol);
            x += unicode_width::UnicodeWidthStr::width(symbol).max(1) as u16;
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The processor time that this thread takes for something, the least of several tries: what the
/// machine does besides is not counted.
pub fn cpu_us(tries: usize, mut work: impl FnMut()) -> u64 {
    let now_us = || {
        let clock = nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID;
        let time = clock.now().expect("Linux has this clock");
        time.tv_sec() as u64 * 1_000_000 + time.tv_nsec() as u64 / 1000
    };
    let measure = |_| {
        let before = now_us();
        work();
        now_us() - before
    };
    (0..tries).map(measure).min().unwrap_or(u64::MAX)
}
