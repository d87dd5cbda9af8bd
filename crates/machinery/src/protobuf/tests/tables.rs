//! What must hold of the tables, whatever Kubernetes adds to them.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::protobuf::shape::{Field, Form, Kind, Message};
use crate::protobuf::tables::{self, ROOTS};

fn inner(field: &Field) -> Option<&'static Message> {
    match &field.form {
        Form::One(Kind::Message(inner))
        | Form::List(Kind::Message(inner))
        | Form::Map(Kind::Message(inner))
        | Form::Inline(inner) => Some(inner),
        Form::One(_) | Form::List(_) | Form::Map(_) => None,
    }
}

/// The fields of a message with those of the messages in line.
fn flat(message: &'static Message) -> Vec<&'static Field> {
    let mut all = Vec::new();
    for field in message.fields {
        match &field.form {
            Form::Inline(inner) => all.extend(flat(inner)),
            _ => all.push(field),
        }
    }
    all
}

fn walk(message: &'static Message, around: &mut Vec<*const Message>, path: &str) {
    assert!(!around.contains(&std::ptr::from_ref(message)), "{path} contains itself");
    assert!(message.fields.is_sorted_by(|a, b| a.number < b.number), "{path} is not in order");
    let all = flat(message);
    let names: BTreeSet<&str> = all.iter().map(|field| field.name).collect();
    assert_eq!(names.len(), all.len(), "{path} has two fields of one name");
    around.push(message);
    for field in message.fields {
        if let Some(inner) = inner(field) {
            walk(inner, around, &format!("{path}.{}", field.name));
        }
    }
    around.pop();
}

#[test]
fn messages_are_in_order_and_never_contain_themselves() {
    for (_, kind, message) in ROOTS {
        walk(message, &mut Vec::new(), kind);
    }
}

/// The schema that a schema stands for.
fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let reference = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    let choices =
        ["anyOf", "oneOf", "allOf"].into_iter().filter_map(|word| schema[word].as_array()).flatten();
    let choice = choices.into_iter().find(|choice| choice["type"] != "null");
    match (reference, choice) {
        (Some(reference), _) => resolve(root, root.pointer(reference).expect("defined")),
        (None, Some(choice)) if schema["properties"].is_null() => resolve(root, choice),
        _ => schema,
    }
}

fn is(schema: &Value, kind: &str) -> bool {
    schema["type"] == kind
        || schema["type"].as_array().is_some_and(|kinds| kinds.iter().any(|one| one == kind))
}

/// Compares one field's form with its schema, and the message in it.
fn compare(root: &Value, schema: &Value, field: &Field, path: &str, wrong: &mut Vec<String>) {
    let schema = resolve(root, schema);
    let (schema, kind) = match &field.form {
        Form::List(kind) => (resolve(root, &schema["items"]), kind),
        Form::Map(kind) => (resolve(root, &schema["additionalProperties"]), kind),
        Form::One(kind) => (schema, kind),
        Form::Inline(_) => return,
    };
    let fits = match kind {
        Kind::Text | Kind::Bytes | Kind::Time | Kind::MicroTime => is(schema, "string"),
        Kind::Int => is(schema, "integer"),
        Kind::Bool => is(schema, "boolean"),
        Kind::Message(message) => {
            compare_all(root, schema, message, path, wrong);
            true
        }
        Kind::Quantity | Kind::IntOrString | Kind::FieldsV1 => true,
    };
    if !fits {
        wrong.push(format!("{path} is another kind of value in {schema}"));
    }
}

fn compare_all(root: &Value, schema: &Value, message: &'static Message, path: &str, wrong: &mut Vec<String>) {
    let all = flat(message);
    let Some(properties) = schema["properties"].as_object() else {
        return wrong.push(format!("{path} has no fields in {schema}"));
    };
    for (name, property) in properties {
        let path = format!("{path}.{name}");
        match all.iter().find(|field| field.name == name) {
            Some(field) => compare(root, property, field, &path, wrong),
            None if ["apiVersion", "kind"].contains(&name.as_str()) => {}
            None => wrong.push(format!("{path} is missing")),
        }
    }
}

#[test]
fn every_field_of_every_built_in_kind_is_in_the_tables() {
    let mut wrong = Vec::new();
    for row in api::resources().iter().filter(|row| row.builtin) {
        for version in row.versions {
            let joint = if row.group.is_empty() { "" } else { "/" };
            let api_version = format!("{}{joint}{}", row.group, version.name);
            match tables::message(&api_version, row.kind) {
                Some(message) => {
                    let schema = (version.schema)();
                    compare_all(&schema, resolve(&schema, &schema), message, row.kind, &mut wrong);
                }
                None => wrong.push(format!("{api_version} {} is missing", row.kind)),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
