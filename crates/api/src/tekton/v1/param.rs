//! Params: what a Task or Pipeline declares, and what a run gives.
//! Invariant: a number or boolean given for a param keeps its own text, so `1.10` stays `1.10`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::filled;
use serde_json::Value;

use crate::tekton::open_enum::open_enum;

open_enum! {
    /// The type of a param or result.
    pub enum ParamType {
        /// One text.
        String = "string",
        /// A list of texts.
        Array = "array",
        /// Texts by key.
        Object = "object",
    }
}

/// A param that a Task, Pipeline or StepAction takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ParamSpec {
    /// The name that `$(params.<name>)` refers to.
    #[serde(default)]
    pub name: String,
    /// `string`, `array` or `object`. When absent, it is taken from `properties` or `default`, else `string`.
    #[serde(rename = "type", default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub kind: Option<ParamType>,
    /// What the param is for.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The keys of an object param; each is of type `string`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, PropertySpec>,
    /// The value when none is given; without it the param is required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<ParamValue>,
    /// The only values that are allowed; for params of type `string`.
    #[serde(rename = "enum", default, skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<String>,
}

/// One key of an object param or object result.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PropertySpec {
    /// The type of the key's value: `string`.
    #[serde(rename = "type", default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub kind: Option<ParamType>,
}

/// A value for a param.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Param {
    /// The param's name.
    #[serde(default)]
    pub name: String,
    /// A string, a list of strings, or an object with string values.
    pub value: ParamValue,
}

/// A value of one of the three types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParamValue {
    /// One text.
    String(String),
    /// A list of texts.
    Array(Vec<String>),
    /// Texts by key.
    Object(BTreeMap<String, String>),
}

impl ParamValue {
    /// The type that the value has.
    #[must_use]
    pub const fn kind(&self) -> ParamType {
        match self {
            Self::String(_) => ParamType::String,
            Self::Array(_) => ParamType::Array,
            Self::Object(_) => ParamType::Object,
        }
    }

    /// The text of a string value.
    #[must_use]
    pub const fn as_string(&self) -> Option<&String> {
        match self {
            Self::String(text) => Some(text),
            Self::Array(_) | Self::Object(_) => None,
        }
    }

    /// The value of any JSON: lists of strings and objects of strings as such, all else as one text.
    ///
    /// Lists and objects with other content become their JSON text, so that the type check of a run reports them.
    #[must_use]
    pub fn from_json(json: &Value) -> Self {
        match json {
            Value::String(text) => Self::String(text.clone()),
            Value::Null => Self::String(String::new()),
            Value::Array(items) => texts(items).map_or_else(|| Self::String(json.to_string()), Self::Array),
            Value::Object(fields) => fields
                .iter()
                .map(|(key, value)| Some((key.clone(), text(value)?)))
                .collect::<Option<_>>()
                .map_or_else(|| Self::String(json.to_string()), Self::Object),
            Value::Bool(_) | Value::Number(_) => Self::String(json.to_string()),
        }
    }

    /// The value as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::String(text) => Value::from(text.as_str()),
            Self::Array(items) => Value::from(items.as_slice()),
            Self::Object(fields) => {
                fields.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect()
            }
        }
    }
}

fn texts(items: &[Value]) -> Option<Vec<String>> {
    items.iter().map(text).collect()
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Null => Some(String::new()),
        _ => None,
    }
}

impl Default for ParamValue {
    fn default() -> Self {
        Self::String(String::new())
    }
}

impl From<&str> for ParamValue {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for ParamValue {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl Serialize for ParamValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::String(text) => text.serialize(serializer),
            Self::Array(items) => items.serialize(serializer),
            Self::Object(fields) => fields.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ParamValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(|json| Self::from_json(&json))
    }
}

impl JsonSchema for ParamValue {
    fn schema_name() -> Cow<'static, str> {
        "ParamValue".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A string, a list of strings, or an object with string values. \
                            Numbers and booleans are taken as their text.",
            "x-kubernetes-preserve-unknown-fields": true,
        })
    }
}
