//! Tables: what `kubectl get` shows, computed by the server.
//! Which columns a kind has is its row in the table of resources; who may read the objects is `policy`'s.
//! Invariant: a row has as many cells as there are definitions, and a missing value is null.
//! Start at [`definitions`], [`row`] and [`table`]; paths are in [`path`], durations in [`age`].

mod age;
mod path;

use api::table::{Cell, Column};
use serde_json::{Value, json};

pub use age::age;
pub use path::{JsonPath, JsonPathError};

use crate::meta;

/// What each row carries besides its cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IncludeObject {
    /// Nothing.
    None,
    /// The object's metadata.
    #[default]
    Metadata,
    /// The object.
    Object,
}

impl IncludeObject {
    /// Reads the query parameter `includeObject`; absent means metadata.
    #[must_use]
    pub fn parse(parameter: &str) -> Option<Self> {
        match parameter {
            "" | "Metadata" => Some(Self::Metadata),
            "None" => Some(Self::None),
            "Object" => Some(Self::Object),
            _ => None,
        }
    }
}

/// Events have the name among their own columns, far behind; all others show it first.
fn names_first(columns: &[Column]) -> bool {
    columns.iter().all(|column| column.name != "Name")
}

/// The `columnDefinitions`: `Name` first unless the kind has it elsewhere, and `Age` if it has no columns of its own.
#[must_use]
pub fn definitions(columns: &[Column]) -> Value {
    let definition = |name: &str, kind: &str, format: &str, description: &str, priority: i32| json!({"name": name, "type": kind, "format": format, "description": description, "priority": priority});
    let name = "Name must be unique within a namespace, and is how the object is identified.";
    let mut all = Vec::with_capacity(columns.len() + 1);
    if names_first(columns) {
        all.push(definition("Name", "string", "name", name, 0));
    }
    for column in columns {
        let format = if column.name == "Name" { "name" } else { "" };
        all.push(definition(column.name, column.kind, format, column.description, column.priority));
    }
    if columns.is_empty() {
        all.push(definition("Age", "date", "", "When the object was created, as the time since then.", 0));
    }
    all.into()
}

/// One row. `stored` is the object in the storage version, for the cells; `served` in the requested one. `now` is
/// RFC 3339.
#[must_use]
pub fn row(columns: &[Column], stored: &Value, served: &Value, include: IncludeObject, now: &str) -> Value {
    let mut cells = Vec::with_capacity(columns.len() + 1);
    if names_first(columns) {
        cells.push(json!(meta::name(stored)));
    }
    cells.extend(columns.iter().map(|column| cell(column, stored, now)));
    if columns.is_empty() {
        let created = meta::text(stored, &["metadata", "creationTimestamp"]);
        cells.push(created.map_or(Value::Null, |created| age(created, now).into()));
    }
    let mut row = json!({"cells": cells});
    match include {
        IncludeObject::None => {}
        IncludeObject::Metadata => row["object"] = partial(served),
        IncludeObject::Object => row["object"] = served.clone(),
    }
    row
}

/// The table. `metadata` is the list's; without `definitions` (later events of a watch) the headings are left out.
#[must_use]
pub fn table(definitions: Option<Value>, rows: Vec<Value>, metadata: Value) -> Value {
    json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": definitions.unwrap_or_else(|| json!([])),
        "rows": rows,
    })
}

/// The metadata of an object alone, as `PartialObjectMetadata`.
#[must_use]
pub fn partial(object: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": object.get("metadata").cloned().unwrap_or_else(|| json!({})),
    })
}

fn cell(column: &Column, object: &Value, now: &str) -> Value {
    let found = match &column.cell {
        Cell::Compute(compute) => compute(object),
        // The paths are literals of our own table; one that does not parse shows nothing.
        Cell::Path(path) => match JsonPath::parse(path) {
            Ok(path) => joined(&path.find(object), column.kind),
            Err(_) => Value::Null,
        },
    };
    match (column.kind, &found) {
        ("date", Value::String(since)) if since.contains('T') => age(since, now).into(),
        ("integer", Value::String(text)) => text.parse::<i64>().map_or(Value::Null, Value::from),
        _ => found,
    }
}

/// The values of a path as one cell: one value as it is, several as a list with commas.
fn joined(found: &[&Value], kind: &str) -> Value {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match found {
        [] | [Value::Null] => Value::Null,
        [one] if kind != "string" => (*one).clone(),
        many => many.iter().map(|value| text(value)).collect::<Vec<_>>().join(",").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn column(name: &'static str, kind: &'static str, cell: Cell) -> Column {
        Column { name, kind, priority: 0, description: "", cell }
    }

    const COLUMNS: &[Column] = &[
        column("Reason", "string", Cell::Path(".status.conditions[?(@.type==\"Succeeded\")].reason")),
        column("Count", "integer", Cell::Path(".status.count")),
        column("Started", "date", Cell::Path(".status.startTime")),
        column("Names", "string", Cell::Path(".spec.items[*].name")),
        column("Sum", "string", Cell::Compute(|object| json!(format!("{}!", meta::name(object))))),
    ];

    #[test]
    fn cells_come_from_paths_and_functions_and_are_null_where_nothing_is() {
        let object = json!({
            "metadata": {"name": "a", "uid": "u"},
            "spec": {"items": [{"name": "x"}, {"name": "y"}]},
            "status": {
                "count": 3, "startTime": "2026-01-01T00:00:00Z",
                "conditions": [{"type": "Other", "reason": "No"}, {"type": "Succeeded", "reason": "Done"}],
            },
        });
        let row = row(COLUMNS, &object, &object, IncludeObject::Metadata, "2026-01-01T00:03:20Z");
        assert_eq!(row["cells"], json!(["a", "Done", 3, "3m20s", "x,y", "a!"]));
        assert_eq!(row["object"]["kind"], "PartialObjectMetadata");
        assert_eq!(row["object"]["metadata"]["uid"], "u");
        let empty = json!({"metadata": {"name": "b"}});
        let row = super::row(COLUMNS, &empty, &empty, IncludeObject::None, "2026-01-01T00:00:00Z");
        assert_eq!(row, json!({"cells": ["b", null, null, null, null, "b!"]}));
    }

    #[test]
    fn a_kind_without_columns_has_its_name_and_age() {
        let object = json!({"metadata": {"name": "a", "creationTimestamp": "2026-01-01T00:00:00Z"}});
        let names: Vec<Value> =
            definitions(&[]).as_array().unwrap().iter().map(|column| column["name"].clone()).collect();
        assert_eq!(names, ["Name", "Age"]);
        let row = row(&[], &object, &object, IncludeObject::Object, "2026-01-06T00:00:00Z");
        assert_eq!(row["cells"], json!(["a", "5d"]));
        assert_eq!(row["object"], object);
        let table = table(Some(definitions(&[])), vec![row], json!({"resourceVersion": "7"}));
        assert_eq!(table["columnDefinitions"][0]["format"], "name");
        assert_eq!(table["metadata"]["resourceVersion"], "7");
    }

    #[test]
    fn a_kind_that_has_the_name_among_its_columns_does_not_show_it_twice() {
        let column = |name, path| Column {
            name,
            kind: "string",
            priority: 0,
            description: "",
            cell: Cell::Path(path),
        };
        let columns = [column("Type", ".type"), column("Name", ".metadata.name")];
        let headings = definitions(&columns);
        let names: Vec<_> = headings.as_array().unwrap().iter().map(|heading| &heading["name"]).collect();
        assert_eq!(names, ["Type", "Name"]);
        let event = json!({ "type": "Normal", "metadata": { "name": "e" } });
        let row = row(&columns, &event, &event, IncludeObject::None, "2026-01-01T00:00:00Z");
        assert_eq!(row["cells"], json!(["Normal", "e"]));
    }
}
