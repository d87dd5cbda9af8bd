//! The form of every decision: what must be looked up first, what to do, and the status that follows.
//! Nothing is carried out here; `controllers` does that, in order, status last, and decides again after a conflict.
//! Invariant: a plan leaves nothing to choose, and carrying it out twice is carrying it out once, because every
//! created object has a name that follows from its owner, and creating one that exists counts as done.
//! Start at [`Plan`]; the decisions are [`crate::task_run::decide`] and [`crate::pipeline_run::decide`].

use std::collections::BTreeMap;

use api::tekton::v1::TaskRun;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};

/// What is known of an object that a run refers to.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Lookup<T> {
    /// Nobody asked yet; if it matters, the plan says so in [`Plan::needs`].
    #[default]
    NotLookedUp,
    /// It does not exist.
    Missing,
    /// It exists.
    Found(T),
}

impl<T> Lookup<T> {
    /// The object, if it was found.
    pub fn found(&self) -> Option<&T> {
        match self {
            Self::Found(object) => Some(object),
            Self::NotLookedUp | Self::Missing => None,
        }
    }
}

/// An object that must be looked up in the run's namespace before a decision is possible.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// The Pipeline of this name.
    Pipeline(String),
    /// The Task of this name.
    Task(String),
    /// The Pod of this name.
    Pod(String),
    /// The ServiceAccount of this name.
    ServiceAccount(String),
    /// The Secrets of these names; their data does not matter.
    Secrets(Vec<String>),
}

/// One thing to do in the run's namespace.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Create a claim; one of the same name that exists already is as good.
    CreateVolumeClaim(Box<PersistentVolumeClaim>),
    /// Create a TaskRun; one of the same name with the same controller that exists already is as good.
    CreateTaskRun(Box<TaskRun>),
    /// Create a Pod; one of the same name with the same controller that exists already is as good.
    CreatePod(Box<Pod>),
    /// Delete the Pod if it still has this uid; that it is gone already is as good.
    DeletePod {
        /// Its name.
        name: String,
        /// Its uid, for the precondition.
        uid: String,
    },
    /// Set `spec.status` and `spec.statusMessage` of a TaskRun with a merge patch; that it is gone or complete already
    /// is as good.
    CancelTaskRun {
        /// Its name.
        name: String,
        /// The value of `spec.statusMessage`; `spec.status` becomes `TaskRunCancelled`.
        status_message: String,
    },
}

impl Action {
    /// The name of the object acted on, which [`Refusal::name`] repeats if the API server says no.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::CreateVolumeClaim(claim) => claim.metadata.name.as_deref().unwrap_or_default(),
            Self::CreateTaskRun(run) => run.metadata.name.as_deref().unwrap_or_default(),
            Self::CreatePod(pod) => pod.metadata.name.as_deref().unwrap_or_default(),
            Self::DeletePod { name, .. } | Self::CancelTaskRun { name, .. } => name,
        }
    }

    /// The kind of the object acted on.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::CreateVolumeClaim(_) => "PersistentVolumeClaim",
            Self::CreateTaskRun(_) | Self::CancelTaskRun { .. } => "TaskRun",
            Self::CreatePod(_) | Self::DeletePod { .. } => "Pod",
        }
    }
}

/// The API server refused an action of an earlier plan for good: a 4xx answer other than 404 on delete, 409 and 429.
/// The one who applies plans puts it into the next observation, so that the run fails with the server's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// [`Action::kind`] of the refused action.
    pub kind: String,
    /// [`Action::name`] of the refused action.
    pub name: String,
    /// The HTTP status, such as 403 or 422.
    pub code: u16,
    /// The message of the server's `Status`.
    pub message: String,
}

/// Whether an event is news or a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventType {
    /// As expected.
    Normal,
    /// Something to look at.
    Warning,
}

impl EventType {
    /// The value of an Event's `type`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// An Event to record about the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// News or a warning.
    pub kind: EventType,
    /// One word, such as `Started`.
    pub reason: String,
    /// A sentence; may be empty.
    pub message: String,
}

/// Labels and annotations to be set on the run; others stay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetadataPatch {
    /// Labels to be set.
    pub labels: BTreeMap<String, String>,
    /// Annotations to be set.
    pub annotations: BTreeMap<String, String>,
}

impl MetadataPatch {
    /// Whether nothing is to be set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.annotations.is_empty()
    }
}

/// When to decide again, even if nothing is seen to change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Requeue {
    /// Only after a change of the run or of what it owns.
    #[default]
    Never,
    /// At this instant, or at once if it has passed.
    At(Timestamp),
}

impl Requeue {
    /// The earlier of the two.
    #[must_use]
    pub fn earlier(self, other: Self) -> Self {
        match (self, other) {
            (Self::At(one), Self::At(two)) => Self::At(one.min(two)),
            (Self::At(at), Self::Never) | (Self::Never, Self::At(at)) => Self::At(at),
            (Self::Never, Self::Never) => Self::Never,
        }
    }
}

/// What to do for a run now. `Status` is the type of its status.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan<Status> {
    /// To be looked up first; if not empty, the rest of the plan is empty: observe these and decide again.
    pub needs: Vec<Need>,
    /// In this order, before the status is written.
    pub actions: Vec<Action>,
    /// Labels and annotations for the run itself, written before the status.
    pub metadata: MetadataPatch,
    /// The whole new status, or `None` if it stays as observed.
    pub status: Option<Box<Status>>,
    /// To be recorded after the status is written.
    pub events: Vec<Event>,
    /// When to decide again.
    pub requeue: Requeue,
    /// Why, in one line for people who read traces.
    pub why: String,
}

impl<Status> Plan<Status> {
    /// Nothing to do.
    #[must_use]
    pub fn nothing(why: impl Into<String>) -> Self {
        Self {
            needs: Vec::new(),
            actions: Vec::new(),
            metadata: MetadataPatch::default(),
            status: None,
            events: Vec::new(),
            requeue: Requeue::Never,
            why: why.into(),
        }
    }

    /// Nothing to do before these are looked up.
    #[must_use]
    pub fn needing(needs: Vec<Need>) -> Self {
        Self { needs, ..Self::nothing("what the run refers to must be looked up") }
    }

    /// Whether carrying it out changes nothing in the API.
    #[must_use]
    pub fn changes_nothing(&self) -> bool {
        self.actions.is_empty() && self.metadata.is_empty() && self.status.is_none()
    }
}
