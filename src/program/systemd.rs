//! Notifies systemd, if the service has `Type=notify`: that it is ready, that it is stopping and,
//! if the unit has a watchdog, that it is alive.
//!
//! Without systemd nothing is sent. Nothing depends on a notification.

use std::convert::Infallible;
use std::time::Duration;

use sd_notify::NotifyState;

/// It is up.
pub fn ready() {
    notify(NotifyState::Ready);
}

/// It is about to end.
pub fn stopping() {
    notify(NotifyState::Stopping);
}

/// Tells for ever that the program answers, as long as `answers` comes back with yes.
pub async fn watchdog(answers: impl AsyncFn() -> WatchdogStatus) -> Infallible {
    let Some(period) = sd_notify::watchdog_enabled() else {
        return std::future::pending().await;
    };
    // Twice in a period, as sd_watchdog_enabled(3) advises; an interval of nothing panics.
    let mut ticks = tokio::time::interval((period / 2).max(Duration::from_millis(1)));
    loop {
        ticks.tick().await;
        match answers().await {
            WatchdogStatus::Given => notify(NotifyState::Watchdog),
            WatchdogStatus::Missing => {}
        }
    }
}

/// Whether what makes up the program answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchdogStatus {
    Given,
    Missing,
}

fn notify(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "systemd cannot be told how this program does");
    }
}
