//! Any object of any kind comes back as it was.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::encoder;
use crate::protobuf::decode;
use crate::protobuf::shape::{Form, Kind, Message};
use crate::protobuf::tables::ROOTS;

/// Bytes that decide what an object looks like; at their end nothing more is added to it.
struct Tape {
    bytes: std::vec::IntoIter<u8>,
}

impl Tape {
    fn next(&mut self) -> usize {
        self.bytes.next().unwrap_or(0).into()
    }

    fn pick<const N: usize>(&mut self, values: [Value; N]) -> Value {
        let index = self.next() % N;
        values.into_iter().nth(index).unwrap_or_default()
    }

    fn object(&mut self, message: &Message, object: &mut Map<String, Value>) {
        for field in message.fields {
            if let Form::Inline(inner) = &field.form {
                self.object(inner, object);
                continue;
            }
            if self.next() % 3 != 1 {
                continue;
            }
            let value = match &field.form {
                Form::One(Kind::Text) if !field.keeps_zero => self.pick([json!("a"), json!("é 🦀\n")]),
                Form::One(Kind::Int) if !field.keeps_zero => {
                    self.pick([json!(1), json!(-1), json!(i64::MAX)])
                }
                Form::One(Kind::Bool) if !field.keeps_zero => json!(true),
                Form::One(kind) => self.value(kind),
                Form::List(kind) => (0..=self.next() % 3).map(|_| self.value(kind)).collect(),
                Form::Map(kind) => {
                    let count = self.next() % 3;
                    Value::Object((0..=count).map(|key| (format!("k{key}/é"), self.value(kind))).collect())
                }
                Form::Inline(_) => continue,
            };
            object.insert(field.name.to_owned(), value);
        }
    }

    fn value(&mut self, kind: &Kind) -> Value {
        match kind {
            Kind::Text => self.pick([json!(""), json!("a"), json!("é 🦀\u{0}")]),
            Kind::Int => self.pick([json!(0), json!(300), json!(i64::MIN), json!(i64::MAX)]),
            Kind::Bool => self.pick([json!(false), json!(true)]),
            Kind::Bytes => {
                let count = self.next() % 5;
                let bytes: Vec<u8> = self.bytes.by_ref().take(count).collect();
                STANDARD.encode(bytes).into()
            }
            Kind::Time => self.pick([
                json!("1970-01-01T00:00:00Z"),
                json!("2024-02-29T23:59:59Z"),
                json!("0001-01-01T00:00:01Z"),
            ]),
            Kind::MicroTime => {
                self.pick([json!("1970-01-01T00:00:00.000000Z"), json!("1969-12-31T23:59:59.000001Z")])
            }
            Kind::Quantity => self.pick([json!("1500m"), json!("0"), json!("64Mi")]),
            Kind::IntOrString => self.pick([json!(0), json!(-80), json!("http"), json!("")]),
            Kind::FieldsV1 => self.pick([json!({}), json!({"f:spec": {"k:{\"name\":\"a\"}": {".": {}}}})]),
            Kind::Message(inner) => {
                let mut object = Map::new();
                self.object(inner, &mut object);
                Value::Object(object)
            }
        }
    }
}

/// An object of one of the kinds and its body.
fn objects() -> impl Strategy<Value = (Value, Vec<u8>)> {
    (0..ROOTS.len(), prop::collection::vec(any::<u8>(), 0..3_000)).prop_map(|(root, bytes)| {
        let (api_version, kind, message) = ROOTS[root];
        let mut object = Map::new();
        Tape { bytes: bytes.into_iter() }.object(message, &mut object);
        object.insert("apiVersion".to_owned(), api_version.into());
        object.insert("kind".to_owned(), kind.into());
        let object = Value::Object(object);
        let body = encoder::body(message, &object);
        (object, body)
    })
}

proptest! {
    #[test]
    fn an_object_of_any_kind_is_the_same_in_protobuf_and_json((object, body) in objects()) {
        prop_assert_eq!(decode(&body).map(|decoded| decoded.value), Ok(object));
    }

    #[test]
    fn a_damaged_body_is_an_object_or_an_error(
        (_, mut body) in objects(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        end in any::<prop::sample::Index>(),
    ) {
        let at = at.index(body.len());
        body[at] = byte;
        body.truncate(end.index(body.len()) + 1);
        if let Ok(decoded) = decode(&body) {
            prop_assert!(decoded.value.is_object());
        }
    }
}
