//! How a message is described: for each field its number, its name in JSON and what it holds.
//! The descriptions themselves are in [`super::tables`], written with [`messages!`].
//! Invariant: fields stand in ascending order of their numbers.

/// One message.
pub(super) struct Message {
    /// Its fields, ascending by number.
    pub(super) fields: &'static [Field],
}

/// One field of a message.
pub(super) struct Field {
    pub(super) number: u32,
    /// The name in JSON.
    pub(super) name: &'static str,
    pub(super) form: Form,
    /// Whether zero (no text, 0, false) means something other than absence. Go writes the zero of every field that
    /// is no pointer; JSON leaves it out where the Go type says `omitempty`.
    pub(super) keeps_zero: bool,
}

/// How often a field holds its kind of value.
pub(super) enum Form {
    One(Kind),
    List(Kind),
    /// An object in JSON; its keys are text.
    Map(Kind),
    /// A message whose fields JSON shows among those of the message around it.
    Inline(&'static Message),
}

/// One kind of value.
pub(super) enum Kind {
    /// Text, also of enumerations.
    Text,
    Int,
    Bool,
    /// Base64 in JSON.
    Bytes,
    /// RFC 3339 in seconds in JSON; null if it is the zero time.
    Time,
    /// RFC 3339 in microseconds in JSON; null if it is the zero time.
    MicroTime,
    Quantity,
    IntOrString,
    /// The fields of an entry of `managedFields`: JSON in bytes.
    FieldsV1,
    Message(&'static Message),
}

impl Message {
    /// The field of this number.
    pub(super) fn field(&self, number: u32) -> Option<&'static Field> {
        let index = self.fields.binary_search_by_key(&number, |field| field.number).ok()?;
        self.fields.get(index)
    }
}

/// Writes descriptions: `NAME: number field form, ...;`. A form is a kind (`text`, `int`, ..., or the `NAME` of a
/// message), `[kind]` a list, `{kind}` a map, `(NAME)` a message in line. `=0` after it: zero is kept.
macro_rules! messages {
    ($($message:ident: $($number:literal $name:ident $form:tt $(= $zero:tt)?),+;)+) => {
        $(pub(in crate::protobuf) static $message: crate::protobuf::shape::Message =
            crate::protobuf::shape::Message {
                fields: &[$(crate::protobuf::shape::Field {
                    number: $number,
                    name: stringify!($name),
                    form: crate::protobuf::shape::form!($form),
                    keeps_zero: crate::protobuf::shape::keeps_zero!($($zero)?),
                }),+],
            };)+
    };
}

macro_rules! form {
    ([$kind:tt]) => {
        crate::protobuf::shape::Form::List(crate::protobuf::shape::kind!($kind))
    };
    ({$kind:tt}) => {
        crate::protobuf::shape::Form::Map(crate::protobuf::shape::kind!($kind))
    };
    (($message:ident)) => {
        crate::protobuf::shape::Form::Inline(&$message)
    };
    ($kind:tt) => {
        crate::protobuf::shape::Form::One(crate::protobuf::shape::kind!($kind))
    };
}

macro_rules! kind {
    (text) => {
        crate::protobuf::shape::Kind::Text
    };
    (int) => {
        crate::protobuf::shape::Kind::Int
    };
    (bool) => {
        crate::protobuf::shape::Kind::Bool
    };
    (bytes) => {
        crate::protobuf::shape::Kind::Bytes
    };
    (time) => {
        crate::protobuf::shape::Kind::Time
    };
    (micro_time) => {
        crate::protobuf::shape::Kind::MicroTime
    };
    (quantity) => {
        crate::protobuf::shape::Kind::Quantity
    };
    (int_or_string) => {
        crate::protobuf::shape::Kind::IntOrString
    };
    (fields_v1) => {
        crate::protobuf::shape::Kind::FieldsV1
    };
    ($message:ident) => {
        crate::protobuf::shape::Kind::Message(&$message)
    };
}

macro_rules! keeps_zero {
    () => {
        false
    };
    (0) => {
        true
    };
}

pub(super) use {form, keeps_zero, kind, messages};
