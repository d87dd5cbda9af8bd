//! Bodies in Kubernetes' protobuf form, which typed clients send for built-in kinds. Pure.
//! Read only, by tables of fields: answers are JSON, which those clients take. A kind or a field that is not in the
//! tables is refused by name, never dropped.
//! Source of the form: `k8s.io/apimachinery` `runtime/serializer/protobuf`; of the numbers: `generated.proto`.

mod messages;
mod wire;

use serde_json::Value;

use messages::{Field, Message, Shape, Type};
use wire::{Reader, Wire};

const MAGIC: &[u8] = b"k8s\0";

/// Why a body cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// It is not what it says it is.
    #[error("the body is no Kubernetes protobuf: {0}")]
    Malformed(&'static str),
    /// The kind is not one that is read in this form.
    #[error("{0} is not read as protobuf by this server: send JSON")]
    Kind(String),
    /// A field is not known.
    #[error("field {number} of {message} is not read as protobuf by this server: send JSON")]
    Field {
        /// The message.
        message: &'static str,
        /// The field's number.
        number: u64,
    },
}

/// The object in a body.
pub(crate) fn decode(body: &[u8]) -> Result<Value, Error> {
    let unknown =
        body.strip_prefix(MAGIC).ok_or(Error::Malformed("it does not begin with `k8s` and a zero"))?;
    let (mut api_version, mut kind, mut raw) = (String::new(), String::new(), &[][..]);
    let mut reader = Reader::new(unknown);
    while let Some((number, value)) = reader.field()? {
        match (number, value) {
            (1, Wire::Bytes(bytes)) => {
                let mut reader = Reader::new(bytes);
                while let Some((number, value)) = reader.field()? {
                    match (number, value) {
                        (1, Wire::Bytes(text)) => api_version = wire::text(text)?,
                        (2, Wire::Bytes(text)) => kind = wire::text(text)?,
                        _ => return Err(Error::Malformed("its type has fields that nobody knows")),
                    }
                }
            }
            (2, Wire::Bytes(bytes)) => raw = bytes,
            (3 | 4, Wire::Bytes(_)) => {}
            _ => return Err(Error::Malformed("its envelope has fields that nobody knows")),
        }
    }
    let message = messages::of_kind(&api_version, &kind)
        .ok_or_else(|| Error::Kind(format!("{kind} of {api_version}")))?;
    let mut object = decode_message(message, raw)?;
    object["apiVersion"] = api_version.into();
    object["kind"] = kind.into();
    Ok(object)
}

fn decode_message(message: &'static Message, bytes: &[u8]) -> Result<Value, Error> {
    let mut object = serde_json::Map::new();
    let mut reader = Reader::new(bytes);
    while let Some((number, wire)) = reader.field()? {
        let field = message
            .fields
            .iter()
            .find(|field| u64::from(field.number) == number)
            .ok_or(Error::Field { message: message.name, number })?;
        let name = field.name.to_owned();
        match field.shape {
            Shape::Plain => {
                let value = decode_value(field, wire)?;
                if !is_empty(&value) {
                    object.insert(name, value);
                }
            }
            Shape::Pointer => {
                object.insert(name, decode_value(field, wire)?);
            }
            Shape::List => {
                let value = decode_value(field, wire)?;
                if let Value::Array(items) = object.entry(name).or_insert_with(|| Value::Array(Vec::new())) {
                    items.push(value);
                }
            }
            Shape::Map => {
                let (key, value) = decode_entry(field, wire)?;
                if let Value::Object(entries) =
                    object.entry(name).or_insert_with(|| Value::Object(serde_json::Map::new()))
                {
                    entries.insert(key, value);
                }
            }
        }
    }
    Ok(Value::Object(object))
}

/// What Go's JSON leaves out of a field that is no pointer.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

fn decode_entry(field: &Field, wire: Wire<'_>) -> Result<(String, Value), Error> {
    let Wire::Bytes(bytes) = wire else { return Err(Error::Malformed("an entry of a map is no message")) };
    let (mut key, mut value) = (String::new(), None);
    let mut reader = Reader::new(bytes);
    while let Some((number, wire)) = reader.field()? {
        match (number, wire) {
            (1, Wire::Bytes(text)) => key = wire::text(text)?,
            (2, wire) => value = Some(decode_value(field, wire)?),
            _ => return Err(Error::Malformed("an entry of a map has fields that nobody knows")),
        }
    }
    let absent = || match field.kind {
        Type::Message(_) => Value::Object(serde_json::Map::new()),
        _ => Value::String(String::new()),
    };
    Ok((key, value.unwrap_or_else(absent)))
}

fn decode_value(field: &Field, wire: Wire<'_>) -> Result<Value, Error> {
    Ok(match (&field.kind, wire) {
        (Type::Text, Wire::Bytes(bytes)) => Value::String(wire::text(bytes)?),
        (Type::Base64, Wire::Bytes(bytes)) => {
            use base64::Engine;
            Value::String(base64::engine::general_purpose::STANDARD.encode(bytes))
        }
        (Type::Integer, Wire::Varint(number)) => Value::from(number.cast_signed()),
        (Type::Flag, Wire::Varint(number)) => Value::Bool(number != 0),
        (Type::Time { digits }, Wire::Bytes(bytes)) => time(bytes, *digits)?,
        (Type::Quantity, Wire::Bytes(bytes)) => Value::String(first_text(bytes)?),
        (Type::Json, Wire::Bytes(bytes)) => serde_json::from_str(&first_text(bytes)?)
            .map_err(|_| Error::Malformed("a field of JSON text is no JSON"))?,
        (Type::Message(message), Wire::Bytes(bytes)) => decode_message(message, bytes)?,
        _ => return Err(Error::Malformed("a field has the wrong type")),
    })
}

/// The text in field 1 of a message that has no other.
fn first_text(bytes: &[u8]) -> Result<String, Error> {
    let mut reader = Reader::new(bytes);
    let mut found = String::new();
    while let Some((number, wire)) = reader.field()? {
        match (number, wire) {
            (1, Wire::Bytes(bytes)) => found = wire::text(bytes)?,
            _ => return Err(Error::Malformed("a text has fields that nobody knows")),
        }
    }
    Ok(found)
}

/// A time as JSON has it; the zero time is nothing.
fn time(bytes: &[u8], digits: usize) -> Result<Value, Error> {
    let mut reader = Reader::new(bytes);
    let (mut seconds, mut nanoseconds) = (0_i64, 0_i64);
    while let Some((number, wire)) = reader.field()? {
        match (number, wire) {
            (1, Wire::Varint(value)) => seconds = value.cast_signed(),
            (2, Wire::Varint(value)) => nanoseconds = value.cast_signed(),
            _ => return Err(Error::Malformed("a time has fields that nobody knows")),
        }
    }
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    let nanoseconds = i32::try_from(nanoseconds).map_err(|_| Error::Malformed("a time is out of range"))?;
    let time =
        jiff::Timestamp::new(seconds, nanoseconds).map_err(|_| Error::Malformed("a time is out of range"))?;
    Ok(Value::String(format!("{time:.digits$}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Field `number` with bytes.
    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2, u8::try_from(bytes.len()).unwrap()];
        out.extend_from_slice(bytes);
        out
    }

    fn body(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
        let types = [field(1, api_version.as_bytes()), field(2, kind.as_bytes())].concat();
        [MAGIC.to_vec(), field(1, &types), field(2, raw), field(3, b""), field(4, b"")].concat()
    }

    #[test]
    fn an_object_reads_as_its_json_would() {
        // As client-go writes it: fields that are no pointers are there even when they are empty.
        let labels = field(11, &[field(1, b"a"), field(2, b"b")].concat());
        let metadata = [
            field(1, b"m"),
            field(2, b""),
            field(3, b"ns"),
            field(5, b""),
            vec![7 << 3, 0],
            field(8, b""),
            labels,
        ];
        let data = field(2, &[field(1, b"k"), field(2, b"v")].concat());
        let binary = field(3, &[field(1, b"bin"), field(2, &[0, 1])].concat());
        let raw = [field(1, &metadata.concat()), data, binary, vec![4 << 3, 0]].concat();
        let object = decode(&body("v1", "ConfigMap", &raw)).unwrap();
        assert_eq!(
            object.to_string(),
            r#"{"apiVersion":"v1","binaryData":{"bin":"AAE="},"data":{"k":"v"},"immutable":false,"kind":"ConfigMap","metadata":{"labels":{"a":"b"},"name":"m","namespace":"ns"}}"#
        );
        let time = field(3, &[vec![1 << 3, 60], vec![2 << 3, 0xe8, 7]].concat());
        let raw = field(2, &[field(1, b"me"), time].concat());
        let lease = decode(&body("coordination.k8s.io/v1", "Lease", &raw)).unwrap();
        assert_eq!(lease["spec"]["acquireTime"], "1970-01-01T00:01:00.000001Z");
    }

    #[test]
    fn what_is_not_known_is_refused_by_name() {
        let error = |body: &[u8]| decode(body).unwrap_err().to_string();
        assert!(error(&body("v1", "Pod", b"")).starts_with("Pod of v1 is not read as protobuf"));
        assert!(
            error(&body("v1", "ConfigMap", &field(9, b""))).starts_with("field 9 of ConfigMap is not read")
        );
        assert!(error(b"{}").starts_with("the body is no Kubernetes protobuf"));
    }

    #[test]
    fn damaged_bodies_are_errors_wherever_they_are_cut() {
        let raw = [field(1, &field(1, b"m")), field(2, &[field(1, b"k"), field(2, b"v")].concat())].concat();
        let whole = body("v1", "ConfigMap", &raw);
        for end in 0..whole.len() {
            let _ = decode(&whole[..end]);
        }
        let mut lying = whole.clone();
        lying[5] = 0xff;
        assert!(decode(&lying).is_err());
    }
}
