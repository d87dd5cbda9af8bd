//! What a URL asks for, before anyone knows who asks. Pure text to data; nothing is looked up.
//! Invariant: no part contains a control character or a slash, so each may become a part of a storage key.
//! Next: [`crate::router`] finds the workspace and the resource that the parts name.

use types::{GroupVersion, WorkspacePath};

/// The workspaces that a URL names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ClusterRef {
    /// One, by path or by id: an id is a path of one label.
    Path(WorkspacePath),
    /// All of them: `/clusters/*`.
    All,
}

/// A URL, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestInfo {
    /// The prefix as the client wrote it (`/clusters/root:a`), or empty: links in answers begin with it.
    pub(crate) prefix: String,
    /// The workspaces; a URL without the prefix is about `root`.
    pub(crate) cluster: ClusterRef,
    /// What is asked for there.
    pub(crate) route: Route,
}

/// What is asked for inside a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// `/`: the list of paths.
    Root,
    /// `/livez`, `/readyz`, `/healthz`, with or without the name of one check.
    Health,
    /// `/version`.
    Version,
    /// `/api`.
    CoreVersions,
    /// `/apis`.
    Groups,
    /// `/apis/<group>`.
    Group(String),
    /// `/api/v1` or `/apis/<group>/<version>`.
    Resources(GroupVersion),
    /// `/openapi/v2`.
    OpenApiV2,
    /// `/openapi/v3`.
    OpenApiV3Index,
    /// `/openapi/v3/<group version path>`, such as `apis/tekton.dev/v1`.
    OpenApiV3(String),
    /// Objects.
    Resource(ResourcePath),
    /// Nothing that is served.
    Unknown,
}

/// The parts of a URL that names objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResourcePath {
    /// Group and version.
    pub(crate) group_version: GroupVersion,
    /// The plural name.
    pub(crate) plural: String,
    /// The namespace; empty for cluster-scoped objects and for all namespaces.
    pub(crate) namespace: String,
    /// The object; empty for a collection.
    pub(crate) name: String,
    /// The subresource; empty for the object itself.
    pub(crate) subresource: String,
    /// Whether the path had the old `/watch/` prefix.
    pub(crate) legacy_watch: bool,
}

/// Why a URL cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidUrl {
    /// A `/clusters/` prefix inside a workspace.
    #[error("404 page not found")]
    NestedClusters,
    /// The text after `/clusters/` is no path, id or `*`.
    #[error("invalid workspace in the URL: {0}")]
    Workspace(String),
    /// A percent escape that is not UTF-8, a control character or an escaped slash.
    #[error("invalid path segment {0:?} in the URL")]
    Segment(String),
}

/// Takes a URL path apart.
pub(crate) fn parse(path: &str) -> Result<RequestInfo, InvalidUrl> {
    let mut segments = Vec::with_capacity(10);
    for raw in path.split('/').filter(|segment| !segment.is_empty()) {
        segments.push(decode_segment(raw)?);
    }
    let mut rest: &[String] = &segments;
    let (mut prefix, mut cluster) = (String::new(), ClusterRef::Path(WorkspacePath::root()));
    if rest.first().is_some_and(|first| first == "clusters") {
        let Some(name) = rest.get(1) else {
            return Err(InvalidUrl::Workspace("no workspace is named after /clusters/".to_owned()));
        };
        cluster = match name.as_str() {
            "*" => ClusterRef::All,
            text => ClusterRef::Path(
                WorkspacePath::parse(text).map_err(|error| InvalidUrl::Workspace(error.to_string()))?,
            ),
        };
        prefix = format!("/clusters/{name}");
        rest = &rest[2..];
        if rest.first().is_some_and(|first| first == "clusters") {
            return Err(InvalidUrl::NestedClusters);
        }
    }
    Ok(RequestInfo { prefix, cluster, route: route(rest) })
}

fn route(segments: &[String]) -> Route {
    let words: Vec<&str> = segments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => Route::Root,
        ["livez" | "readyz" | "healthz"] | ["livez" | "readyz" | "healthz", _] => Route::Health,
        ["version"] => Route::Version,
        ["api"] => Route::CoreVersions,
        ["apis"] => Route::Groups,
        ["apis", group] => Route::Group((*group).to_owned()),
        ["api", version] => Route::Resources(GroupVersion::new("", version)),
        ["apis", group, version] => Route::Resources(GroupVersion::new(group, version)),
        ["openapi", "v2"] => Route::OpenApiV2,
        ["openapi", "v3"] => Route::OpenApiV3Index,
        ["openapi", "v3", rest @ ..] => Route::OpenApiV3(rest.join("/")),
        ["api", version, rest @ ..] => resource(GroupVersion::new("", version), rest),
        ["apis", group, version, rest @ ..] => resource(GroupVersion::new(group, version), rest),
        _ => Route::Unknown,
    }
}

fn resource(group_version: GroupVersion, words: &[&str]) -> Route {
    let (legacy_watch, words) = match words {
        ["watch", rest @ ..] if !rest.is_empty() => (true, rest),
        other => (false, other),
    };
    let core = group_version.group.is_empty();
    let (namespace, plural, name, subresource) = match words {
        // A namespace is both an object and a place; its own subresources look like resources inside it.
        ["namespaces"] if core => ("", "namespaces", "", ""),
        ["namespaces", name] if core => ("", "namespaces", *name, ""),
        ["namespaces", name, sub @ ("status" | "finalize")] if core => ("", "namespaces", *name, *sub),
        ["namespaces", namespace, plural] => (*namespace, *plural, "", ""),
        ["namespaces", namespace, plural, name] => (*namespace, *plural, *name, ""),
        ["namespaces", namespace, plural, name, sub] => (*namespace, *plural, *name, *sub),
        [plural] => ("", *plural, "", ""),
        [plural, name] => ("", *plural, *name, ""),
        [plural, name, sub] => ("", *plural, *name, *sub),
        _ => return Route::Unknown,
    };
    Route::Resource(ResourcePath {
        group_version,
        plural: plural.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        subresource: subresource.to_owned(),
        legacy_watch,
    })
}

fn decode_segment(raw: &str) -> Result<String, InvalidUrl> {
    let text = if raw.contains('%') {
        percent_decode(raw, false).ok_or_else(|| InvalidUrl::Segment(raw.to_owned()))?
    } else {
        raw.to_owned()
    };
    if text.contains('/') || text.contains(char::is_control) || text == "." || text == ".." {
        return Err(InvalidUrl::Segment(text));
    }
    Ok(text)
}

/// Undoes percent escapes (and `+` for a space in queries); `None` when an escape is broken or not UTF-8.
pub(crate) fn percent_decode(raw: &str, plus_is_space: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let high = char::from(rest.next()?).to_digit(16)?;
                let low = char::from(rest.next()?).to_digit(16)?;
                bytes.push(u8::try_from(high * 16 + low).ok()?);
            }
            b'+' if plus_is_space => bytes.push(b' '),
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(path: &str) -> String {
        let info = match parse(path) {
            Ok(info) => info,
            Err(error) => return format!("error: {error}"),
        };
        let cluster = match &info.cluster {
            ClusterRef::Path(path) => path.to_string(),
            ClusterRef::All => "*".to_owned(),
        };
        match info.route {
            Route::Resource(r) => format!(
                "{cluster} {} {} ns={} name={} sub={}{}",
                r.group_version,
                r.plural,
                r.namespace,
                r.name,
                r.subresource,
                if r.legacy_watch { " watch" } else { "" }
            ),
            other => format!("{cluster} {other:?}"),
        }
    }

    #[test]
    fn urls_of_objects_are_taken_apart() {
        for (path, expected) in [
            ("/api/v1/pods", "root v1 pods ns= name= sub="),
            ("/clusters/root:a/api/v1/namespaces", "root:a v1 namespaces ns= name= sub="),
            ("/clusters/root:a/api/v1/namespaces/x", "root:a v1 namespaces ns= name=x sub="),
            ("/clusters/root/api/v1/namespaces/x/status", "root v1 namespaces ns= name=x sub=status"),
            ("/clusters/root/api/v1/namespaces/x/finalize", "root v1 namespaces ns= name=x sub=finalize"),
            ("/clusters/root/api/v1/namespaces/x/pods", "root v1 pods ns=x name= sub="),
            ("/clusters/root/api/v1/namespaces/x/pods/p/log", "root v1 pods ns=x name=p sub=log"),
            ("/clusters/*/apis/tekton.dev/v1/taskruns", "* tekton.dev/v1 taskruns ns= name= sub="),
            ("/api/v1/watch/namespaces/x/pods/p", "root v1 pods ns=x name=p sub= watch"),
            ("/clusters/root/apis/a.b/v1/clusters/clusters", "root a.b/v1 clusters ns= name=clusters sub="),
            (
                "/api/v1/namespaces/x/configmaps/kube%2Droot.crt",
                "root v1 configmaps ns=x name=kube-root.crt sub=",
            ),
        ] {
            assert_eq!(render(path), expected, "{path}");
        }
    }

    #[test]
    fn other_urls_are_known_by_name() {
        for (path, expected) in [
            ("/", "root Root"),
            ("/clusters/root:a/", "root:a Root"),
            ("/clusters/root:a/livez", "root:a Health"),
            ("/readyz/ping", "root Health"),
            ("/version", "root Version"),
            ("/apis/", "root Groups"),
            ("/clusters/x/apis/tekton.dev", "x Group(\"tekton.dev\")"),
            ("/openapi/v3", "root OpenApiV3Index"),
            ("/openapi/v3/apis/tekton.dev/v1", "root OpenApiV3(\"apis/tekton.dev/v1\")"),
            ("/favicon.ico", "root Unknown"),
            ("/clusters/root/api/v1/a/b/c/d/e/f", "root Unknown"),
        ] {
            assert_eq!(render(path), expected, "{path}");
        }
    }

    #[test]
    fn urls_that_could_confuse_are_refused() {
        for (path, expected) in [
            ("/clusters/root/clusters/root/api", "error: 404 page not found"),
            ("/clusters", "error: invalid workspace in the URL: no workspace is named after /clusters/"),
            ("/api/v1/namespaces/a%00b/pods", "error: invalid path segment \"a\\0b\" in the URL"),
            ("/api/v1/namespaces/a%2Fb", "error: invalid path segment \"a/b\" in the URL"),
            ("/api/v1/namespaces/%zz", "error: invalid path segment \"%zz\" in the URL"),
            ("/api/v1/namespaces/../pods", "error: invalid path segment \"..\" in the URL"),
        ] {
            assert_eq!(render(path), expected, "{path}");
        }
        assert!(render("/clusters/Root/api").starts_with("error: invalid workspace in the URL: `Root`"));
    }
}
