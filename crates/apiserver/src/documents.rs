//! Discovery and OpenAPI documents, made when they are first asked for and kept as bytes.
//! They are the same in every workspace, so there is one of each for the process.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use machinery::discovery::{self, Served};
use machinery::openapi;
use parking_lot::Mutex;
use serde_json::{Value, json};
use types::GroupVersion;

use crate::catalog::{Catalog, SUBRESOURCES};

/// Which document.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Name {
    CoreVersions,
    Groups,
    Group(String),
    Resources(GroupVersion),
    Aggregated { core: bool, version: &'static str },
    OpenApi { group: String, version: String },
    OpenApiV2,
}

/// A document.
pub(crate) struct Document {
    pub(crate) body: Bytes,
    /// Its entity tag, without quotes.
    pub(crate) etag: String,
}

/// All that were made so far.
#[derive(Default)]
pub(crate) struct Documents {
    made: Mutex<HashMap<Name, Arc<Document>>>,
}

impl Documents {
    /// The document of a name, or nothing if nothing of that name is served.
    pub(crate) fn get(&self, catalog: &Catalog, name: Name) -> Option<Arc<Document>> {
        if let Some(document) = self.made.lock().get(&name) {
            return Some(Arc::clone(document));
        }
        // Made outside of the lock: twice at worst, and what is served bounds how many names exist.
        let body = make(catalog, &name)?.to_string().into_bytes();
        let document = Arc::new(Document { etag: discovery::etag(&body), body: body.into() });
        self.made.lock().insert(name, Arc::clone(&document));
        Some(document)
    }

    /// All groups and versions.
    pub(crate) fn group_versions(&self, catalog: &Catalog) -> Vec<(String, String)> {
        served(catalog).group_versions()
    }

    /// The paths that `/` lists.
    pub(crate) fn paths(&self, catalog: &Catalog) -> String {
        let mut paths: Vec<String> =
            ["/api", "/apis", "/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version"]
                .map(str::to_owned)
                .into();
        for (group, version) in self.group_versions(catalog) {
            paths.push(format!("/{}", openapi::path(&group, &version)));
        }
        paths.sort();
        json!({"paths": paths}).to_string()
    }
}

fn served(catalog: &Catalog) -> Served<'_> {
    Served { resources: catalog.rows(), subresources: SUBRESOURCES }
}

fn make(catalog: &Catalog, name: &Name) -> Option<Value> {
    let served = served(catalog);
    match name {
        Name::CoreVersions => Some(served.core_versions()),
        Name::Groups => Some(served.group_list()),
        Name::Group(group) => served.group(group),
        Name::Resources(gv) => served.resource_list(&gv.group, &gv.version),
        Name::Aggregated { core, version } => Some(served.aggregated(*core, version)),
        Name::OpenApi { group, version } => openapi::document(&served, group, version),
        Name::OpenApiV2 => Some(openapi::v2(&served)),
    }
}
