//! Single values of protobuf in their JSON form: text, times, quantities and what else Kubernetes writes its own way.
//! Invariant: a value that has no JSON form (text that is no UTF-8, a time out of range) is refused, never changed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::message::{self, Fault, payload};
use super::shape::Message;
use super::tables::meta::{INT_OR_STRING, QUANTITY, TIMESTAMP};
use super::wire::Reader;
use crate::decode;

/// Nanoseconds in a microsecond.
const MICROSECOND: i64 = 1_000;

/// Nanoseconds in a second.
const SECOND: i64 = 1_000_000 * MICROSECOND;

pub(super) fn text(bytes: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(bytes).map_err(|_| Fault::new("it is no UTF-8 text"))
}

pub(super) fn base64(bytes: &[u8]) -> Value {
    STANDARD.encode(bytes).into()
}

/// The zero time is an empty message, and null.
pub(super) fn time(bytes: &[u8]) -> Result<Value, Fault> {
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    // JSON has seconds only, and Kubernetes ignores the rest in protobuf too.
    let (seconds, _) = timestamp(bytes)?;
    let time = at(seconds, 0)?;
    Ok(format!("{time:.0}").into())
}

/// The zero time is an empty message, and null.
pub(super) fn micro_time(bytes: &[u8]) -> Result<Value, Fault> {
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    let (seconds, nanoseconds) = timestamp(bytes)?;
    let time = at(seconds, nanoseconds - nanoseconds % MICROSECOND)?;
    Ok(format!("{time:.6}").into())
}

fn timestamp(bytes: &[u8]) -> Result<(i64, i64), Fault> {
    let parts = parts(&TIMESTAMP, bytes)?;
    let part = |name: &str| parts.get(name).and_then(Value::as_i64).unwrap_or(0);
    Ok((part("seconds"), part("nanos")))
}

fn at(seconds: i64, nanoseconds: i64) -> Result<Timestamp, Fault> {
    let out_of_range = || Fault::new(format!("its time is out of range ({seconds} s, {nanoseconds} ns)"));
    if !(0..SECOND).contains(&nanoseconds) {
        return Err(out_of_range());
    }
    let nanoseconds = i32::try_from(nanoseconds).map_err(|_| out_of_range())?;
    let time = Timestamp::new(seconds, nanoseconds).map_err(|_| out_of_range())?;
    // RFC 3339 has years of four digits and no sign.
    if time.to_string().starts_with('-') { Err(out_of_range()) } else { Ok(time) }
}

/// A quantity without text is zero.
pub(super) fn quantity(bytes: &[u8]) -> Result<Value, Fault> {
    let text = parts(&QUANTITY, bytes)?.remove("string").unwrap_or_default();
    Ok(if text.is_string() { text } else { "0".into() })
}

pub(super) fn int_or_string(bytes: &[u8]) -> Result<Value, Fault> {
    let mut parts = parts(&INT_OR_STRING, bytes)?;
    match parts.get("type").and_then(Value::as_i64).unwrap_or(0) {
        0 => Ok(parts.remove("intVal").unwrap_or_else(|| 0.into())),
        1 => Ok(parts.remove("strVal").unwrap_or_else(|| "".into())),
        other => Err(Fault::new(format!("it is neither a number nor text, but of type {other}"))),
    }
}

/// JSON in bytes; none is null.
pub(super) fn fields_v1(bytes: &[u8]) -> Result<Value, Fault> {
    let mut raw: &[u8] = &[];
    let mut reader = Reader::new(bytes);
    while let Some((number, wire)) = reader.field()? {
        if number == 1 {
            raw = payload(wire)?;
        }
    }
    if raw.is_empty() {
        return Ok(Value::Null);
    }
    let decoded =
        decode::json(raw).map_err(|error| Fault::new(format!("its JSON is wrong: {}", error.message)))?;
    Ok(decoded.value)
}

fn parts(message: &Message, bytes: &[u8]) -> Result<Map<String, Value>, Fault> {
    let mut parts = Map::new();
    message::read(message, bytes, &mut parts)?;
    Ok(parts)
}
