//! The ordered table of current values, which lags behind the log and is brought up to date from it.
//! It is a redb file; nothing else in the crate knows that.
//! Invariant: one commit of the table moves its rows and the revision that they stand at together, so a crash leaves
//! it at some older revision and never in between.

use std::path::{Path, PathBuf};

use bytes::{Buf, BufMut, Bytes};
use parking_lot::RwLock;
use redb::{Database, Durability, ReadableDatabase, TableDefinition};
use types::Revision;

use super::{corrupted, io_error};
use crate::key::Key;
use crate::live::Scan;
use crate::merge::{Bounds, Layer};
use crate::store::{Entry, Error};

const ROWS: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("rows");
const NUMBERS: TableDefinition<'static, &str, u64> = TableDefinition::new("numbers");
const APPLIED: &str = "applied";

/// The revisions that stand before each value.
const ROW_HEAD_BYTES: usize = 8 + 8;

pub(crate) struct Table {
    path: PathBuf,
    cache_bytes: usize,
    /// `None` only while, or after, reopening failed.
    database: RwLock<Option<Database>>,
}

impl Table {
    /// Opens the table, or makes one that stands at `at_first`. Gives the revision that it stands at.
    pub(crate) fn open(
        path: &Path,
        cache_bytes: usize,
        at_first: Revision,
    ) -> Result<(Self, Revision), Error> {
        let database = open_database(path, cache_bytes)?;
        let table = Self { path: path.to_owned(), cache_bytes, database: RwLock::new(Some(database)) };
        let applied = match table.applied()? {
            Some(applied) => applied,
            None => {
                table.apply(&Layer::new(), at_first)?;
                at_first
            }
        };
        Ok((table, applied))
    }

    pub(crate) fn get(&self, key: &Key) -> Result<Option<Entry>, Error> {
        self.with(|database| {
            let rows = database.begin_read()?.open_table(ROWS)?;
            Ok(rows.get(&key.as_bytes()[..])?.map(|row| entry(&self.path, key.clone(), row.value())))
        })?
        .transpose()
    }

    pub(crate) fn scan(&self, bounds: &Bounds) -> Result<Scan, Error> {
        let path = self.path.clone();
        let range = self.with(|database| {
            let rows = database.begin_read()?.open_table(ROWS)?;
            let (start, end) = (bounds.0.as_ref().map(|key| &key[..]), bounds.1.as_ref().map(|key| &key[..]));
            Ok(rows.range::<&[u8]>((start, end))?)
        })?;
        Ok(Box::new(range.map(move |row| {
            let (key, row) = row.map_err(|error| table_error(&path, error.into()))?;
            entry(&path, Key::from_stored(Bytes::copy_from_slice(key.value())), row.value())
        })))
    }

    /// Writes a layer, and that the table stands at `revision` now; returns when both are durable.
    pub(crate) fn apply(&self, layer: &Layer, revision: Revision) -> Result<(), Error> {
        let applied = self.with(|database| {
            let mut txn = database.begin_write()?;
            txn.set_durability(Durability::Immediate)?;
            txn.set_quick_repair(true); // a start after a crash must not walk the whole table
            {
                let mut rows = txn.open_table(ROWS)?;
                let mut row = Vec::new();
                for (key, entry) in layer {
                    match entry {
                        Some(entry) => rows.insert(&key[..], put_row(&mut row, entry))?,
                        None => rows.remove(&key[..])?,
                    };
                }
                txn.open_table(NUMBERS)?.insert(APPLIED, revision.0)?;
            }
            Ok(txn.commit()?)
        });
        if applied.is_err() {
            self.reopen();
        }
        applied
    }

    /// Closes the file; nothing can be read afterwards.
    pub(crate) fn close(&self) {
        *self.database.write() = None;
    }

    /// After a failed write the engine refuses reads too, until its file is opened anew.
    fn reopen(&self) {
        let mut database = self.database.write();
        *database = None;
        *database = open_database(&self.path, self.cache_bytes).ok();
    }

    fn applied(&self) -> Result<Option<Revision>, Error> {
        self.with(|database| match database.begin_read()?.open_table(NUMBERS) {
            Ok(numbers) => Ok(numbers.get(APPLIED)?.map(|number| Revision(number.value()))),
            Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        })
    }

    fn with<T>(&self, work: impl FnOnce(&Database) -> Result<T, redb::Error>) -> Result<T, Error> {
        match &*self.database.read() {
            Some(database) => work(database).map_err(|error| table_error(&self.path, error)),
            None => Err(io_error(&self.path, std::io::Error::other("it is not open"))),
        }
    }
}

fn open_database(path: &Path, cache_bytes: usize) -> Result<Database, Error> {
    Database::builder()
        .set_cache_size(cache_bytes)
        .create(path)
        .map_err(|error| table_error(path, error.into()))
}

fn put_row<'a>(row: &'a mut Vec<u8>, entry: &Entry) -> &'a [u8] {
    row.clear();
    row.put_u64_le(entry.created.0);
    row.put_u64_le(entry.modified.0);
    row.put_slice(&entry.value);
    row
}

fn entry(path: &Path, key: Key, mut row: &[u8]) -> Result<Entry, Error> {
    if row.len() < ROW_HEAD_BYTES {
        return Err(corrupted(path, 0, "a row without revisions"));
    }
    let (created, modified) = (Revision(row.get_u64_le()), Revision(row.get_u64_le()));
    Ok(Entry { key, value: Bytes::copy_from_slice(row), created, modified })
}

fn table_error(path: &Path, error: redb::Error) -> Error {
    match error {
        redb::Error::Corrupted(what) => corrupted(path, 0, &what),
        redb::Error::Io(source) => io_error(path, source),
        other => io_error(path, std::io::Error::other(other)),
    }
}
