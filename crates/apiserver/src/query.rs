//! The query parameters of a request, read and checked. Pure.

use machinery::selector::{FieldSelector, LabelSelector};
use machinery::status::{Reason, StatusError};
use types::Revision;

use crate::request_info::percent_decode;

/// The parameters in the order of the URL.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(text: &str) -> Self {
        let decoded = |part: &str| percent_decode(part, true).unwrap_or_else(|| part.to_owned());
        Self(
            text.split('&')
                .filter(|pair| !pair.is_empty())
                .map(|pair| {
                    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (decoded(key), decoded(value))
                })
                .collect(),
        )
    }

    /// The first value of a parameter, if it is there and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).filter(|v| !v.is_empty())
    }

    /// Whether a parameter is there at all, as in `?watch`.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }

    /// A flag as Kubernetes reads it: there and neither `false` nor `0`.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.has(name) && !matches!(self.get(name), Some("false" | "0" | "False" | "FALSE" | "f" | "F"))
    }

    /// An integer parameter.
    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>, StatusError> {
        self.get(name)
            .map(|text| {
                text.parse().map_err(|_| {
                    StatusError::bad_request(format!("{name}: Invalid value: {text:?}: must be an integer"))
                })
            })
            .transpose()
    }

    /// Whether the write is only tried; any value but `All` is refused.
    pub(crate) fn dry_run(&self) -> Result<bool, StatusError> {
        for (_, value) in self.0.iter().filter(|(key, value)| key == "dryRun" && !value.is_empty()) {
            if value != "All" {
                return Err(StatusError::new(
                    Reason::Invalid,
                    format!("dryRun: Unsupported value: {value:?}: supported values: \"All\""),
                ));
            }
        }
        Ok(self.get("dryRun").is_some())
    }
}

/// How unknown and duplicate fields of a body are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldValidation {
    Ignore,
    Warn,
    Strict,
}

impl FieldValidation {
    pub(crate) fn of(query: &Query) -> Result<Self, StatusError> {
        match query.get("fieldValidation") {
            None | Some("Warn") => Ok(Self::Warn),
            Some("Ignore") => Ok(Self::Ignore),
            Some("Strict") => Ok(Self::Strict),
            Some(other) => Err(StatusError::new(
                Reason::Invalid,
                format!(
                    "fieldValidation: Unsupported value: {other:?}: supported values: \"\", \"Ignore\", \"Strict\", \"Warn\""
                ),
            )),
        }
    }
}

/// From which revision a list or watch is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VersionMatch {
    /// The newest.
    Newest,
    /// Anything not older than this.
    NotOlderThan(Revision),
    /// Exactly this.
    Exact(Revision),
}

/// The selectors and the resource version of a list, watch or collection delete.
#[derive(Clone, Debug)]
pub(crate) struct ListOptions {
    pub(crate) labels: LabelSelector,
    pub(crate) fields: FieldSelector,
    /// At most this many items; zero means all.
    pub(crate) limit: usize,
    pub(crate) continue_token: Option<String>,
    /// The `resourceVersion` as written.
    pub(crate) resource_version: Option<Revision>,
    pub(crate) version_match: Option<String>,
    pub(crate) send_initial_events: Option<bool>,
    pub(crate) bookmarks: bool,
    pub(crate) timeout_seconds: Option<u64>,
}

impl ListOptions {
    /// Reads the options; `selectable` are the field paths that the kind lets select.
    pub(crate) fn of(query: &Query, selectable: &[&str]) -> Result<Self, StatusError> {
        let bad = |what: String| StatusError::bad_request(what);
        let labels = LabelSelector::parse(query.get("labelSelector").unwrap_or(""))
            .map_err(|error| bad(format!("unable to parse requirement: {error}")))?;
        let fields = FieldSelector::parse(query.get("fieldSelector").unwrap_or(""))
            .and_then(|fields| fields.only(selectable))
            .map_err(|error| bad(error.to_string()))?;
        let resource_version = match query.get("resourceVersion") {
            None => None,
            Some(text) => Some(Revision::parse(text).map_err(|_| {
                bad(format!("resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: invalid syntax"))
            })?),
        };
        let negative = |name: &str| bad(format!("{name}: Invalid value: must be greater than or equal to 0"));
        let limit = query.integer("limit")?.unwrap_or(0);
        let timeout = query.integer("timeoutSeconds")?;
        Ok(Self {
            labels,
            fields,
            limit: usize::try_from(limit).map_err(|_| negative("limit"))?,
            continue_token: query.get("continue").map(str::to_owned),
            resource_version,
            version_match: query.get("resourceVersionMatch").map(str::to_owned),
            send_initial_events: query.get("sendInitialEvents").map(|_| query.flag("sendInitialEvents")),
            bookmarks: query.flag("allowWatchBookmarks"),
            timeout_seconds: timeout
                .map(|seconds| u64::try_from(seconds).map_err(|_| negative("timeoutSeconds")))
                .transpose()?,
        })
    }

    /// The revision of a list by Kubernetes' rules.
    pub(crate) fn list_version(&self) -> Result<VersionMatch, StatusError> {
        if self.send_initial_events.is_some() {
            return Err(invalid("sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list"));
        }
        let revision = self.resource_version;
        if self.continue_token.is_some() {
            if self.version_match.is_some() {
                return Err(invalid(
                    "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided",
                ));
            }
            if revision.is_some_and(|revision| revision.0 > 0) {
                return Err(StatusError::bad_request(
                    "specifying resource version is not allowed when using continue",
                ));
            }
            return Ok(VersionMatch::Newest);
        }
        match (self.version_match.as_deref(), revision) {
            (Some(_), None) => Err(invalid(
                "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
            )),
            (Some("Exact"), Some(Revision(0))) => Err(invalid(
                "resourceVersionMatch: Forbidden: resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
            )),
            (Some("Exact"), Some(revision)) => Ok(VersionMatch::Exact(revision)),
            (Some("NotOlderThan"), Some(revision)) => Ok(VersionMatch::NotOlderThan(revision)),
            (Some(other), Some(_)) => Err(invalid(&format!(
                "resourceVersionMatch: Unsupported value: {other:?}: supported values: \"Exact\", \"NotOlderThan\""
            ))),
            (None, None | Some(Revision(0))) => Ok(VersionMatch::Newest),
            (None, Some(revision)) if self.limit > 0 => Ok(VersionMatch::Exact(revision)),
            (None, Some(revision)) => Ok(VersionMatch::NotOlderThan(revision)),
        }
    }

    /// Where a watch starts by Kubernetes' rules.
    pub(crate) fn watch_start(&self) -> Result<WatchStart, StatusError> {
        let matched = self.version_match.as_deref();
        if let Some(wanted) = self.send_initial_events {
            if matched != Some("NotOlderThan") {
                return Err(invalid(
                    "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
                ));
            }
            let from = self.resource_version.unwrap_or_default();
            return Ok(match (wanted, from.0) {
                (true, _) => WatchStart::State { at_least: from, announce_end: self.bookmarks },
                (false, 0) => WatchStart::Now,
                (false, _) => WatchStart::After(from),
            });
        }
        if matched.is_some() {
            return Err(invalid(
                "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            ));
        }
        Ok(match self.resource_version {
            None | Some(Revision(0)) => WatchStart::State { at_least: Revision(0), announce_end: false },
            Some(revision) => WatchStart::After(revision),
        })
    }
}

/// What a watch begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WatchStart {
    /// An ADDED event for all that exists, then changes.
    State { at_least: Revision, announce_end: bool },
    /// Changes from now on.
    Now,
    /// Changes after this revision.
    After(Revision),
}

fn invalid(what: &str) -> StatusError {
    StatusError::new(Reason::Invalid, format!("ListOptions.meta.k8s.io \"\" is invalid: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(query: &str) -> Result<ListOptions, StatusError> {
        ListOptions::of(&Query::parse(query), &[".status.phase"])
    }

    #[test]
    fn a_list_is_answered_from_the_revision_that_kubernetes_would_choose() {
        for (query, expected) in [
            ("", "Newest"),
            ("resourceVersion=0", "Newest"),
            ("resourceVersion=7", "NotOlderThan(Revision(7))"),
            ("resourceVersion=7&limit=5", "Exact(Revision(7))"),
            ("resourceVersion=7&resourceVersionMatch=Exact", "Exact(Revision(7))"),
            ("resourceVersion=7&limit=5&resourceVersionMatch=NotOlderThan", "NotOlderThan(Revision(7))"),
            ("continue=x", "Newest"),
        ] {
            assert_eq!(format!("{:?}", options(query).unwrap().list_version().unwrap()), expected, "{query}");
        }
    }

    #[test]
    fn impossible_list_options_are_refused() {
        for (query, expected) in [
            ("resourceVersion=x", "400"),
            ("limit=-1", "400"),
            ("limit=x", "400"),
            ("labelSelector=a%20b", "400"),
            ("fieldSelector=spec.x%3D1", "400 field label not supported: spec.x"),
            ("resourceVersionMatch=Exact", "422"),
            ("resourceVersion=0&resourceVersionMatch=Exact", "422"),
            ("resourceVersion=1&resourceVersionMatch=Some", "422"),
            ("continue=x&resourceVersionMatch=Exact&resourceVersion=1", "422"),
            ("sendInitialEvents=true", "422"),
        ] {
            let error = options(query).and_then(|options| options.list_version()).unwrap_err();
            let text = format!("{} {}", error.code, error.message);
            assert!(text.starts_with(expected), "{query}: {text}");
        }
    }

    #[test]
    fn a_watch_starts_where_kubernetes_would_start_it() {
        for (query, expected) in [
            ("", "State { at_least: Revision(0), announce_end: false }"),
            ("resourceVersion=0", "State { at_least: Revision(0), announce_end: false }"),
            ("resourceVersion=7", "After(Revision(7))"),
            (
                "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&resourceVersion=7",
                "State { at_least: Revision(7), announce_end: true }",
            ),
            ("sendInitialEvents=false&resourceVersionMatch=NotOlderThan", "Now"),
        ] {
            assert_eq!(format!("{:?}", options(query).unwrap().watch_start().unwrap()), expected, "{query}");
        }
        assert_eq!(options("sendInitialEvents=true").unwrap().watch_start().unwrap_err().code, 422);
        assert_eq!(
            options("resourceVersion=1&resourceVersionMatch=NotOlderThan")
                .unwrap()
                .watch_start()
                .unwrap_err()
                .code,
            422
        );
    }

    #[test]
    fn flags_and_values_are_read_as_go_reads_them() {
        let query = Query::parse("watch&follow=true&a=0&b=false&c=x%2Cy+z&dryRun=All");
        assert!(query.flag("watch") && query.flag("follow") && !query.flag("a") && !query.flag("b"));
        assert_eq!(query.get("c"), Some("x,y z"));
        assert!(query.dry_run().unwrap());
        assert!(Query::parse("dryRun=Some").dry_run().is_err());
    }
}
