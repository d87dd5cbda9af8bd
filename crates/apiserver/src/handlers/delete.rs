//! Delete: one object or a collection, at once or when its finalizers and its grace allow it.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Response, StatusCode};
use machinery::meta;
use machinery::status::{self, StatusError};
use policy::{Attributes, Verb};
use serde_json::Value;
use store::{Entry, Expect};

use super::{input, output, read};
use crate::body::Body;
use crate::encode::{self, ListMetadata, Stored};
use crate::negotiate;
use crate::query::ListOptions;
use crate::registry::{Change, Written};
use crate::respond::{self, Refusal};
use crate::router::{Call, Place};
use crate::strategy::{self, DeleteRequest, Deletion, Propagation};
use crate::{errors, tenancy};

/// How often a deletion is tried anew when others write the same object.
const ATTEMPTS_MAX: usize = 64;

/// What the client asks for: `DeleteOptions` from the body, or the query.
struct Options {
    request: DeleteRequest,
    uid: Option<String>,
    resource_version: Option<String>,
    dry_run: bool,
}

/// DELETE of one object.
pub(crate) async fn delete(call: &Call<'_>, place: &Place<'_>) -> Result<Response<Body>, Refusal> {
    let options = options(call)?;
    let kind = place.kind();
    if is_kept(call, place).await? {
        let why = "this namespace may not be deleted";
        return Err(StatusError::forbidden(&kind.resource, place.name(), why).into());
    }
    match delete_object(call, place, &options).await? {
        Outcome::Gone { uid } => {
            let text = status::deleted(&kind.resource, place.name(), &uid).to_string();
            Ok(respond::encoded(StatusCode::OK, text.into_bytes(), output::negotiated(call)?.encoding))
        }
        Outcome::Stays { value, entry, revision } => {
            let item = Stored { value: &value, revision, ..Stored::of(&entry) };
            output::stored(call, place, StatusCode::OK, item)
        }
    }
}

/// Whether the object belongs to every workspace and stays as long as the workspace.
async fn is_kept(call: &Call<'_>, place: &Place<'_>) -> Result<bool, StatusError> {
    let Some(cluster) = place.cluster() else { return Ok(false) };
    Ok(place.kind().is("", "namespaces")
        && tenancy::DEFAULT_NAMESPACES.contains(&place.name())
        && !tenancy::is_cluster_ending(call.inner, cluster).await?)
}

enum Outcome {
    /// The object is gone.
    Gone { uid: String },
    /// It stays until its finalizers are gone or its grace is over.
    Stays { value: Bytes, entry: Entry, revision: types::Revision },
}

async fn delete_object(call: &Call<'_>, place: &Place<'_>, options: &Options) -> Result<Outcome, Refusal> {
    let registry = &call.inner.registry;
    let kind = place.kind();
    let absent = || StatusError::not_found(&kind.resource, place.name());
    let mut entry = registry.get(&place.grant, kind).await?.ok_or_else(absent)?;
    for _ in 0..ATTEMPTS_MAX {
        let old: Value =
            serde_json::from_slice(&entry.value).map_err(|error| errors::internal(&error.to_string()))?;
        check_preconditions(place, options, &entry, &old)?;
        let uid = meta::uid(&old).to_owned();
        let value = match strategy::delete(kind, &old, &options.request, (call.inner.clock)()) {
            Deletion::Waiting => {
                let revision = entry.modified;
                return Ok(Outcome::Stays { value: entry.value.clone(), entry, revision });
            }
            Deletion::Now => None,
            Deletion::Marked(object) => Some(Bytes::from(object.to_string())),
        };
        if options.dry_run {
            let revision = entry.modified;
            return Ok(match value {
                None => Outcome::Gone { uid },
                Some(value) => Outcome::Stays { value, entry, revision },
            });
        }
        let also = if kind.is(tenancy::TENANCY_GROUP, "workspaces") {
            tenancy::end_cluster(call.inner, &old).await?
        } else {
            Vec::new()
        };
        let change = Change {
            name: place.name().to_owned(),
            expect: Expect::ModifiedAt(entry.modified),
            value: value.clone(),
            also_expect: Vec::new(),
            also,
        };
        match registry.commit(&place.grant, kind, change).await? {
            Written::At(revision) => {
                return Ok(match value {
                    None => {
                        after(call, place);
                        Outcome::Gone { uid }
                    }
                    Some(value) => Outcome::Stays { value, entry, revision },
                });
            }
            Written::Other(Some(other)) => entry = other,
            Written::Other(None) => return Err(absent().into()),
            Written::OtherKey => return Err(errors::internal("a deletion depended on another object").into()),
        }
    }
    Err(StatusError::conflict(&kind.resource, place.name(), status::MODIFIED).into())
}

/// What follows from the removal of an object.
pub(super) fn after(call: &Call<'_>, place: &Place<'_>) {
    let kind = place.kind();
    if kind.is(tenancy::TENANCY_GROUP, "workspaces") || kind.is(tenancy::CORE_GROUP, "logicalclusters") {
        call.inner.tenancy.forget();
    }
}

fn check_preconditions(
    place: &Place<'_>,
    options: &Options,
    entry: &Entry,
    old: &Value,
) -> Result<(), StatusError> {
    let conflict = |what: &str, wanted: &str, is: &str| {
        let why =
            format!("Precondition failed: {what} in precondition: {wanted}, {what} in object meta: {is}");
        StatusError::conflict(&place.kind().resource, place.name(), &why)
    };
    if let Some(uid) = &options.uid
        && uid != meta::uid(old)
    {
        return Err(conflict("UID", uid, meta::uid(old)));
    }
    if let Some(version) = &options.resource_version
        && *version != entry.modified.to_string()
    {
        return Err(conflict("ResourceVersion", version, &entry.modified.to_string()));
    }
    Ok(())
}

fn options(call: &Call<'_>) -> Result<Options, StatusError> {
    let body = if call.body.is_empty() {
        Value::Null
    } else {
        let content_type = call.header(CONTENT_TYPE);
        let format = negotiate::body(content_type)
            .ok_or_else(|| input::unsupported(content_type, input::accepted(true)))?;
        input::decode_body(format, &call.body)?.value
    };
    let text = |path: &[&str]| meta::text(&body, path).filter(|text| !text.is_empty()).map(str::to_owned);
    let policy =
        text(&["propagationPolicy"]).or_else(|| call.query.get("propagationPolicy").map(str::to_owned));
    let orphan = body
        .get("orphanDependents")
        .and_then(Value::as_bool)
        .or_else(|| call.query.has("orphanDependents").then(|| call.query.flag("orphanDependents")));
    let propagation = match (policy.as_deref(), orphan) {
        (Some("Background"), None) => Some(Propagation::Background),
        (Some("Foreground"), None) => Some(Propagation::Foreground),
        (Some("Orphan"), None) => Some(Propagation::Orphan),
        (None, Some(true)) => Some(Propagation::Orphan),
        (None, Some(false)) => Some(Propagation::Background),
        (None, None) => None,
        (Some(_), Some(_)) => {
            return Err(invalid(
                "propagationPolicy: Invalid value: orphanDependents and deletionPropagation cannot be both set",
            ));
        }
        (Some(other), None) => {
            return Err(invalid(&format!(
                "propagationPolicy: Unsupported value: {other:?}: supported values: \"Background\", \"Foreground\", \
                 \"Orphan\""
            )));
        }
    };
    let grace_seconds = match body.get("gracePeriodSeconds").and_then(Value::as_i64) {
        Some(seconds) => Some(seconds),
        None => call.query.integer("gracePeriodSeconds")?,
    };
    if grace_seconds.is_some_and(|seconds| seconds < 0) {
        return Err(invalid("gracePeriodSeconds: Invalid value: must be greater than or equal to 0"));
    }
    let dry_run = match meta::list(&body, &["dryRun"]) {
        [] => call.query.dry_run()?,
        all if all.iter().all(|value| value == "All") => true,
        _ => return Err(invalid("dryRun: Unsupported value: supported values: \"All\"")),
    };
    Ok(Options {
        request: DeleteRequest { propagation, grace_seconds },
        uid: text(&["preconditions", "uid"]),
        resource_version: text(&["preconditions", "resourceVersion"]),
        dry_run,
    })
}

fn invalid(what: &str) -> StatusError {
    StatusError::new(status::Reason::Invalid, format!("DeleteOptions.meta.k8s.io \"\" is invalid: {what}"))
}

/// DELETE of a collection: each object that the selectors mean, and the list of them as the answer.
pub(crate) async fn delete_collection(call: &Call<'_>, place: &Place<'_>) -> Result<Response<Body>, Refusal> {
    let wanted = output::negotiated(call)?;
    let options = options(call)?;
    let list = ListOptions::of(&call.query, place.served.row().selectable_fields)?;
    let page = read::page(call, place, &list).await?;
    for entry in &page.entries {
        let Some([.., namespace, name]) = entry.key.parts() else { continue };
        // The grant for the collection covers each object in it; it is asked for again by name all the same.
        let mut target = place.grant.target().clone();
        namespace.clone_into(&mut target.namespace);
        name.clone_into(&mut target.name);
        let attributes = Attributes { verb: Verb::DeleteCollection, target };
        let grant = policy::allow(place.grant.identity(), attributes)
            .map_err(|denied| errors::of_denial(&denied, &place.kind().resource, name))?;
        let one = Place { served: place.served, grant };
        if is_kept(call, &one).await? {
            continue;
        }
        match delete_object(call, &one, &options).await {
            Ok(_) => {}
            Err(Refusal::Status(error)) if error.reason == status::Reason::NotFound => {}
            Err(other) => return Err(other),
        }
    }
    let metadata = ListMetadata { revision: page.revision, continue_token: page.next };
    let items: Vec<Stored<'_>> = page.entries.iter().map(Stored::of).collect();
    let bytes = encode::object_list(place.served, &metadata, &items)?;
    Ok(respond::encoded(StatusCode::OK, bytes, wanted.encoding))
}
