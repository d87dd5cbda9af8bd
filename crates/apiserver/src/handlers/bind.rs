//! `pods/binding`: gives a Pod to a node, once.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Response, StatusCode};
use machinery::meta;
use machinery::status::{self, StatusError};
use serde_json::json;
use store::Expect;

use super::input;
use crate::body::Body;
use crate::errors;
use crate::negotiate;
use crate::registry::{Change, Written};
use crate::respond::{self, Refusal};
use crate::router::{Call, Place};

/// POST of a Binding.
pub(crate) async fn bind(call: &Call<'_>, place: &Place<'_>) -> Result<Response<Body>, Refusal> {
    let kind = place.kind();
    let content_type = call.header(CONTENT_TYPE);
    let format = negotiate::body(content_type)
        .ok_or_else(|| input::unsupported(content_type, input::accepted(true)))?;
    let binding = input::decode_body(format, &call.body)?.value;
    let node = meta::text(&binding, &["target", "name"]).filter(|node| !node.is_empty());
    let node =
        node.ok_or_else(|| StatusError::bad_request("target.name: Required value: the name of a node"))?;
    let entry = call.inner.registry.get(&place.grant, kind).await?;
    let entry = entry.ok_or_else(|| StatusError::not_found(&kind.resource, place.name()))?;
    let mut pod: serde_json::Value =
        serde_json::from_slice(&entry.value).map_err(|error| errors::internal(&error.to_string()))?;
    let conflict = |why: &str| StatusError::conflict(&kind.resource, place.name(), why);
    if meta::text(&pod, &["metadata", "deletionTimestamp"]).is_some() {
        return Err(conflict(&format!(
            "pod {} is being deleted, cannot be assigned to a host",
            place.name()
        ))
        .into());
    }
    if let Some(other) = meta::text(&pod, &["spec", "nodeName"]).filter(|other| !other.is_empty()) {
        let why = format!("pod {} is already assigned to node {other:?}", place.name());
        return Err(conflict(&why).into());
    }
    meta::set(&mut pod, &["spec", "nodeName"], node.into());
    if !call.query.dry_run()? {
        let change = Change {
            name: place.name().to_owned(),
            expect: Expect::ModifiedAt(entry.modified),
            value: Some(Bytes::from(pod.to_string())),
            also_expect: Vec::new(),
            also: Vec::new(),
        };
        if !matches!(call.inner.registry.commit(&place.grant, kind, change).await?, Written::At(_)) {
            return Err(conflict(status::MODIFIED).into());
        }
    }
    let success =
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
    Ok(respond::json(StatusCode::CREATED, success.to_string()))
}
