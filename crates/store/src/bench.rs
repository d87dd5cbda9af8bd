//! The benchmark of a store: durable creates, reads, events to many watches, and the time to open it again.
//! It measures what a caller sees through [`Store`], so that implementations and engines can be compared.
//! Invariant: every figure is measured on work that was checked to be done; nothing is estimated.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::task::JoinSet;
use types::{ClusterId, Revision};

use crate::embedded::{EmbeddedStore, Options};
use crate::key::{Key, KeyPrefix};
use crate::store::{Error, Expect, Op, Outcome, Range, Store, Txn};

/// What to measure with.
#[derive(Clone, Debug)]
pub struct Load {
    /// The numbers of concurrent writers to measure creates with.
    pub writers: Vec<usize>,
    /// Creates per number of writers.
    pub creates: usize,
    /// The size of a value in bytes.
    pub value_bytes: usize,
    /// How many watches of one scope an event is handed to.
    pub watches: usize,
    /// How many events are measured.
    pub events: usize,
}

impl Default for Load {
    fn default() -> Self {
        Self { writers: vec![1, 8, 32, 128], creates: 40_000, value_bytes: 1024, watches: 1000, events: 200 }
    }
}

/// One figure.
#[derive(Clone, Debug)]
pub struct Figure {
    /// What was measured.
    pub name: String,
    /// What came out.
    pub measured: Measured,
}

/// What a measurement gives.
#[derive(Clone, Debug)]
pub enum Measured {
    /// Something done many times.
    Rate {
        /// Operations a second, by all callers together.
        per_second: f64,
        /// The median, in microseconds.
        p50_us: f64,
        /// The 99th percentile, in microseconds.
        p99_us: f64,
    },
    /// Something done once, in milliseconds.
    Once(f64),
    /// A size in KiB.
    Kib(f64),
}

impl Figure {
    fn new(name: String, mut each: Vec<Duration>, whole: Duration) -> Self {
        each.sort_unstable();
        let at =
            |share: usize| each.get(each.len() * share / 100).map_or(0.0, |took| took.as_secs_f64() * 1e6);
        let per_second = each.len() as f64 / whole.as_secs_f64();
        Self { name, measured: Measured::Rate { per_second, p50_us: at(50), p99_us: at(99) } }
    }

    fn once(name: &str, began: Instant) -> Self {
        Self { name: name.to_owned(), measured: Measured::Once(began.elapsed().as_secs_f64() * 1e3) }
    }

    /// The memory of this process that is its own, without the pages of files.
    fn resident(name: &str) -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap_or("0");
        let kib = line.trim().trim_end_matches(" kB").parse().unwrap_or_default();
        Self { name: name.to_owned(), measured: Measured::Kib(kib) }
    }
}

/// Figures as one JSON object: name to figures.
#[must_use]
pub fn json(figures: &[Figure]) -> String {
    let mut text = String::from("{");
    for (index, Figure { name, measured }) in figures.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let figure = match measured {
            Measured::Rate { per_second, p50_us, p99_us } => {
                format!(
                    "{{\"per_second\": {per_second:.0}, \"p50_us\": {p50_us:.0}, \"p99_us\": {p99_us:.0}}}"
                )
            }
            Measured::Once(milliseconds) => format!("{{\"ms\": {milliseconds:.1}}}"),
            Measured::Kib(kib) => format!("{{\"kib\": {kib:.0}}}"),
        };
        let _ = write!(text, "{comma}\n  \"{name}\": {figure}");
    }
    text + "\n}"
}

/// Measures an embedded store in `dir`: opening it, everything else, its memory, and opening it again.
///
/// # Errors
/// What the store answers to the first operation that it cannot do.
pub async fn embedded(dir: &Path, load: &Load) -> Result<Vec<Figure>, Error> {
    let began = Instant::now();
    let store: Arc<dyn Store> = Arc::new(EmbeddedStore::open(dir, &Options::default())?);
    let mut figures = vec![Figure::once("open", began), Figure::resident("resident_after_open_kib")];
    figures.extend(measure(&store, load).await?);
    figures.push(Figure::resident("resident_after_load_kib"));
    store.close().await?;
    drop(store);
    let began = Instant::now();
    EmbeddedStore::open(dir, &Options::default())?;
    figures.push(Figure::once("open_again", began));
    Ok(figures)
}

/// Measures everything that every store can do, on an open store.
///
/// # Errors
/// What the store answers to the first operation that it cannot do.
pub async fn measure(store: &Arc<dyn Store>, load: &Load) -> Result<Vec<Figure>, Error> {
    let mut figures = Vec::new();
    for writers in &load.writers {
        figures.push(creates(store, load, *writers).await?);
    }
    figures.push(gets(store, load).await?);
    figures.push(ranges(store).await?);
    figures.push(delivery(store, load).await?);
    Ok(figures)
}

fn key(group: usize, writer: usize, number: usize) -> Key {
    // The order of creation is not the order of keys, as with names that people give.
    let mixed = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    let name = format!("object-{mixed:08x}-{number}");
    Key::new("/configmaps", "", &ClusterId::root(), &format!("namespace-{group}-{writer}"), &name)
}

fn value(bytes: usize) -> Bytes {
    Bytes::from(b"{\"data\":\"".iter().copied().cycle().take(bytes).collect::<Vec<u8>>())
}

async fn create(store: &dyn Store, key: Key, value: Bytes) -> Result<Revision, Error> {
    let txn = Txn { expect: vec![(key.clone(), Expect::Absent)], ops: vec![Op::Put(key, value)] };
    match store.txn(txn).await? {
        Outcome::Committed(committed) => Ok(committed.revision),
        Outcome::Refused(..) => unreachable!("every key of the benchmark is new"),
    }
}

async fn creates(store: &Arc<dyn Store>, load: &Load, writers: usize) -> Result<Figure, Error> {
    let value = value(load.value_bytes);
    let each = (load.creates / if writers == 1 { 8 } else { 1 } / writers).max(1);
    let mut tasks = JoinSet::new();
    let start = Instant::now();
    for writer in 0..writers {
        let (store, value) = (Arc::clone(store), value.clone());
        tasks.spawn(async move {
            let mut took = Vec::with_capacity(each);
            for number in 0..each {
                let start = Instant::now();
                create(&*store, key(writers, writer, number), value.clone()).await?;
                took.push(start.elapsed());
            }
            Ok::<_, Error>(took)
        });
    }
    let mut took = Vec::new();
    for writer in tasks.join_all().await {
        took.extend(writer?);
    }
    Ok(Figure::new(format!("create_{writers}_writers"), took, start.elapsed()))
}

async fn gets(store: &Arc<dyn Store>, load: &Load) -> Result<Figure, Error> {
    let writers = load.writers.last().copied().unwrap_or(1);
    let each = (load.creates / writers).max(1);
    let mut took = Vec::new();
    let whole = Instant::now();
    for number in 0..20_000 {
        let key = key(writers, number % writers, (number * 7919) % each);
        let start = Instant::now();
        assert!(store.get(&key).await?.is_some(), "an object of the benchmark is missing");
        took.push(start.elapsed());
    }
    Ok(Figure::new("get".to_owned(), took, whole.elapsed()))
}

async fn ranges(store: &Arc<dyn Store>) -> Result<Figure, Error> {
    let mut took = Vec::new();
    let whole = Instant::now();
    let mut start = None;
    for _ in 0..200 {
        let began = Instant::now();
        let prefix = KeyPrefix::resource("/configmaps", "");
        let page = store.range(Range { prefix, start: start.take(), limit: 500, at: None }).await?;
        took.push(began.elapsed());
        start = page.entries.last().filter(|_| page.more).map(|last| {
            let next: Vec<u8> = last.key.as_bytes().iter().copied().chain([0]).collect();
            next.into()
        });
    }
    Ok(Figure::new("range_500".to_owned(), took, whole.elapsed()))
}

/// From the moment that a write is handed in to the moment that a watch has its event, for each watch.
async fn delivery(store: &Arc<dyn Store>, load: &Load) -> Result<Figure, Error> {
    let scope = KeyPrefix::resource("/events", "");
    let began = Arc::new(parking_lot::Mutex::new(Vec::<Instant>::with_capacity(load.events)));
    let mut tasks = JoinSet::new();
    let whole = Instant::now();
    let (done, mut all_done) = tokio::sync::mpsc::channel::<()>(load.watches.max(1));
    for _ in 0..load.watches {
        let mut watch = store.watch(scope.clone(), store.revision()).await?;
        let (events, began, done) = (load.events, Arc::clone(&began), done.clone());
        tasks.spawn(async move {
            let mut took = Vec::with_capacity(events);
            while took.len() < events {
                for _ in watch.next().await? {
                    took.push(began.lock()[took.len()].elapsed());
                    let _ = done.send(()).await; // the benchmark ends before the channel does
                }
            }
            Ok::<_, Error>(took)
        });
    }
    for number in 0..load.events {
        let key = Key::new("/events", "", &ClusterId::root(), "delivery", &number.to_string());
        began.lock().push(Instant::now());
        create(&**store, key, value(load.value_bytes)).await?;
        for _ in 0..load.watches {
            all_done.recv().await;
        }
    }
    let mut took = Vec::new();
    for watch in tasks.join_all().await {
        took.extend(watch?);
    }
    Ok(Figure::new(format!("event_to_{}_watches", load.watches), took, whole.elapsed()))
}
