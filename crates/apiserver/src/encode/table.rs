//! Tables: what `kubectl get` prints.

use machinery::status::StatusError;
use machinery::table::{self as tables, IncludeObject};
use serde_json::Value;

use super::item::{Stored, parse, served_value};
use crate::catalog::Served;

/// How a table is made.
#[derive(Clone, Debug)]
pub(crate) struct TableShape {
    /// What each row carries besides its cells.
    pub(crate) include: IncludeObject,
    /// The time that ages are counted to, RFC 3339.
    pub(crate) now: String,
}

/// A table of entries. Later events of a watch leave the headings out.
pub(crate) fn table(
    served: Served<'_>,
    shape: &TableShape,
    headings: bool,
    metadata: Value,
    items: &[Stored<'_>],
) -> Result<Vec<u8>, StatusError> {
    let columns = served.row().columns;
    let mut rows = Vec::with_capacity(items.len());
    for item in items {
        let object = served_value(served, *item)?;
        let row = if served.is_stored_form() {
            tables::row(columns, &object, &object, shape.include, &shape.now)
        } else {
            tables::row(columns, &parse(item.value)?, &object, shape.include, &shape.now)
        };
        rows.push(row);
    }
    let definitions = headings.then(|| tables::definitions(columns));
    Ok(tables::table(definitions, rows, metadata).to_string().into_bytes())
}
