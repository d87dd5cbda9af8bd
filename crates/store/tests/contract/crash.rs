//! `kill -9` under load, again and again: nothing acknowledged is lost, the log has no gap, and log and table agree.
//! The child is this test program itself, started for the one test that works when it is told a directory.
//! Invariant: what is checked after a kill is only what the child reported through its pipe before it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use store::{Entry, Event, Expect, Key, KeyPrefix, Options, Range, Store};
use types::Revision;

use crate::place::*;

/// Most kills happen on a file system in memory, where a round takes no time for the disk; what a killed process has
/// written is the same on both.
const KILLS_IN_MEMORY: u64 = 170;
const KILLS_ON_DISK: u64 = 40;
const WRITERS: usize = 4;

/// How many of its objects a writer keeps; each one further deletes the oldest.
const KEPT: u64 = 20;

const DIR_VARIABLE: &str = "STORE_CRASH_TEST_DIR";

fn options() -> Options {
    Options {
        segment_bytes: 32 << 10,
        history_bytes_max: 300 << 10,
        ring_events_max: 100,
        memory_bytes: 16 << 10,
        table_cache_bytes: 1 << 20,
        ..Options::default()
    }
}

fn counter(writer: usize) -> Key {
    Key::new("/counters", "", &cluster("c"), "", &writer.to_string())
}

fn object(writer: usize, number: u64) -> Key {
    Key::new("/objects", "", &cluster("c"), &writer.to_string(), &format!("{number:08}"))
}

fn number_of(entry: &Entry) -> u64 {
    std::str::from_utf8(&entry.value).unwrap().parse().unwrap()
}

/// Works only as a child of the test below; otherwise there is nothing to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_under_load() {
    let Ok(dir) = std::env::var(DIR_VARIABLE) else { return };
    let store: Arc<dyn Store> = Arc::new(store::EmbeddedStore::open(Path::new(&dir), &options()).unwrap());
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        tasks.spawn(work(Arc::clone(&store), writer));
    }
    tasks.join_all().await;
}

async fn work(store: Arc<dyn Store>, writer: usize) {
    let mut last = store.get(&counter(writer)).await.unwrap();
    for _ in 0.. {
        let number = last.as_ref().map_or(0, number_of) + 1;
        let size = (number as usize * 7919) % 1500;
        let mut ops =
            vec![put(&counter(writer), &number.to_string()), put(&object(writer, number), &"v".repeat(size))];
        if number > KEPT {
            ops.push(delete(&object(writer, number - KEPT)));
        }
        let expect = last.map_or(Expect::Absent, |last| Expect::ModifiedAt(last.modified));
        let revision = committed(write_if(&*store, &counter(writer), expect, ops).await);
        writeln!(std::io::stdout().lock(), "ack {writer} {number} {revision}").unwrap();
        if number % 16 == 0 {
            // Another writer may have compacted further.
            drop(store.compact(Revision(revision.0.saturating_sub(150))).await);
        }
        last = store.get(&counter(writer)).await.unwrap();
    }
}

/// What the children said so far.
#[derive(Default)]
struct Acknowledged {
    numbers: BTreeMap<usize, u64>,
    revision: u64,
}

impl Acknowledged {
    fn note(&mut self, line: &str) {
        // The test harness of the child may have written its own words before the line.
        let Some((_, ack)) = line.split_once("ack ") else { return };
        let mut words = ack.trim_end().split(' ').map(|word| word.parse::<u64>().unwrap());
        let mut next = || words.next().unwrap();
        let (writer, number, revision) = (next(), next(), next());
        self.numbers.insert(usize::try_from(writer).unwrap(), number);
        self.revision = self.revision.max(revision);
    }
}

fn start(dir: &Path) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child_under_load", "--nocapture", "--test-threads=1"])
        .env(DIR_VARIABLE, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap());
    (child, lines)
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_however_often_the_process_is_killed() {
    let dir = tempfile::TempDir::new_in("/dev/shm").or_else(|_| tempfile::TempDir::new()).unwrap();
    kill_again_and_again(Embedded { dir, options: options() }, KILLS_IN_MEMORY).await;
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_on_a_disk_either() {
    kill_again_and_again(Embedded { options: options(), ..Embedded::roomy() }, KILLS_ON_DISK).await;
}

async fn kill_again_and_again(place: Embedded, kills: u64) {
    let mut rng = fastrand::Rng::with_seed(kills);
    let mut said = Acknowledged::default();
    let mut newest = Revision(0);
    for round in 0..kills {
        let (mut child, mut lines) = start(place.dir.path());
        let (mut line, acks) = (String::new(), rng.usize(0..40));
        for _ in 0..acks {
            line.clear();
            assert_ne!(lines.read_line(&mut line).unwrap(), 0, "the child died by itself in round {round}");
            said.note(&line);
        }
        child.kill().unwrap();
        for line in lines.lines() {
            said.note(&line.unwrap());
        }
        child.wait().unwrap();
        let store = place.open();
        assert!(store.revision() >= newest && store.revision().0 >= said.revision, "round {round}");
        newest = store.revision();
        check_objects(&*store, &mut said).await;
        check_history(&*store).await;
        if rng.bool() {
            store.close().await.unwrap();
        }
    }
    assert!(newest.0 > kills * 10, "the children hardly worked: {newest}");
}

/// Each writer's objects are what its counter says, and the counter is what was acknowledged, or one write more.
async fn check_objects(store: &dyn Store, said: &mut Acknowledged) {
    for writer in 0..WRITERS {
        let acknowledged = said.numbers.get(&writer).copied().unwrap_or(0);
        let number = store.get(&counter(writer)).await.unwrap().as_ref().map_or(0, number_of);
        assert!((acknowledged..=acknowledged + 1).contains(&number), "{acknowledged} {number}");
        said.numbers.insert(writer, number); // the next child starts from here
        let prefix = KeyPrefix::namespace("/objects", "", &cluster("c"), &writer.to_string());
        let entries = store.range(all(prefix)).await.unwrap().entries;
        let there: Vec<Key> = entries.into_iter().map(|entry| entry.key).collect();
        let kept = number.saturating_sub(KEPT) + 1..=number;
        assert_eq!(there, kept.map(|number| object(writer, number)).collect::<Vec<_>>());
    }
}

/// The log leads from the oldest readable moment to now, revision by revision.
async fn check_history(store: &dyn Store) {
    for resource in ["/objects", "/counters"] {
        let scope = KeyPrefix::resource(resource, "");
        let (floor, newest) = (store.compacted(), store.revision());
        let past = Range { at: Some(floor), ..all(scope.clone()) };
        let mut state = keyed(store.range(past).await.unwrap().entries);
        let mut watch = store.watch(scope.clone(), floor).await.unwrap();
        let mut revision = floor;
        while watch.progress() < newest {
            for event in watch.next().await.unwrap() {
                assert!(
                    event.revision == revision || event.revision == revision.next(),
                    "a gap at {revision}"
                );
                revision = event.revision;
                apply(&mut state, &event);
            }
        }
        assert_eq!(revision, newest);
        assert_eq!(state, keyed(store.range(all(scope)).await.unwrap().entries));
    }
}

fn keyed(entries: Vec<Entry>) -> BTreeMap<Bytes, Entry> {
    entries.into_iter().map(|entry| (entry.key.as_bytes().clone(), entry)).collect()
}

fn apply(state: &mut BTreeMap<Bytes, Entry>, event: &Event) {
    let before = match &event.after {
        Some(after) => state.insert(event.key.as_bytes().clone(), after.clone()),
        None => state.remove(event.key.as_bytes()),
    };
    assert_eq!(before, event.before, "revision {}", event.revision);
}
