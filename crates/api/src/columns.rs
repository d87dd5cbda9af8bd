//! Columns that several kinds share, and small readers of JSON for computed cells.

use serde_json::Value;

use crate::table::{Cell, Column};

/// When the object was made; shown as an age.
pub(crate) const AGE: Column = Column {
    name: "Age",
    kind: "date",
    priority: 0,
    description: "How long ago the object was made.",
    cell: Cell::Path(".metadata.creationTimestamp"),
};

/// A column whose cells are found by a JSON path.
pub(crate) const fn path(
    name: &'static str,
    kind: &'static str,
    path: &'static str,
    description: &'static str,
) -> Column {
    Column { name, kind, priority: 0, description, cell: Cell::Path(path) }
}

/// A column whose cells are computed.
pub(crate) const fn computed(
    name: &'static str,
    kind: &'static str,
    cell: fn(&Value) -> Value,
    description: &'static str,
) -> Column {
    Column { name, kind, priority: 0, description, cell: Cell::Compute(cell) }
}

/// The same column, shown only with `-o wide`.
pub(crate) const fn wide(column: Column) -> Column {
    Column { priority: 1, ..column }
}

/// The text at a JSON pointer; empty if there is none.
pub(crate) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The list at a JSON pointer; empty if there is none.
pub(crate) fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The number of entries of an object at a JSON pointer.
pub(crate) fn entries(object: &Value, pointer: &str) -> usize {
    object.pointer(pointer).and_then(Value::as_object).map_or(0, serde_json::Map::len)
}

/// The text, or `<none>` for an empty one.
pub(crate) fn or_none(text: &str) -> Value {
    Value::from(if text.is_empty() { "<none>" } else { text })
}
