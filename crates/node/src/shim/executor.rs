//! The loop that all containers of a Pod live in: it waits for output, ends, requests and time limits at once.
//! What an end means is decided by its callers, [`super::steps`] and [`super::together`].
//! Invariant: nothing is polled at intervals; the loop sleeps until something happens or a time limit is reached.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::container::{Container, Ending, Ground};
use super::control::{Control, StopRequest};
use super::job::Job;
use super::journal::{End, Event, Journal};
use super::log::Log;

/// Why the Pod is being stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopCause {
    /// Somebody asked for it.
    Requested,
    /// `activeDeadlineSeconds` is over.
    Deadline,
}

/// The Pod is being stopped.
#[derive(Clone, Copy, Debug)]
struct Stopping {
    cause: StopCause,
    /// When what still runs is killed; `None` once that has happened.
    kill_at: Option<Instant>,
}

/// A container that runs.
struct Live {
    /// Which of the plan's.
    index: usize,
    container: Container,
    /// When its own time limit is reached.
    limit: Option<Instant>,
    timed_out: bool,
}

/// A container that has ended.
pub(crate) struct Ended {
    /// Which of the plan's.
    pub(crate) index: usize,
    /// Its id.
    pub(crate) id: String,
    /// How.
    pub(crate) ending: Ending,
    /// Its log, not ended yet.
    pub(crate) log: Log,
    /// Since when it ran.
    pub(crate) started_at: jiff::Timestamp,
    /// Whether its own time limit ended it.
    pub(crate) timed_out: bool,
}

/// The loop's state.
pub(crate) struct Executor<'a> {
    pub(crate) job: &'a Job,
    pub(crate) ground: Ground<'a>,
    pub(crate) journal: &'a mut Journal,
    control: Control,
    live: Vec<Live>,
    stopping: Option<Stopping>,
    deadline: Option<Instant>,
}

impl<'a> Executor<'a> {
    /// A loop without containers.
    pub(crate) fn new(job: &'a Job, ground: Ground<'a>, journal: &'a mut Journal, control: Control) -> Self {
        let limit = job.plan.active_deadline_seconds.map(Duration::from_secs);
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        Self { job, ground, journal, control, live: Vec::new(), stopping: None, deadline }
    }

    /// Why the Pod is being stopped, if it is.
    pub(crate) fn stopping(&self) -> Option<StopCause> {
        self.stopping.map(|stopping| stopping.cause)
    }

    /// How many containers run.
    pub(crate) fn running(&self) -> usize {
        self.live.len()
    }

    /// Takes a started container in, with its own time limit.
    pub(crate) fn add(
        &mut self,
        index: usize,
        container: Container,
        limit: Option<Duration>,
    ) -> io::Result<()> {
        let name = self.job.plan.containers[index].name.clone();
        self.journal.append(&Event::Started {
            container: name,
            id: container.id.clone(),
            at: container.started_at,
        })?;
        let limit = limit.and_then(|limit| container.started.checked_add(limit));
        self.live.push(Live { index, container, limit, timed_out: false });
        Ok(())
    }

    /// Notes how a container ended.
    pub(crate) fn note_end(&mut self, index: usize, end: End) -> io::Result<()> {
        let container = self.job.plan.containers[index].name.clone();
        self.journal.append(&Event::Ended { container, end })
    }

    /// Waits until something happens, at most until `until`, and returns containers that have ended.
    pub(crate) fn turn(&mut self, until: Option<Instant>) -> io::Result<Vec<Ended>> {
        self.wait(until)?;
        if let Some(request) = self.control.read() {
            self.stop(StopCause::Requested, request);
        }
        self.apply_limits();
        for live in &mut self.live {
            live.container.read_streams();
            if live.container.log.failure().is_some() {
                live.container.kill();
            }
        }
        Ok(self.collect())
    }

    /// Looks at requests without waiting.
    pub(crate) fn look(&mut self) {
        if let Some(request) = self.control.read() {
            self.stop(StopCause::Requested, request);
        }
        self.apply_limits();
    }

    fn wait(&self, until: Option<Instant>) -> io::Result<()> {
        let limits = self.live.iter().filter(|live| !live.timed_out).filter_map(|live| live.limit);
        let kill_at = self.stopping.and_then(|stopping| stopping.kill_at);
        let deadline = if self.stopping.is_some() { None } else { self.deadline };
        let next = limits.chain(kill_at).chain(deadline).chain(until).min();
        let timeout = next.map(|next| next.saturating_duration_since(Instant::now()));
        let fds: Vec<BorrowedFd<'_>> =
            self.live.iter().flat_map(|live| live.container.fds()).chain(self.control.fds()).collect();
        let mut polled: Vec<PollFd<'_>> = fds.iter().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
        let timeout = timeout.map(|timeout| Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: timeout.subsec_nanos().into(),
        });
        match poll(&mut polled, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn apply_limits(&mut self) {
        let now = Instant::now();
        if self.stopping.is_none() && self.deadline.is_some_and(|deadline| deadline <= now) {
            let grace_seconds = self.job.plan.grace_period_seconds;
            self.stop(StopCause::Deadline, StopRequest { grace_seconds });
        }
        if let Some(stopping) = &mut self.stopping
            && stopping.kill_at.is_some_and(|at| at <= now)
        {
            stopping.kill_at = None;
            self.live.iter().for_each(|live| live.container.kill());
        }
        for live in &mut self.live {
            if !live.timed_out && live.limit.is_some_and(|limit| limit <= now) {
                live.timed_out = true;
                live.container.kill();
            }
        }
    }

    /// Begins to stop the Pod, or hurries when that has begun.
    fn stop(&mut self, cause: StopCause, request: StopRequest) {
        let kill_at = Instant::now().checked_add(Duration::from_secs(request.grace_seconds));
        match &mut self.stopping {
            Some(stopping) => {
                stopping.kill_at = match (stopping.kill_at, kill_at) {
                    (Some(old), Some(new)) => Some(old.min(new)),
                    (old, _) => old,
                };
            }
            None => {
                self.stopping = Some(Stopping { cause, kill_at });
                if request.grace_seconds > 0 {
                    self.live.iter().for_each(|live| live.container.terminate());
                }
            }
        }
        if request.grace_seconds == 0 {
            self.live.iter().for_each(|live| live.container.kill());
        }
    }

    fn collect(&mut self) -> Vec<Ended> {
        let (ended, live): (Vec<Live>, Vec<Live>) =
            std::mem::take(&mut self.live).into_iter().partition(|live| live.container.has_ended());
        self.live = live;
        let finish = |Live { index, container, timed_out, .. }: Live| {
            let (id, started_at) = (container.id.clone(), container.started_at);
            let (ending, log) = container.finish();
            Ended { index, id, ending, log, started_at, timed_out }
        };
        ended.into_iter().map(finish).collect()
    }
}
