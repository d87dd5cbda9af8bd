//! The parameters of requests, and how they are spelled in queries and bodies.
//! Defaults are the API server's own, so `Default::default()` asks for nothing special.

use std::fmt::Write as _;

use serde::Serialize;

/// What to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListOptions {
    /// A label selector, such as `tekton.dev/pipelineRun=x`.
    pub label_selector: Option<String>,
    /// A field selector, such as `spec.nodeName=`.
    pub field_selector: Option<String>,
    /// At most this many objects in a page; zero leaves it to the server.
    pub limit: usize,
    /// Where the page before ended.
    pub continue_token: Option<String>,
    /// The revision to read at or after; `None` reads the newest.
    pub resource_version: Option<String>,
    /// `Exact` or `NotOlderThan`.
    pub resource_version_match: Option<&'static str>,
}

impl ListOptions {
    /// Everything with these labels.
    #[must_use]
    pub fn labelled(selector: impl Into<String>) -> Self {
        Self { label_selector: Some(selector.into()), ..Self::default() }
    }

    /// Everything with these fields.
    #[must_use]
    pub fn with_fields(selector: impl Into<String>) -> Self {
        Self { field_selector: Some(selector.into()), ..Self::default() }
    }

    pub(crate) fn query(&self, query: &mut Query) {
        query.optional("labelSelector", self.label_selector.as_deref());
        query.optional("fieldSelector", self.field_selector.as_deref());
        if self.limit > 0 {
            query.add("limit", &self.limit.to_string());
        }
        query.optional("continue", self.continue_token.as_deref());
        query.optional("resourceVersion", self.resource_version.as_deref());
        query.optional("resourceVersionMatch", self.resource_version_match);
    }
}

/// What to watch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchOptions {
    /// A label selector.
    pub label_selector: Option<String>,
    /// A field selector.
    pub field_selector: Option<String>,
    /// Start strictly after this revision; `None` starts with everything that exists.
    pub resource_version: Option<String>,
    /// Send what exists first, and then a bookmark that says so.
    pub send_initial_events: bool,
    /// Send bookmarks, so that a quiet watch can be resumed.
    pub bookmarks: bool,
    /// The server ends the watch after this time, in seconds; zero leaves it to the server.
    pub timeout_seconds: u32,
}

impl WatchOptions {
    pub(crate) fn query(&self, query: &mut Query) {
        query.add("watch", "1");
        query.optional("labelSelector", self.label_selector.as_deref());
        query.optional("fieldSelector", self.field_selector.as_deref());
        query.optional("resourceVersion", self.resource_version.as_deref());
        if self.send_initial_events {
            query.add("sendInitialEvents", "true");
            query.add("resourceVersionMatch", "NotOlderThan");
        }
        if self.bookmarks || self.send_initial_events {
            query.add("allowWatchBookmarks", "true");
        }
        if self.timeout_seconds > 0 {
            query.add("timeoutSeconds", &self.timeout_seconds.to_string());
        }
    }
}

/// How to create or replace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteOptions {
    /// Go through everything and store nothing.
    pub dry_run: bool,
    /// The name under which the fields are managed.
    pub field_manager: Option<String>,
    /// What becomes of unknown and duplicate fields: `Strict`, `Warn` or `Ignore`; `None` is the server's default.
    pub field_validation: Option<&'static str>,
}

impl WriteOptions {
    pub(crate) fn query(&self, query: &mut Query) {
        if self.dry_run {
            query.add("dryRun", "All");
        }
        query.optional("fieldManager", self.field_manager.as_deref());
        query.optional("fieldValidation", self.field_validation);
    }
}

/// A change to an object, in one of the three languages.
#[derive(Clone, Debug, PartialEq)]
pub enum Patch {
    /// JSON merge patch, RFC 7386. `metadata.resourceVersion` in it is a precondition.
    Merge(serde_json::Value),
    /// JSON patch, RFC 6902: a list of operations.
    Json(serde_json::Value),
    /// Server-side apply; it creates an absent object.
    Apply(serde_json::Value),
}

impl Patch {
    pub(crate) fn content_type(&self) -> &'static str {
        match self {
            Self::Merge(_) => "application/merge-patch+json",
            Self::Json(_) => "application/json-patch+json",
            Self::Apply(_) => "application/apply-patch+yaml",
        }
    }

    pub(crate) fn body(&self) -> &serde_json::Value {
        match self {
            Self::Merge(body) | Self::Json(body) | Self::Apply(body) => body,
        }
    }
}

/// How to patch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PatchOptions {
    /// The subresource, such as `status`.
    pub subresource: Option<&'static str>,
    /// Take fields over from other managers; for apply only.
    pub force: bool,
    /// Dry run and field manager.
    pub write: WriteOptions,
}

impl PatchOptions {
    /// A patch of the `status` subresource.
    #[must_use]
    pub fn status() -> Self {
        Self { subresource: Some("status"), ..Self::default() }
    }

    pub(crate) fn query(&self, query: &mut Query) {
        self.write.query(query);
        if self.force {
            query.add("force", "true");
        }
    }
}

/// What happens to the objects that the deleted one owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Propagation {
    /// They are deleted afterwards.
    Background,
    /// They are deleted first.
    Foreground,
    /// They stay, without the owner reference.
    Orphan,
}

/// What must hold for a deletion to happen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Preconditions {
    /// The object's identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// The object's revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_version: Option<String>,
}

/// How to delete.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteOptions {
    /// What must hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preconditions: Option<Preconditions>,
    /// What happens to dependents; `None` is the resource's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub propagation_policy: Option<Propagation>,
    /// The time that a Pod has to stop, in seconds; zero removes the object at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace_period_seconds: Option<u32>,
}

impl DeleteOptions {
    /// Only the object with this identity.
    #[must_use]
    pub fn of_uid(uid: impl Into<String>) -> Self {
        let preconditions = Preconditions { uid: Some(uid.into()), resource_version: None };
        Self { preconditions: Some(preconditions), ..Self::default() }
    }

    /// With this treatment of dependents.
    #[must_use]
    pub fn propagating(mut self, policy: Propagation) -> Self {
        self.propagation_policy = Some(policy);
        self
    }

    /// With this time to stop, in seconds.
    #[must_use]
    pub fn within(mut self, grace_period_seconds: u32) -> Self {
        self.grace_period_seconds = Some(grace_period_seconds);
        self
    }
}

/// What to read of a container's log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// The container; `None` when the Pod has one only.
    pub container: Option<String>,
    /// Stay until the container ends.
    pub follow: bool,
    /// Only the last lines.
    pub tail_lines: Option<u64>,
    /// Begin each line with its time.
    pub timestamps: bool,
    /// Only what is younger than this, in seconds.
    pub since_seconds: Option<u64>,
    /// At most this many bytes.
    pub limit_bytes: Option<u64>,
}

impl LogOptions {
    pub(crate) fn query(&self, query: &mut Query) {
        query.optional("container", self.container.as_deref());
        if self.follow {
            query.add("follow", "true");
        }
        if self.timestamps {
            query.add("timestamps", "true");
        }
        let numbers = [
            ("tailLines", self.tail_lines),
            ("sinceSeconds", self.since_seconds),
            ("limitBytes", self.limit_bytes),
        ];
        for (name, value) in numbers {
            query.optional(name, value.map(|number| number.to_string()).as_deref());
        }
    }
}

/// A query string under construction.
#[derive(Default)]
pub(crate) struct Query(String);

impl Query {
    pub(crate) fn add(&mut self, name: &str, value: &str) {
        self.0.push(if self.0.is_empty() { '?' } else { '&' });
        self.0.push_str(name);
        self.0.push('=');
        escape(value, &mut self.0);
    }

    fn optional(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.add(name, value);
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Appends `text` with everything but unreserved characters percent-encoded.
pub(crate) fn escape(text: &str, into: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            into.push(char::from(byte));
        } else {
            write!(into, "%{byte:02X}").unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_arrive_as_they_were_written() {
        let mut query = Query::default();
        ListOptions { limit: 5, ..ListOptions::labelled("a in (b,c),d=e") }.query(&mut query);
        assert_eq!(query.as_str(), "?labelSelector=a%20in%20%28b%2Cc%29%2Cd%3De&limit=5");
    }

    #[test]
    fn delete_options_say_only_what_was_asked() {
        let options = DeleteOptions::of_uid("u").propagating(Propagation::Background);
        let text = serde_json::to_string(&options).unwrap();
        assert_eq!(text, r#"{"preconditions":{"uid":"u"},"propagationPolicy":"Background"}"#);
        assert_eq!(serde_json::to_string(&DeleteOptions::default()).unwrap(), "{}");
    }
}
