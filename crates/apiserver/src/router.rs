//! From a request to its handler: take the URL apart, find the resource and the workspace, ask `policy`, go.
//! Invariant: no handler runs without a grant, but for health, version and discovery, which are open to all.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use machinery::selector::FieldSelector;
use machinery::status::StatusError;
use parking_lot::Mutex;
use policy::{Attributes, Grant, Identity, Scope, Target, Verb};
use types::{ClusterId, GroupResource, WorkspacePath};

use crate::body::Body;
use crate::catalog::{Kind, SUBRESOURCES, Served};
use crate::handlers;
use crate::query::Query;
use crate::request_info::{self, ClusterRef, InvalidUrl, RequestInfo, ResourcePath, Route};
use crate::respond::{self, Refusal};
use crate::service::Inner;
use crate::strategy::Part;
use crate::{errors, tenancy};

/// One request and what answers it share.
pub(crate) struct Call<'a> {
    pub(crate) inner: &'a Arc<Inner>,
    pub(crate) query: Query,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    warnings: Mutex<Vec<String>>,
}

impl Call<'_> {
    /// Adds a warning to the answer, whatever it will be.
    pub(crate) fn warn(&self, text: impl Into<String>) {
        self.warnings.lock().push(text.into());
    }

    /// A header as text.
    pub(crate) fn header(&self, name: http::header::HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Where an allowed request goes.
pub(crate) struct Place<'a> {
    pub(crate) served: Served<'a>,
    pub(crate) grant: Grant,
}

impl Place<'_> {
    pub(crate) fn kind(&self) -> &Kind {
        self.served.kind
    }

    pub(crate) fn name(&self) -> &str {
        &self.grant.target().name
    }

    pub(crate) fn namespace(&self) -> &str {
        &self.grant.target().namespace
    }

    /// The workspace, or nothing when the request is about all of them.
    pub(crate) fn cluster(&self) -> Option<&ClusterId> {
        match &self.grant.target().scope {
            Scope::Cluster(cluster) => Some(cluster),
            Scope::AllClusters => None,
        }
    }
}

/// Answers a request.
pub(crate) async fn answer(
    inner: &Arc<Inner>,
    identity: &Identity,
    request: Request<Bytes>,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let call = Call {
        inner,
        query: Query::parse(parts.uri.query().unwrap_or("")),
        headers: parts.headers,
        body,
        warnings: Mutex::default(),
    };
    let mut response = match route(&call, identity, &parts.method, parts.uri.path()).await {
        Ok(response) => response,
        Err(refusal) => refusal.into_response(),
    };
    tracing::debug!(method = %parts.method, path = parts.uri.path(), user = identity.user, code = response.status().as_u16());
    respond::warn(&mut response, &call.warnings.into_inner());
    respond::compress(&call.headers, response)
}

async fn route(
    call: &Call<'_>,
    identity: &Identity,
    method: &Method,
    path: &str,
) -> Result<Response<Body>, Refusal> {
    let info = request_info::parse(path).map_err(|error| match error {
        InvalidUrl::NestedClusters => Refusal::PageNotFound,
        other => StatusError::bad_request(other.to_string()).into(),
    })?;
    match &info.route {
        Route::Resource(path) => resource(call, identity, method, &info, path).await,
        Route::Unknown => Err(Refusal::PageNotFound),
        _ if !matches!(*method, Method::GET | Method::HEAD) => {
            Ok(respond::plain(StatusCode::METHOD_NOT_ALLOWED, "405 method not allowed\n"))
        }
        Route::Health => Ok(handlers::health(call)),
        Route::Version => Ok(handlers::version()),
        _ => {
            if let ClusterRef::Path(path) = &info.cluster {
                cluster_or_denial(call, identity, path).await?;
            }
            handlers::documents(call, &info)
        }
    }
}

/// Discovery is open to all, but whether a workspace exists is told to nobody without rights: to them every
/// workspace looks alike.
async fn cluster_or_denial(
    call: &Call<'_>,
    identity: &Identity,
    path: &WorkspacePath,
) -> Result<(), Refusal> {
    match tenancy::resolve(call.inner, path).await {
        Ok(_) => Ok(()),
        Err(_) if policy::allow(identity, probe()).is_err() => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn probe() -> Attributes {
    let resource = GroupResource { group: String::new(), resource: "namespaces".to_owned() };
    let target = Target {
        scope: Scope::Cluster(ClusterId::root()),
        resource,
        subresource: String::new(),
        namespace: String::new(),
        name: String::new(),
    };
    Attributes { verb: Verb::Get, target }
}

async fn resource(
    call: &Call<'_>,
    identity: &Identity,
    method: &Method,
    info: &RequestInfo,
    path: &ResourcePath,
) -> Result<Response<Body>, Refusal> {
    let resource = GroupResource { group: path.group_version.group.clone(), resource: path.plural.clone() };
    let mut attributes = Attributes {
        verb: Verb::Get,
        target: Target {
            scope: Scope::Cluster(ClusterId::root()),
            resource: resource.clone(),
            subresource: path.subresource.clone(),
            namespace: path.namespace.clone(),
            name: path.name.clone(),
        },
    };
    let deny = |denied: Box<policy::Denied>| Refusal::from(errors::of_denial(&denied, &resource, &path.name));
    let found = find(call, path).and_then(|served| Some((served, verb(call, method, path)?)));
    let Some((served, verb)) = found else {
        // Who may do nothing is not told what exists.
        let unknown = find(call, path).is_none();
        return Err(match policy::allow(identity, attributes) {
            Err(denied) => deny(denied),
            Ok(_) if unknown => Refusal::PageNotFound,
            Ok(_) => StatusError::new(
                machinery::status::Reason::MethodNotAllowed,
                "the server does not allow this method on the requested resource",
            )
            .into(),
        });
    };
    attributes.verb = verb;
    if attributes.target.name.is_empty()
        && let Some(name) = selected_name(call, verb)
        && (!served.row().namespaced || !path.namespace.is_empty())
    {
        attributes.target.name = name;
    }
    if let ClusterRef::Path(path) = &info.cluster {
        match tenancy::resolve(call.inner, path).await {
            Ok(cluster) => attributes.target.scope = Scope::Cluster(cluster),
            Err(error) => return Err(policy::allow(identity, attributes).map_or_else(deny, |_| error.into())),
        }
    } else {
        attributes.target.scope = Scope::AllClusters;
    }
    let grant = policy::allow(identity, attributes).map_err(deny)?;
    if info.cluster == ClusterRef::All && !matches!(verb, Verb::List | Verb::Watch) {
        let text =
            format!("{} is not allowed on the `*` logical cluster: only list and watch are", verb.as_str());
        return Err(StatusError::new(machinery::status::Reason::MethodNotAllowed, text).into());
    }
    if let Some(warning) = served.version().deprecation_warning {
        call.warn(warning);
    }
    let place = Place { served, grant };
    if let Some(cluster) = place.cluster()
        && (served.row().namespaced || served.kind.is("", "namespaces"))
    {
        tenancy::furnish(call.inner, cluster).await?;
    }
    dispatch(call, &place, verb, &path.subresource).await
}

async fn dispatch(
    call: &Call<'_>,
    place: &Place<'_>,
    verb: Verb,
    subresource: &str,
) -> Result<Response<Body>, Refusal> {
    let part = match subresource {
        "log" => return handlers::logs(call, place).await,
        "binding" => return handlers::bind(call, place).await,
        "status" => Part::Status,
        "finalize" => Part::Finalize,
        _ => Part::Main,
    };
    match verb {
        Verb::Get => handlers::get(call, place).await,
        Verb::List => handlers::list(call, place).await,
        Verb::Watch => handlers::watch(call, place).await,
        Verb::Create => handlers::create(call, place).await,
        Verb::Update => handlers::update(call, place, part).await,
        Verb::Patch => handlers::patch(call, place, part).await,
        Verb::Delete => handlers::delete(call, place).await,
        Verb::DeleteCollection => handlers::delete_collection(call, place).await,
    }
}

/// The only name that a collection request selects, if it does: then it is about that object, for `policy` and
/// for the store.
fn selected_name(call: &Call<'_>, verb: Verb) -> Option<String> {
    if !matches!(verb, Verb::List | Verb::Watch | Verb::DeleteCollection) {
        return None;
    }
    let fields = FieldSelector::parse(call.query.get("fieldSelector")?).ok()?;
    let name = fields.exact("metadata.name")?;
    (!name.is_empty() && !name.contains(char::is_control)).then(|| name.to_owned())
}

/// The resource that a URL names, if it is served there: in a namespace or not, with this subresource.
fn find<'a>(call: &Call<'a>, path: &ResourcePath) -> Option<Served<'a>> {
    let served = call.inner.catalog.find(&path.group_version, &path.plural)?;
    let row = served.row();
    let placed = if row.namespaced {
        // Without a namespace only the collection over all of them exists.
        !path.namespace.is_empty() || path.name.is_empty()
    } else {
        path.namespace.is_empty()
    };
    let known = match path.subresource.as_str() {
        "" => true,
        "status" => row.status_subresource,
        name => SUBRESOURCES.iter().any(|s| s.group == row.group && s.plural == row.plural && s.name == name),
    };
    (placed && known).then_some(served)
}

/// What a method does at a URL, or nothing if it does nothing there.
fn verb(call: &Call<'_>, method: &Method, path: &ResourcePath) -> Option<Verb> {
    let collection = path.name.is_empty();
    let watch = path.legacy_watch || call.query.flag("watch");
    let verb = match *method {
        Method::GET if watch && path.subresource.is_empty() => Verb::Watch,
        Method::GET if collection => Verb::List,
        Method::GET => Verb::Get,
        Method::POST if collection || path.subresource == "binding" => Verb::Create,
        Method::PUT if !collection => Verb::Update,
        Method::PATCH if !collection => Verb::Patch,
        Method::DELETE if collection => Verb::DeleteCollection,
        Method::DELETE => Verb::Delete,
        _ => return None,
    };
    if verb == Verb::Create && path.namespace.is_empty() && path.subresource.is_empty() {
        // Objects of namespaces are made in one.
        let namespaced = call.inner.catalog.kind(&path.group_version.group, &path.plural)?.row.namespaced;
        return (!namespaced).then_some(verb);
    }
    let allowed = match path.subresource.as_str() {
        "" => true,
        "status" => matches!(verb, Verb::Get | Verb::Update | Verb::Patch),
        "log" => verb == Verb::Get,
        "binding" => verb == Verb::Create,
        "finalize" => verb == Verb::Update,
        _ => false,
    };
    allowed.then_some(verb)
}
