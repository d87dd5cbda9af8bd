//! Bodies to values: JSON and YAML, with what Kubernetes reports about them.
//! Schema and unknown fields are [`crate::schema`]'s affair.
//! Invariant: a body within the limits decodes in time and memory proportional to its size; others are refused.
//! Start at [`json`] and [`yaml`] for one object, [`yaml_documents`] for a file of several.

mod json;
mod path;
mod scalar;
mod yaml;

use std::collections::BTreeMap;

use serde_json::Value;

/// The most objects and lists inside each other: below the 128 that `serde_json` reads back, with room for the
/// list or event that an object is wrapped in.
pub const DEPTH_MAX: usize = 100;

/// A decoded body.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decoded {
    /// The value; the last of duplicate fields counts.
    pub value: Value,
    /// Paths of fields that occur twice, such as `spec.tasks[0].name`.
    pub duplicates: Vec<String>,
}

/// One document of a YAML file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// The value; the last of duplicate fields counts.
    pub value: Value,
    /// Paths of fields that occur twice.
    pub duplicates: Vec<String>,
    /// The line, from 1, where the document's content starts.
    pub line: usize,
    /// The line of each field and item, by path, such as `spec.tasks[0].name`.
    pub lines: BTreeMap<String, usize>,
}

/// Why a body cannot be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DecodeError {
    /// The text that answers 400.
    pub message: String,
    /// The line, from 1, where the text becomes wrong, if known.
    pub line: Option<usize>,
}

/// Decodes a JSON body.
///
/// # Errors
/// It is no JSON, nested too deeply, or followed by more.
pub fn json(body: &[u8]) -> Result<Decoded, DecodeError> {
    json::decode(body)
}

/// Decodes a YAML body: its first document. A body that begins as a JSON object is read as JSON, if it is.
///
/// # Errors
/// It is no YAML, or outgrows a limit.
pub fn yaml(body: &[u8]) -> Result<Decoded, DecodeError> {
    if body.trim_ascii_start().starts_with(b"{")
        && let Ok(decoded) = json::decode(body)
    {
        return Ok(decoded);
    }
    let text = std::str::from_utf8(body).map_err(|_| DecodeError {
        message: "error converting YAML to JSON: yaml: invalid leading UTF-8 octet".to_owned(),
        line: None,
    })?;
    let mut documents = yaml::documents(text, yaml::Lines::Forget, Some(1))?;
    Ok(documents
        .pop()
        .map(|document| Decoded { value: document.value, duplicates: document.duplicates })
        .unwrap_or_default())
}

/// Decodes all documents of a YAML text, with the line of each field; empty ones are left out.
///
/// # Errors
/// One of them is no YAML, or outgrows a limit.
pub fn yaml_documents(text: &str) -> Result<Vec<Document>, DecodeError> {
    yaml::documents(text, yaml::Lines::Remember, None)
}
