//! Reads a message by its description into a JSON object.
//! Single values are [`super::scalar`]'s.
//! Invariant: as protobuf has it, the last of several values counts, messages are merged, lists are added to, and
//! unknown fields are skipped.

use serde_json::{Map, Value};

use super::scalar;
use super::shape::{Field, Form, Kind, Message};
use super::wire::{Reader, Wire};

/// What is wrong with a message, and where.
#[derive(Debug)]
pub(super) struct Fault {
    /// The path of the field, such as `spec.containers[0].name`; empty for the message itself.
    pub(super) path: String,
    /// What is wrong with it, as a sentence about "it".
    pub(super) what: String,
}

impl Fault {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self { path: String::new(), what: what.into() }
    }

    /// The same fault seen from the message or list around it.
    fn within(mut self, step: &str) -> Self {
        let joint = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("{step}{joint}{}", self.path);
        self
    }
}

/// Adds the fields of the message in `bytes` to `object`.
pub(super) fn read(message: &Message, bytes: &[u8], object: &mut Map<String, Value>) -> Result<(), Fault> {
    let mut reader = Reader::new(bytes);
    while let Some((number, wire)) = reader.field()? {
        let Some(field) = message.field(number) else { continue };
        match &field.form {
            // Not seen in JSON, and so no step of a path.
            Form::Inline(inner) => read(inner, payload(wire)?, object)?,
            Form::One(_) | Form::List(_) | Form::Map(_) => {
                read_field(field, wire, object).map_err(|fault| fault.within(field.name))?
            }
        }
    }
    Ok(())
}

fn read_field(field: &Field, wire: Wire<'_>, object: &mut Map<String, Value>) -> Result<(), Fault> {
    match &field.form {
        Form::One(Kind::Message(inner)) | Form::Inline(inner) => {
            let slot = object.entry(field.name).or_insert_with(|| Value::Object(Map::new()));
            slot.as_object_mut().map_or(Ok(()), |fields| read(inner, payload(wire)?, fields))
        }
        Form::One(kind) => {
            let value = value(kind, wire)?;
            if value.is_null() || (!field.keeps_zero && is_zero(kind, &value)) {
                object.remove(field.name);
            } else {
                object.insert(field.name.to_owned(), value);
            }
            Ok(())
        }
        Form::List(kind) => {
            let items = object.entry(field.name).or_insert_with(|| Value::Array(Vec::new()));
            items.as_array_mut().map_or(Ok(()), |items| read_items(kind, wire, items))
        }
        Form::Map(kind) => {
            let (key, value) = entry(kind, payload(wire)?)?;
            let slot = object.entry(field.name).or_insert_with(|| Value::Object(Map::new()));
            slot.as_object_mut().map(|entries| entries.insert(key, value));
            Ok(())
        }
    }
}

/// One item, or several numbers if they are packed.
fn read_items(kind: &Kind, wire: Wire<'_>, items: &mut Vec<Value>) -> Result<(), Fault> {
    if let (Kind::Int | Kind::Bool, Wire::Bytes(packed)) = (kind, wire) {
        let mut reader = Reader::new(packed);
        while let Some(number) = reader.packed()? {
            items.push(value(kind, Wire::Varint(number))?);
        }
        return Ok(());
    }
    let item = value(kind, wire).map_err(|fault| fault.within(&format!("[{}]", items.len())))?;
    items.push(item);
    Ok(())
}

/// An entry of a map: a message of a key and a value; either is zero if it is absent.
fn entry(kind: &Kind, bytes: &[u8]) -> Result<(String, Value), Fault> {
    let mut key = "";
    let mut last = match kind {
        Kind::Int | Kind::Bool => Wire::Varint(0),
        _ => Wire::Bytes(&[]),
    };
    let mut reader = Reader::new(bytes);
    while let Some((number, wire)) = reader.field()? {
        match number {
            1 => key = scalar::text(payload(wire)?)?,
            2 => last = wire,
            _ => {}
        }
    }
    let value = value(kind, last).map_err(|fault| fault.within(&format!("[{key}]")))?;
    Ok((key.to_owned(), value))
}

fn value(kind: &Kind, wire: Wire<'_>) -> Result<Value, Fault> {
    match (kind, wire) {
        (Kind::Int, Wire::Varint(number)) => Ok(number.cast_signed().into()),
        (Kind::Bool, Wire::Varint(number)) => Ok((number != 0).into()),
        (Kind::Int | Kind::Bool, _) => Err(Fault::new("it is not written as a number")),
        (Kind::Text, _) => scalar::text(payload(wire)?).map(Value::from),
        (Kind::Bytes, _) => payload(wire).map(scalar::base64),
        (Kind::Time, _) => scalar::time(payload(wire)?),
        (Kind::MicroTime, _) => scalar::micro_time(payload(wire)?),
        (Kind::Quantity, _) => scalar::quantity(payload(wire)?),
        (Kind::IntOrString, _) => scalar::int_or_string(payload(wire)?),
        (Kind::FieldsV1, _) => scalar::fields_v1(payload(wire)?),
        (Kind::Message(inner), _) => {
            let mut object = Map::new();
            read(inner, payload(wire)?, &mut object)?;
            Ok(Value::Object(object))
        }
    }
}

/// The bytes of a field that is not a number.
pub(super) fn payload(wire: Wire<'_>) -> Result<&[u8], Fault> {
    match wire {
        Wire::Bytes(bytes) => Ok(bytes),
        Wire::Varint(_) | Wire::Fixed => Err(Fault::new("it is written as a number")),
    }
}

fn is_zero(kind: &Kind, value: &Value) -> bool {
    match kind {
        Kind::Text => value == "",
        Kind::Int => value.as_i64() == Some(0),
        Kind::Bool => value == false,
        _ => false,
    }
}
