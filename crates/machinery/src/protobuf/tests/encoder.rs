//! The inverse of the decoder over the same tables, for tests only: answers are JSON.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::protobuf::shape::{Form, Kind, Message};

/// A whole body.
pub(super) fn body(message: &Message, object: &Value) -> Vec<u8> {
    let fields = object.as_object().expect("an object");
    let mut kind = Vec::new();
    bytes(&mut kind, 1, text(&object["apiVersion"]));
    bytes(&mut kind, 2, text(&object["kind"]));
    let mut envelope = Vec::new();
    bytes(&mut envelope, 1, &kind);
    bytes(&mut envelope, 2, &encode(message, fields));
    [b"k8s\0", envelope.as_slice()].concat()
}

pub(super) fn encode(message: &Message, object: &Map<String, Value>) -> Vec<u8> {
    let mut out = Vec::new();
    for field in message.fields {
        let value = object.get(field.name);
        match (&field.form, value) {
            (Form::Inline(inner), _) => bytes(&mut out, field.number, &encode(inner, object)),
            (_, None) => {}
            (Form::One(kind), Some(one)) => put(&mut out, field.number, kind, one),
            (Form::List(kind), Some(list)) => {
                list.as_array()
                    .expect("a list")
                    .iter()
                    .for_each(|item| put(&mut out, field.number, kind, item));
            }
            (Form::Map(kind), Some(map)) => {
                for (key, value) in map.as_object().expect("a map") {
                    let mut entry = Vec::new();
                    bytes(&mut entry, 1, key.as_bytes());
                    put(&mut entry, 2, kind, value);
                    bytes(&mut out, field.number, &entry);
                }
            }
        }
    }
    out
}

fn put(out: &mut Vec<u8>, number: u32, kind: &Kind, value: &Value) {
    match kind {
        Kind::Text => bytes(out, number, text(value)),
        Kind::Int => integer(out, number, value.as_i64().expect("a number")),
        Kind::Bool => integer(out, number, value.as_bool().expect("a boolean").into()),
        Kind::Bytes => bytes(out, number, &STANDARD.decode(text(value)).expect("base64")),
        Kind::Time | Kind::MicroTime => {
            let time: Timestamp = value.as_str().expect("text").parse().expect("a time");
            let mut parts = Vec::new();
            integer(
                &mut parts,
                1,
                time.as_nanosecond().div_euclid(1_000_000_000).try_into().expect("seconds"),
            );
            integer(&mut parts, 2, time.as_nanosecond().rem_euclid(1_000_000_000).try_into().expect("nanos"));
            bytes(out, number, &parts);
        }
        Kind::Quantity => {
            let mut parts = Vec::new();
            bytes(&mut parts, 1, text(value));
            bytes(out, number, &parts);
        }
        Kind::IntOrString => {
            let mut parts = Vec::new();
            integer(&mut parts, 1, value.is_string().into());
            integer(&mut parts, 2, value.as_i64().unwrap_or(0));
            bytes(&mut parts, 3, value.as_str().unwrap_or("").as_bytes());
            bytes(out, number, &parts);
        }
        Kind::FieldsV1 => {
            let mut parts = Vec::new();
            bytes(&mut parts, 1, value.to_string().as_bytes());
            bytes(out, number, &parts);
        }
        Kind::Message(inner) => bytes(out, number, &encode(inner, value.as_object().expect("an object"))),
    }
}

fn text(value: &Value) -> &[u8] {
    value.as_str().expect("text").as_bytes()
}

pub(super) fn integer(out: &mut Vec<u8>, number: u32, value: i64) {
    varint(out, u64::from(number) << 3);
    varint(out, value.cast_unsigned());
}

pub(super) fn bytes(out: &mut Vec<u8>, number: u32, value: &[u8]) {
    varint(out, u64::from(number) << 3 | 2);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
