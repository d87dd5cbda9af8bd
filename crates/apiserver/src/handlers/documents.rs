//! Health, version, discovery and OpenAPI: what a client asks before it asks for objects.

use bytes::Bytes;
use http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_TYPE, ETAG, EXPIRES, HeaderValue, IF_NONE_MATCH, LOCATION, VARY,
};
use http::{Response, StatusCode};
use serde_json::json;

use super::output;
use crate::body::Body;
use crate::documents::{Document, Name};
use crate::negotiate::{self, Discovery};
use crate::request_info::{RequestInfo, Route};
use crate::respond::{self, Refusal};
use crate::router::Call;

/// `openapi.v2.Document` of gnostic with `swagger: "2.0"`, `info: {title: "Kubernetes", version: "unversioned"}` and
/// nothing else. Only kubectl asks for this form, and only about kinds that the v3 documents do not have; from a
/// document without them it goes on to say that there is no such kind.
const OPEN_API_V2_PROTOBUF: &[u8] = b"\x0a\x032.0\x12\x19\x0a\x0aKubernetes\x12\x0bunversioned";

/// `/livez`, `/readyz`, `/healthz`.
pub(crate) fn health(call: &Call<'_>) -> Response<Body> {
    if *call.inner.stopping.borrow() {
        return respond::plain(StatusCode::SERVICE_UNAVAILABLE, "stopping");
    }
    if let Some(why) = call.inner.registry.stopped() {
        let text = format!("[+]ping ok\n[-]store failed: {why}\nhealthz check failed\n");
        return respond::plain(StatusCode::INTERNAL_SERVER_ERROR, text);
    }
    let text =
        if call.query.has("verbose") { "[+]ping ok\n[+]store ok\nhealthz check passed\n" } else { "ok" };
    respond::plain(StatusCode::OK, text)
}

/// `/version`. The numbers are those of the Kubernetes API that is served.
pub(crate) fn version() -> Response<Body> {
    let text = json!({
        "major": "1",
        "minor": "34",
        "gitVersion": "v1.34.0+psvc",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "none",
        "compiler": "rustc",
        "platform": format!("{}/{}", std::env::consts::OS, go_arch()),
        "emulationMajor": "1",
        "emulationMinor": "34",
    });
    respond::json(StatusCode::OK, text.to_string())
}

fn go_arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// Discovery and OpenAPI documents.
pub(crate) fn documents(call: &Call<'_>, info: &RequestInfo) -> Result<Response<Body>, Refusal> {
    match &info.route {
        Route::OpenApiV2 if negotiate::is_open_api_protobuf(call.header(ACCEPT)) => {
            let content_type = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
            Ok(respond::with_type(StatusCode::OK, content_type, Bytes::from_static(OPEN_API_V2_PROTOBUF)))
        }
        Route::OpenApiV2 => found(call, Name::OpenApiV2),
        Route::OpenApiV3Index => Ok(respond::json(StatusCode::OK, open_api_index(call, info))),
        Route::OpenApiV3(path) => open_api(call, info, path),
        Route::Root => Ok(respond::json(StatusCode::OK, call.inner.documents.paths(&call.inner.catalog))),
        _ => discovery(call, info),
    }
}

fn discovery(call: &Call<'_>, info: &RequestInfo) -> Result<Response<Body>, Refusal> {
    let form = negotiate::discovery(call.header(ACCEPT)).ok_or_else(output::not_acceptable)?;
    let (name, content_type) = match (&info.route, form) {
        (Route::CoreVersions, Discovery::Plain) => (Name::CoreVersions, ""),
        (Route::Groups, Discovery::Plain) => (Name::Groups, ""),
        (Route::CoreVersions, Discovery::AggregatedV2) => {
            (Name::Aggregated { core: true, version: "v2" }, "v2")
        }
        (Route::CoreVersions, Discovery::AggregatedV2Beta1) => {
            (Name::Aggregated { core: true, version: "v2beta1" }, "v2beta1")
        }
        (Route::Groups, Discovery::AggregatedV2) => (Name::Aggregated { core: false, version: "v2" }, "v2"),
        (Route::Groups, Discovery::AggregatedV2Beta1) => {
            (Name::Aggregated { core: false, version: "v2beta1" }, "v2beta1")
        }
        (Route::Group(group), _) => (Name::Group(group.clone()), ""),
        (Route::Resources(group_version), _) => (Name::Resources(group_version.clone()), ""),
        _ => return Err(Refusal::PageNotFound),
    };
    let mut response = found(call, name)?;
    if !content_type.is_empty() && response.status() == StatusCode::OK {
        // Clients take the answer for aggregated only if it says so.
        let text =
            format!("application/json;g=apidiscovery.k8s.io;v={content_type};as=APIGroupDiscoveryList");
        if let Ok(value) = HeaderValue::try_from(text) {
            response.headers_mut().insert(CONTENT_TYPE, value);
        }
    }
    Ok(response)
}

/// A document with its entity tag, or 304 for a client that has it.
fn found(call: &Call<'_>, name: Name) -> Result<Response<Body>, Refusal> {
    let document = call.inner.documents.get(&call.inner.catalog, name).ok_or(Refusal::PageNotFound)?;
    let tag = format!("\"{}\"", document.etag);
    let known =
        call.header(IF_NONE_MATCH).is_some_and(|tags| tags.split(',').any(|known| known.trim() == tag));
    let mut response = if known {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        respond::json(StatusCode::OK, document.body.clone())
    };
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::try_from(tag) {
        headers.insert(ETAG, value);
    }
    headers.insert(VARY, HeaderValue::from_static("Accept"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public"));
    Ok(response)
}

fn open_api_index(call: &Call<'_>, info: &RequestInfo) -> String {
    let documents = &call.inner.documents;
    let hashes: Vec<(String, String)> = documents
        .group_versions(&call.inner.catalog)
        .into_iter()
        .filter_map(|(group, version)| {
            let path = machinery::openapi::path(&group, &version);
            let document = documents.get(&call.inner.catalog, Name::OpenApi { group, version })?;
            Some((path, document.etag.clone()))
        })
        .collect();
    machinery::openapi::index(&info.prefix, &hashes).to_string()
}

fn open_api(call: &Call<'_>, info: &RequestInfo, path: &str) -> Result<Response<Body>, Refusal> {
    let parts: Vec<&str> = path.split('/').collect();
    let (group, version) = match parts.as_slice() {
        ["api", version] => (String::new(), (*version).to_owned()),
        ["apis", group, version] => ((*group).to_owned(), (*version).to_owned()),
        _ => return Err(Refusal::PageNotFound),
    };
    let name = Name::OpenApi { group, version };
    let document: std::sync::Arc<Document> =
        call.inner.documents.get(&call.inner.catalog, name.clone()).ok_or(Refusal::PageNotFound)?;
    match call.query.get("hash") {
        None => found(call, name),
        Some(hash) if hash == document.etag => {
            let mut response = found(call, name)?;
            let headers = response.headers_mut();
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, immutable"));
            let expires = ((call.inner.clock)() + jiff::SignedDuration::from_hours(365 * 24))
                .strftime("%a, %d %b %Y %H:%M:%S GMT")
                .to_string();
            if let Ok(value) = HeaderValue::try_from(expires) {
                headers.insert(EXPIRES, value);
            }
            Ok(response)
        }
        Some(_) => {
            let url = format!("{}/openapi/v3/{path}?hash={}", info.prefix, document.etag);
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
            if let Ok(value) = HeaderValue::try_from(url) {
                response.headers_mut().insert(LOCATION, value);
            }
            Ok(response)
        }
    }
}
