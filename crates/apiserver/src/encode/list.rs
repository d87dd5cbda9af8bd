//! Lists: an envelope around stored bytes.

use machinery::status::StatusError;
use serde_json::{Value, json};
use types::Revision;

use super::item::{Stored, append_object, append_partial};
use crate::catalog::Served;

/// The metadata of a list.
#[derive(Clone, Debug)]
pub(crate) struct ListMetadata {
    /// The revision of the snapshot.
    pub(crate) revision: Revision,
    /// The token for the next page, if there is one.
    pub(crate) continue_token: Option<String>,
}

impl ListMetadata {
    pub(crate) fn to_value(&self) -> Value {
        match &self.continue_token {
            Some(token) => json!({"resourceVersion": self.revision.to_string(), "continue": token}),
            None => json!({"resourceVersion": self.revision.to_string()}),
        }
    }
}

/// A list of objects.
pub(crate) fn objects(
    served: Served<'_>,
    metadata: &ListMetadata,
    items: &[Stored<'_>],
) -> Result<Vec<u8>, StatusError> {
    let mut out = begin(&format!("{}List", served.row().kind), served.api_version(), metadata, items);
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        append_object(&mut out, served, *item)?;
    }
    out.extend_from_slice(b"]}");
    Ok(out)
}

/// A list of metadata.
pub(crate) fn partials(metadata: &ListMetadata, items: &[Stored<'_>]) -> Vec<u8> {
    let mut out = begin("PartialObjectMetadataList", "meta.k8s.io/v1", metadata, items);
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        append_partial(&mut out, *item);
    }
    out.extend_from_slice(b"]}");
    out
}

fn begin(kind: &str, api_version: &str, metadata: &ListMetadata, items: &[Stored<'_>]) -> Vec<u8> {
    let size: usize = items.iter().map(|item| item.value.len() + 100).sum();
    let mut out = Vec::with_capacity(size + 256);
    let head = format!(
        r#"{{"kind":"{kind}","apiVersion":"{api_version}","metadata":{},"items":["#,
        metadata.to_value()
    );
    out.extend_from_slice(head.as_bytes());
    out
}
