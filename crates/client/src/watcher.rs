//! Follows a resource for ever: lists it, watches from there, resumes, and lists again when history is gone.
//! It keeps no objects. Whoever does must, at [`Followed::Complete`], drop what was not seen since
//! [`Followed::Restarted`].
//! Invariant: every state that an object had for long enough is either handed out or replaced by a later one;
//! the last state always arrives.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::api::Api;
use crate::error::Error;
use crate::options::{ListOptions, WatchOptions};
use crate::resource::Versioned;
use crate::watch::{WatchEvent, WatchStream};

/// First wait after a failure; each further one doubles it.
const BACK_OFF_FIRST: Duration = Duration::from_millis(50);
/// Longest wait after failures.
const BACK_OFF_MAX: Duration = Duration::from_secs(30);
/// A watch that is this much overdue is taken for broken.
const OVERDUE: Duration = Duration::from_secs(30);

/// What to follow.
#[derive(Clone, Debug)]
pub struct WatcherOptions {
    /// A label selector.
    pub label_selector: Option<String>,
    /// A field selector.
    pub field_selector: Option<String>,
    /// Objects in one page of the first listing.
    pub page: usize,
    /// How long one watch lasts before it is renewed, in seconds.
    pub watch_seconds: u32,
}

impl Default for WatcherOptions {
    fn default() -> Self {
        Self { label_selector: None, field_selector: None, page: 500, watch_seconds: 300 }
    }
}

/// What a [`Watcher`] has to tell.
#[derive(Clone, Debug, PartialEq)]
pub enum Followed<K> {
    /// The listing begins (again).
    Restarted,
    /// The object exists.
    Existing(K),
    /// The listing is complete.
    Complete,
    /// The object was created, or entered the selection.
    Created(K),
    /// The object was changed.
    Changed(K),
    /// The object was removed, or left the selection.
    Gone(K),
}

enum State<K> {
    Start,
    Listing { items: VecDeque<K>, next: Option<String>, snapshot: String },
    Watching { after: String, stream: Option<Open<K>> },
}

struct Open<K> {
    stream: WatchStream<K>,
    until: Instant,
    /// Whether it has said anything: one that ends without a word is a failure.
    spoke: bool,
}

/// Follows one resource.
pub struct Watcher<K> {
    api: Api<K>,
    options: WatcherOptions,
    state: State<K>,
    failures: u32,
    not_before: Option<Instant>,
}

impl<K: Versioned> Watcher<K> {
    /// Follows what `api` lists.
    #[must_use]
    pub fn new(api: Api<K>, options: WatcherOptions) -> Self {
        Self { api, options, state: State::Start, failures: 0, not_before: None }
    }

    /// The next thing that happened. It waits as long as nothing does, and may be dropped while it waits.
    ///
    /// # Errors
    /// Any [`Error`], to be logged: the next call waits a while, longer with each failure, and goes on.
    pub async fn next(&mut self) -> Result<Followed<K>, Error> {
        loop {
            if let Some(until) = self.not_before {
                tokio::time::sleep_until(until).await;
                self.not_before = None;
            }
            match self.step().await {
                Ok(Some(followed)) => {
                    self.failures = 0;
                    return Ok(followed);
                }
                Ok(None) => {}
                Err(error) => {
                    if matches!(error, Error::Expired(_)) {
                        self.state = State::Start;
                    } else {
                        self.back_off();
                    }
                    return Err(error);
                }
            }
        }
    }

    /// One step of the machine; `None` when there is nothing to tell yet.
    async fn step(&mut self) -> Result<Option<Followed<K>>, Error> {
        match &mut self.state {
            State::Start => {
                let page = self.api.list(&first_page(&self.options)).await?;
                self.state = State::Listing {
                    items: page.items.into(),
                    next: page.continue_token,
                    snapshot: page.resource_version,
                };
                Ok(Some(Followed::Restarted))
            }
            State::Listing { items, next, snapshot } => {
                if let Some(item) = items.pop_front() {
                    return Ok(Some(Followed::Existing(item)));
                }
                if next.is_some() {
                    let options = ListOptions { continue_token: next.clone(), ..first_page(&self.options) };
                    let page = self.api.list(&options).await?;
                    *items = page.items.into();
                    *next = page.continue_token;
                    return Ok(None);
                }
                self.state = State::Watching { after: std::mem::take(snapshot), stream: None };
                Ok(Some(Followed::Complete))
            }
            State::Watching { after, stream: stream @ None } => {
                let seconds = self.options.watch_seconds;
                let opened = self.api.watch(&watch_after(&self.options, after)).await?;
                let until = Instant::now() + Duration::from_secs(u64::from(seconds)) + OVERDUE;
                *stream = Some(Open { stream: opened, until, spoke: false });
                Ok(None)
            }
            State::Watching { .. } => self.watched().await,
        }
    }

    async fn watched(&mut self) -> Result<Option<Followed<K>>, Error> {
        let State::Watching { after, stream } = &mut self.state else { return Ok(None) };
        let Some(open) = stream else { return Ok(None) };
        let event = match tokio::time::timeout_at(open.until, open.stream.next()).await {
            Ok(Some(Ok(event))) => event,
            Ok(Some(Err(error))) => {
                *stream = None;
                return Err(error);
            }
            Ok(None) | Err(_) => {
                let spoke = open.spoke;
                *stream = None;
                if !spoke {
                    self.back_off();
                }
                return Ok(None);
            }
        };
        open.spoke = true;
        let (version, followed) = match event {
            WatchEvent::Bookmark(bookmark) => (bookmark.resource_version, None),
            WatchEvent::Added(object) => {
                (object.resource_version().to_owned(), Some(Followed::Created(object)))
            }
            WatchEvent::Modified(object) => {
                (object.resource_version().to_owned(), Some(Followed::Changed(object)))
            }
            WatchEvent::Deleted(object) => {
                (object.resource_version().to_owned(), Some(Followed::Gone(object)))
            }
        };
        if !version.is_empty() {
            *after = version;
        }
        self.failures = 0;
        Ok(followed)
    }

    fn back_off(&mut self) {
        let wait = BACK_OFF_FIRST.saturating_mul(1 << self.failures.min(12)).min(BACK_OFF_MAX);
        self.failures = self.failures.saturating_add(1);
        // Between half and all of it, so that many clients do not come back at one moment.
        let jitter = wait.mul_f64(0.5 + fastrand::f64() / 2.0);
        self.not_before = Some(Instant::now() + jitter);
    }
}

fn first_page(options: &WatcherOptions) -> ListOptions {
    ListOptions {
        label_selector: options.label_selector.clone(),
        field_selector: options.field_selector.clone(),
        limit: options.page,
        ..ListOptions::default()
    }
}

fn watch_after(options: &WatcherOptions, after: &str) -> WatchOptions {
    WatchOptions {
        label_selector: options.label_selector.clone(),
        field_selector: options.field_selector.clone(),
        resource_version: Some(after.to_owned()),
        bookmarks: true,
        timeout_seconds: options.watch_seconds,
        send_initial_events: false,
    }
}
