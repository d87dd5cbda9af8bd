//! Opening, using and closing an embedded store.
//! Invariant: one process at a time has the directory; what it finds there is checked before anything is served.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use types::Revision;

use super::log::{Log, Opened};
use super::options::Options;
use super::table::Table;
use super::upkeep::{Signals, Upkeep};
use super::writer::{Ack, Request, Writer};
use super::{corrupted, io_error};
use crate::blocking::off_thread;
use crate::decide::assert_distinct_keys;
use crate::key::{Key, KeyPrefix};
use crate::live::{Beneath, Core, Scan, Stretch};
use crate::memory::REVISION_EMPTY;
use crate::merge::Bounds;
use crate::ring::RingLimits;
use crate::store::{BoxFuture, Entry, Error, Event, Outcome, Range, RangePage, Store, Txn, Watch};
use crate::watch::Cursor;

/// How many transactions may wait for the writer; further ones wait to be queued.
const QUEUE_MAX: usize = 4096;

/// Ranges of up to this many entries are read where they are asked for, others on a thread that may block.
const INLINE_ENTRIES_MAX: usize = 1000;

/// How long a directory may still be held by a process that is going away, or by a child that it started and that
/// has not yet become another program: 40 times 10 ms.
const LOCK_TRIES: u32 = 40;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// A [`Store`] in a directory of this machine.
pub struct EmbeddedStore {
    core: Arc<Core>,
    dir: PathBuf,
    running: Mutex<Option<Running>>,
}

/// What an open store holds on to.
struct Running {
    requests: mpsc::Sender<Request>,
    writer: JoinHandle<()>,
    upkeep: JoinHandle<()>,
    signals: Arc<Signals>,
    table: Arc<Table>,
    _lock: File,
}

/// What lies beneath the memory of an embedded store.
struct Files {
    log: Arc<Log>,
    table: Arc<Table>,
}

impl Beneath for Files {
    fn get(&self, key: &Key) -> Result<Option<Entry>, Error> {
        self.table.get(key)
    }

    fn scan(&self, bounds: &Bounds) -> Result<Scan, Error> {
        self.table.scan(bounds)
    }

    fn stretch(&self, scope: &KeyPrefix, after: Revision) -> Result<Option<Stretch>, Error> {
        self.log.stretch(scope, after)
    }
}

impl EmbeddedStore {
    /// Opens the store in `dir`, or makes one. Blocks while the log is checked and replayed.
    ///
    /// # Errors
    /// [`Error::Io`] when the directory cannot be used or another process has it; [`Error::Corrupted`] when a
    /// file does not hold what was written to it.
    pub fn open(dir: &Path, options: &Options) -> Result<Self, Error> {
        let log_dir = dir.join("log");
        std::fs::create_dir_all(&log_dir).map_err(|source| io_error(&log_dir, source))?;
        let lock = lock(&dir.join("LOCK"))?;
        let table_path = dir.join("table.redb");
        if !table_path.exists() && log_dir.read_dir().is_ok_and(|mut files| files.next().is_some()) {
            return Err(corrupted(&table_path, 0, "it is missing, and the log beside it is not"));
        }
        let (table, applied) = Table::open(&table_path, options.table_cache_bytes, REVISION_EMPTY)?;
        let mut replayed = Vec::new();
        let Opened { log, floor } =
            Log::open(&log_dir, options.segment_bytes, applied, |event| replayed.push(detached(&event)))?;
        sync_dirs(dir)?;
        let (log, table) = (Arc::new(log), Arc::new(table));
        let files = Files { log: Arc::clone(&log), table: Arc::clone(&table) };
        let limits = RingLimits { events: options.ring_events_max, bytes: options.ring_bytes_max };
        let core = Arc::new(Core::new(Box::new(files), log.last(), floor, limits));
        core.replay(&replayed);
        let running = Running::start(&core, log, table, applied, lock, options)
            .map_err(|source| io_error(dir, source))?;
        Ok(Self { core, dir: dir.to_owned(), running: Mutex::new(Some(running)) })
    }

    async fn ask<T>(&self, request: impl FnOnce(Ack<T>) -> Request) -> Result<T, Error> {
        let requests = match &*self.running.lock() {
            Some(running) => running.requests.clone(),
            None => return Err(Error::Closed),
        };
        let (ack, outcome) = oneshot::channel();
        requests.send(request(ack)).await.map_err(|_| self.writer_gone())?;
        outcome.await.map_err(|_| self.writer_gone())?
    }

    /// The writer answers everything it takes, so this is a bug in it.
    fn writer_gone(&self) -> Error {
        let source = Arc::new(io::Error::other("the writer stopped without an answer"));
        Error::Durability { path: self.dir.display().to_string(), source }
    }
}

impl Running {
    fn start(
        core: &Arc<Core>,
        log: Arc<Log>,
        table: Arc<Table>,
        applied: Revision,
        lock: File,
        options: &Options,
    ) -> io::Result<Self> {
        let signals = Arc::new(Signals::default());
        let upkeep = Upkeep {
            core: Arc::clone(core),
            log: Arc::clone(&log),
            table: Arc::clone(&table),
            signals: Arc::clone(&signals),
            applied,
            memory_bytes: options.memory_bytes,
        };
        let writer = Writer {
            core: Arc::clone(core),
            log,
            signals: Arc::clone(&signals),
            memory_bytes: options.memory_bytes,
            history_bytes_max: options.history_bytes_max,
        };
        let (requests, queue) = mpsc::channel(QUEUE_MAX);
        let named = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let writer = named("store-writer").spawn(move || writer.run(queue))?;
        let upkeep = named("store-upkeep").spawn(move || upkeep.run())?;
        signals.want(); // what was replayed may be more than memory should hold
        Ok(Self { requests, writer, upkeep, signals, table, _lock: lock })
    }

    /// Finishes what was asked and releases the files.
    fn stop(self, core: &Core, dir: &Path) -> Result<(), Error> {
        drop(self.requests);
        let writer = self.writer.join();
        core.close();
        self.signals.stop();
        let upkeep = self.upkeep.join();
        self.table.close();
        let failure = match (writer, upkeep) {
            (Ok(()), Ok(())) => self.signals.failure(),
            _ => Some("a thread of the store panicked".to_owned()),
        };
        match failure {
            None => Ok(()),
            Some(failure) => Err(io_error(dir, io::Error::other(failure))),
        }
    }
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        if let Some(running) = self.running.lock().take() {
            // What is not in the table is in the log; the next start finds it there.
            drop(running.stop(&self.core, &self.dir));
        }
    }
}

impl Store for EmbeddedStore {
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>, Error>> {
        Box::pin(async move { self.core.get(key) })
    }

    fn range(&self, range: Range) -> BoxFuture<'_, Result<RangePage, Error>> {
        Box::pin(async move {
            if range.at.is_none() && (1..=INLINE_ENTRIES_MAX).contains(&range.limit) {
                return self.core.range(&range);
            }
            let core = Arc::clone(&self.core);
            off_thread(move || core.range(&range)).await
        })
    }

    fn txn(&self, txn: Txn) -> BoxFuture<'_, Result<Outcome, Error>> {
        assert_distinct_keys(&txn);
        Box::pin(self.ask(|ack| Request::Commit(txn, ack)))
    }

    fn watch(&self, scope: KeyPrefix, after: Revision) -> BoxFuture<'_, Result<Box<dyn Watch>, Error>> {
        Box::pin(async move {
            let cursor = Cursor::open(&self.core, &scope, after)?;
            Ok(Box::new(cursor) as Box<dyn Watch>)
        })
    }

    fn revision(&self) -> Revision {
        self.core.published()
    }

    fn compacted(&self) -> Revision {
        self.core.live.read().floor
    }

    fn compact(&self, revision: Revision) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(self.ask(move |ack| Request::Compact(revision, ack)))
    }

    fn close(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            let Some(running) = self.running.lock().take() else { return Ok(()) };
            let (core, dir) = (Arc::clone(&self.core), self.dir.clone());
            off_thread(move || running.stop(&core, &dir)).await
        })
    }
}

/// Takes the directory for this process.
fn lock(path: &Path) -> Result<File, Error> {
    let open = File::options().create(true).truncate(false).read(true).write(true).open(path);
    let mut file = open.map_err(|source| io_error(path, source))?;
    let mut taken = file.try_lock();
    for _ in 0..LOCK_TRIES {
        if !matches!(taken, Err(std::fs::TryLockError::WouldBlock)) {
            break;
        }
        std::thread::sleep(LOCK_PAUSE);
        taken = file.try_lock();
    }
    match taken {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => {
            let owner = std::fs::read_to_string(path).unwrap_or_default();
            let words = format!("process {} has it open", owner.trim());
            return Err(io_error(path, io::Error::new(io::ErrorKind::ResourceBusy, words)));
        }
        Err(std::fs::TryLockError::Error(source)) => return Err(io_error(path, source)),
    }
    let noted = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    noted.map_err(|source| io_error(path, source))?;
    Ok(file)
}

/// The files that opening may have made are found again after a power failure.
fn sync_dirs(dir: &Path) -> Result<(), Error> {
    for dir in [&dir.join("log"), dir] {
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(|source| io_error(dir, source))?;
    }
    Ok(())
}

/// A change without the buffer that it was read into, and without the past.
fn detached(event: &Event) -> Event {
    let copy = |bytes: &bytes::Bytes| bytes::Bytes::copy_from_slice(bytes);
    let key = Key::from_stored(copy(event.key.as_bytes()));
    let after = event.after.as_ref().map(|entry| Entry {
        key: key.clone(),
        value: copy(&entry.value),
        created: entry.created,
        modified: entry.modified,
    });
    Event { revision: event.revision, key, before: None, after }
}
