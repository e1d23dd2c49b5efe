//! What happens when the machine allows no further container for now: the user's namespaces,
//! processes, keys or descriptors are used up.
//!
//! A job whose container can't be made waits until another container has ended, and tries again; its
//! slot waits with it. While a job waits, nobody keeps a container for later. Only when there is no
//! other container left whose end could help does the job fail, with the limit that was reached.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use nix::errno::Errno;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::container::slot::build::StepFailed;
use crate::engine::event::{Notice, Severity};

/// The pause before the first try after a container has ended: the kernel takes its namespaces
/// apart a moment after its last process.
const PAUSE_MIN: Duration = Duration::from_millis(5);

/// The longest pause between two tries. Others on this machine may free something as well, of which
/// nothing tells us.
const PAUSE_MAX: Duration = Duration::from_millis(250);

/// How long a job goes on trying when there is no other container.
const ALONE_MAX: Duration = Duration::from_secs(3);

/// Whether an error means that there is too much of something for now.
pub fn is_limit(errno: Errno) -> bool {
    match errno {
        // Namespaces and mounts; processes; keys; descriptors; memory; nested user namespaces.
        Errno::ENOSPC
        | Errno::EAGAIN
        | Errno::EDQUOT
        | Errno::EMFILE
        | Errno::ENFILE
        | Errno::ENOMEM
        | Errno::EUSERS => true,
        _ => false,
    }
}

/// The containers that there are, and the jobs that wait for one to end. Cloning it shares it.
#[derive(Clone, Default)]
pub struct Room(Rc<State>);

#[derive(Default)]
struct State {
    containers: Cell<usize>,
    waiting: Cell<usize>,
    told: Cell<bool>,
    freed: Notify,
}

/// Stands for a container. Dropping it lets a job try that waits.
pub struct Guest(Room);

impl Drop for Guest {
    fn drop(&mut self) {
        let Room(state) = &self.0;
        state
            .containers
            .set(state.containers.get().saturating_sub(1));
        state.freed.notify_one();
    }
}

impl Room {
    /// There is one more container.
    pub fn enter(&self) -> Guest {
        self.0.containers.set(self.0.containers.get() + 1);
        Guest(self.clone())
    }

    /// Whether a job waits for a container to end.
    pub fn is_wanted(&self) -> bool {
        self.0.waiting.get() > 0
    }

    /// Begins to wait.
    pub fn wait(&self) -> Wait {
        self.0.waiting.set(self.0.waiting.get() + 1);
        Wait {
            room: self.clone(),
            alone_since: None,
            pause: PAUSE_MIN,
        }
    }

    /// What the user is to know of it, the first time.
    pub fn notice(&self, failed: &StepFailed) -> Option<Notice> {
        let containers = self.0.containers.get();
        (!self.0.told.replace(true)).then(|| Notice {
            severity: Severity::Warning,
            text: format!(
                "this machine allows no more than {containers} containers at a time, for now \
                 (cannot {failed}): jobs wait until others have ended"
            ),
            help: Some(format!(
                "--slots {} starts no more; see /proc/sys/user, `ulimit -u` and kernel.keys.maxkeys",
                containers.max(1)
            )),
            in_summary: true,
        })
    }
}

/// A job that waits.
pub struct Wait {
    room: Room,
    alone_since: Option<Instant>,
    pause: Duration,
}

impl Wait {
    /// Waits until another try makes sense. Whether one does at all.
    pub async fn next_try(&mut self) -> bool {
        if !self.has_hope(Instant::now()) {
            return false;
        }
        tokio::select! {
            biased;
            () = self.room.0.freed.notified() => self.pause = PAUSE_MIN,
            () = sleep(self.pause) => self.pause = (self.pause * 2).min(PAUSE_MAX),
        }
        true
    }

    /// Whether there is a container that can end, or was until lately.
    fn has_hope(&mut self, now: Instant) -> bool {
        if self.room.0.containers.get() > 0 {
            self.alone_since = None;
            return true;
        }
        now - *self.alone_since.get_or_insert(now) <= ALONE_MAX
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let Room(state) = &self.room;
        state.waiting.set(state.waiting.get().saturating_sub(1));
        // It may have taken the wakening that another could use.
        state.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_waits_as_long_as_another_container_can_end() {
        let room = Room::default();
        let guest = room.enter();
        let mut wait = room.wait();
        assert!(room.is_wanted());
        let now = Instant::now();
        assert!(wait.has_hope(now) && wait.has_hope(now + ALONE_MAX * 9));
        drop(guest);
        let alone = now + ALONE_MAX * 10;
        assert!(wait.has_hope(alone) && wait.has_hope(alone + ALONE_MAX));
        assert!(!wait.has_hope(alone + ALONE_MAX * 2));
        let _guest = room.enter();
        assert!(wait.has_hope(alone + ALONE_MAX * 2));
        drop(wait);
        assert!(!room.is_wanted());
    }

    #[tokio::test]
    async fn the_end_of_a_container_is_worth_a_try() {
        let room = Room::default();
        let (one, _other) = (room.enter(), room.enter());
        let mut wait = room.wait();
        wait.pause = PAUSE_MAX;
        drop(one);
        assert!(wait.next_try().await);
        assert_eq!(wait.pause, PAUSE_MIN);
    }

    #[test]
    fn the_user_is_told_once() {
        let room = Room::default();
        let _guest = room.enter();
        let failed = StepFailed::new("create a container's namespaces", Errno::ENOSPC);
        let notice = room.notice(&failed).unwrap();
        insta::assert_snapshot!(notice.text, @"this machine allows no more than 1 containers at a time, for now (cannot create a container's namespaces: No space left on device (ENOSPC)): jobs wait until others have ended");
        assert!(room.notice(&failed).is_none());
    }
}
