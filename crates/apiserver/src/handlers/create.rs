//! Create.

use bytes::Bytes;
use http::{Response, StatusCode};
use machinery::meta::{self, NameRule};
use machinery::status::{Cause, Details, Reason, StatusError};
use policy::Verb;
use serde_json::Value;
use store::{Expect, Key, Op};
use types::{ClusterId, GroupResource};

use super::{input, output};
use crate::body::Body;
use crate::catalog::Kind;
use crate::encode::Stored;
use crate::registry::{Change, Written, object_key, server_grant};
use crate::respond::Refusal;
use crate::router::{Call, Place};
use crate::{errors, strategy, tenancy};

/// How often a generated name is tried anew when it is taken. Source: Kubernetes' `maxNameGenerationCreateAttempts`.
const NAME_ATTEMPTS_MAX: usize = 8;

/// POST of an object.
pub(crate) async fn create(call: &Call<'_>, place: &Place<'_>) -> Result<Response<Body>, Refusal> {
    let object = input::object(call, place)?;
    if !meta::resource_version(&object).is_empty() {
        return Err(
            StatusError::bad_request("resourceVersion should not be set on objects to be created").into()
        );
    }
    create_object(call, place, object, None).await
}

/// Creates an object that was decoded, pruned and defaulted. `managed` are its managed fields, if the caller
/// knows them already.
pub(super) async fn create_object(
    call: &Call<'_>,
    place: &Place<'_>,
    object: Value,
    managed: Option<Value>,
) -> Result<Response<Body>, Refusal> {
    let dry_run = call.query.dry_run()?;
    let cluster = place.cluster().ok_or_else(|| errors::internal("a create without a workspace"))?;
    let namespace_key = check_namespace(call, place, cluster).await?;
    let generated = meta::name(&object).is_empty()
        && meta::text(&object, &["metadata", "generateName"]).is_some_and(|prefix| !prefix.is_empty());
    let mut template = object;
    for _ in 0..NAME_ATTEMPTS_MAX {
        let object = if generated {
            generate_name(call, &mut template);
            template.clone()
        } else {
            std::mem::take(&mut template)
        };
        let mut new = prepare(call, place, object)?;
        let also = complete(call, place.kind(), cluster, &mut new).await?;
        admit(place, &new)?;
        record_manager(call, place, &mut new, managed.as_ref())?;
        let name = meta::name(&new).to_owned();
        let value =
            Bytes::from(serde_json::to_vec(&new).map_err(|error| errors::internal(&error.to_string()))?);
        let code = StatusCode::CREATED;
        if dry_run {
            let taken = exists(call, place, cluster, &name).await?;
            return if taken {
                Err(StatusError::already_exists(&place.kind().resource, &name).into())
            } else {
                output::dry(call, place, code, &value, None)
            };
        }
        let change = Change {
            name: name.clone(),
            expect: Expect::Absent,
            value: Some(value.clone()),
            also_expect: namespace_key.iter().map(|key| (key.clone(), Expect::Present)).collect(),
            also,
        };
        match call.inner.registry.commit(&place.grant, place.kind(), change).await? {
            Written::At(revision) => {
                let item = Stored { value: &value, revision, cluster: cluster.as_str() };
                return output::stored(call, place, code, item);
            }
            Written::Other(_) if generated => {}
            Written::Other(_) => {
                return Err(StatusError::already_exists(&place.kind().resource, &name).into());
            }
            Written::OtherKey => return Err(no_such_namespace(place.namespace()).into()),
        }
    }
    let text = "the server was not able to generate a unique name for the object";
    Err(StatusError::new(Reason::AlreadyExists, text).into())
}

fn generate_name(call: &Call<'_>, object: &mut Value) {
    let prefix = meta::text(object, &["metadata", "generateName"]).unwrap_or_default();
    let bits = (call.inner.random)().to_le_bytes();
    let mut random = [0; meta::GENERATED_SUFFIX_LEN];
    random.copy_from_slice(&bits[..meta::GENERATED_SUFFIX_LEN]);
    let name = meta::generated_name(prefix, random);
    meta::set(object, &["metadata", "name"], name.into());
}

/// The object as it would be stored, but for what depends on other objects.
fn prepare(call: &Call<'_>, place: &Place<'_>, mut object: Value) -> Result<Value, Refusal> {
    let kind = place.kind();
    strategy::stamp_new(kind, &mut object, &call.inner.new_uid(), &call.inner.now_seconds());
    let wrong = place.served.schema()?.validate(&object);
    if !wrong.is_empty() {
        return Err(errors::invalid(kind, meta::name(&object), &wrong).into());
    }
    let mut new = place.served.stored_form(object)?;
    (kind.storage.default)(&mut new);
    Ok(new)
}

/// What the server adds to new objects of some kinds, and what is made together with them.
async fn complete(
    call: &Call<'_>,
    kind: &Kind,
    cluster: &ClusterId,
    new: &mut Value,
) -> Result<Vec<Op>, Refusal> {
    let (is_namespace, is_workspace) =
        (kind.is("", "namespaces"), kind.is(tenancy::TENANCY_GROUP, "workspaces"));
    if (is_namespace || is_workspace) && !meta::dns1123_label(meta::name(new)).is_empty() {
        return Ok(Vec::new()); // refused at admission; such a name must not reach a key
    }
    if is_namespace {
        return Ok(tenancy::namespace_content(call.inner, cluster, meta::name(new))?);
    }
    if is_workspace {
        return Ok(tenancy::complete_workspace(call.inner, cluster, new).await?);
    }
    if kind.is("", "pods") && meta::get(new, &["status", "phase"]).is_none() {
        meta::set(new, &["status", "phase"], "Pending".into());
    }
    Ok(Vec::new())
}

fn admit(place: &Place<'_>, new: &Value) -> Result<(), Refusal> {
    let kind = place.kind();
    let name = meta::name(new);
    let wrong = meta::validate(new, name_rule(kind), kind.row.namespaced);
    if !wrong.is_empty() {
        return Err(errors::invalid(kind, name, &wrong).into());
    }
    rules(kind, new, None)
}

/// What the kind itself asks of an object, and what Tekton asks across its fields: variables and graphs.
pub(super) fn rules(kind: &Kind, new: &Value, old: Option<&Value>) -> Result<(), Refusal> {
    (kind.storage.validate)(new, old)
        .and_then(|()| {
            let is_tekton = kind.row.group == "tekton.dev";
            if is_tekton { pipeline::admission::validate(kind.row.plural, new) } else { Ok(()) }
        })
        .map_err(|rejection| errors::of_rejection(kind, meta::name(new), rejection).into())
}

/// What names of a kind look like.
pub(super) fn name_rule(kind: &Kind) -> NameRule {
    if kind.is("", "namespaces") || kind.is(tenancy::TENANCY_GROUP, "workspaces") {
        NameRule::Label
    } else {
        NameRule::Subdomain
    }
}

fn record_manager(
    call: &Call<'_>,
    place: &Place<'_>,
    new: &mut Value,
    managed: Option<&Value>,
) -> Result<(), StatusError> {
    if let Some(managed) = managed {
        meta::set(new, &["metadata", "managedFields"], managed.clone());
        return Ok(());
    }
    let time = call.inner.now_seconds();
    let writer = input::writer(call, place, "", &time)?;
    super::change::track(place, None, new, &writer)
}

/// The key of the namespace that must be there, after it was seen to take new objects.
async fn check_namespace(
    call: &Call<'_>,
    place: &Place<'_>,
    cluster: &ClusterId,
) -> Result<Option<Key>, Refusal> {
    let namespace = place.namespace();
    let Some(kind) = call.inner.catalog.kind("", "namespaces") else { return Ok(None) };
    if namespace.is_empty() {
        if tenancy::is_cluster_ending(call.inner, cluster).await? {
            let why = "unable to create new content because the workspace is being deleted";
            return Err(StatusError::forbidden(&place.kind().resource, place.name(), why).into());
        }
        return Ok(None);
    }
    let grant = server_grant(Verb::Get, kind, cluster, "", namespace)?;
    let entry = call.inner.registry.get(&grant, kind).await?.ok_or_else(|| no_such_namespace(namespace))?;
    if tenancy::is_dying(&entry) {
        let why =
            format!("unable to create new content in namespace {namespace} because it is being terminated");
        let cause = Cause {
            reason: "NamespaceTerminating".to_owned(),
            message: format!("namespace {namespace} is being terminated"),
            field: "metadata.namespace".to_owned(),
        };
        let resource = &place.kind().resource;
        let error = StatusError::forbidden(resource, place.name(), &why).about(Details {
            group: resource.group.clone(),
            kind: resource.resource.clone(),
            causes: vec![cause],
            ..Details::default()
        });
        return Err(error.into());
    }
    Ok(Some(object_key(kind, cluster, "", namespace)))
}

async fn exists(
    call: &Call<'_>,
    place: &Place<'_>,
    cluster: &ClusterId,
    name: &str,
) -> Result<bool, StatusError> {
    let grant = server_grant(Verb::Get, place.kind(), cluster, place.namespace(), name)?;
    Ok(call.inner.registry.get(&grant, place.kind()).await?.is_some())
}

fn no_such_namespace(name: &str) -> StatusError {
    StatusError::not_found(&GroupResource { group: String::new(), resource: "namespaces".to_owned() }, name)
}
