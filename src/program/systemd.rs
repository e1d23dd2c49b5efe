//! Notifies systemd, if the service has `Type=notify`: that it is ready, that it is stopping and,
//! if the unit has a watchdog, that it is alive.
//!
//! Without systemd nothing is sent. Nothing depends on a notification.

use std::convert::Infallible;
use std::time::Duration;

use sd_notify::NotifyState;

/// Notifies systemd that the service is ready.
pub(super) fn ready() {
    notify(NotifyState::Ready);
}

/// Notifies systemd that the service is stopping.
pub(super) fn stopping() {
    notify(NotifyState::Stopping);
}

/// Notifies systemd's watchdog regularly, as long as `answers` returns [`WatchdogStatus::Given`].
/// Never returns.
pub(super) async fn watchdog(answers: impl AsyncFn() -> WatchdogStatus) -> Infallible {
    let Some(period) = sd_notify::watchdog_enabled() else {
        return std::future::pending().await;
    };
    // Twice per period, as sd_watchdog_enabled(3) advises. An interval of zero would panic.
    let mut ticks = tokio::time::interval((period / 2).max(Duration::from_millis(1)));
    loop {
        ticks.tick().await;
        match answers().await {
            WatchdogStatus::Given => notify(NotifyState::Watchdog),
            WatchdogStatus::Missing => {}
        }
    }
}

/// Whether the program is responsive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WatchdogStatus {
    Given,
    Missing,
}

fn notify(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "systemd cannot be told how this program does");
    }
}
