//! A random history on a store, step by step against a model that keeps every moment as a whole map.
//! A failure names its seed; the same seed does the same again.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use fastrand::Rng;
use store::{Committed, Entry, Error, Event, Expect, Key, KeyPrefix, Op, Outcome, Range, Store, Txn, Watch};
use types::Revision;

use crate::place::{Place, cluster};

/// How many histories are tried for each implementation.
pub(crate) const SEEDS: u64 = 12;
const STEPS: usize = 250;

type Moment = BTreeMap<Bytes, Entry>;

struct Model {
    first: Revision,
    floor: Revision,
    /// The state at `first`, and after each revision since.
    moments: Vec<Moment>,
    events: Vec<Event>,
}

struct Watched {
    scope: KeyPrefix,
    at: Revision,
    watch: Box<dyn Watch>,
}

struct World<'a> {
    place: &'a dyn Place,
    store: Arc<dyn Store>,
    model: Model,
    watches: Vec<Watched>,
    rng: Rng,
    log: Vec<String>,
}

pub(crate) async fn run(place: &dyn Place, seed: u64) {
    let store = place.open();
    let moments = vec![moment(&*store).await];
    let (first, floor) = (store.revision(), store.compacted());
    let model = Model { first, floor, moments, events: Vec::new() };
    let mut world = World {
        place,
        store,
        model,
        watches: Vec::new(),
        rng: Rng::with_seed(seed),
        log: vec![format!("seed {seed}")],
    };
    for _ in 0..STEPS {
        world.step().await;
    }
    world.store.close().await.unwrap();
}

/// Everything that stands in a store that an earlier history may have used.
async fn moment(store: &dyn Store) -> Moment {
    let mut moment = Moment::new();
    for resource in RESOURCES {
        let range = Range { prefix: KeyPrefix::resource(resource, ""), start: None, limit: 0, at: None };
        let entries = store.range(range).await.unwrap().entries;
        moment.extend(entries.into_iter().map(|entry| (entry.key.as_bytes().clone(), entry)));
    }
    moment
}

const RESOURCES: [&str; 2] = ["/pods", "apps/x"];

impl Model {
    fn newest(&self) -> Revision {
        Revision(self.first.0 + self.moments.len() as u64 - 1)
    }

    fn at(&self, revision: Revision) -> &Moment {
        &self.moments[usize::try_from(revision.0 - self.first.0).unwrap()]
    }

    fn commit(&mut self, txn: &Txn) -> Outcome {
        let now = self.at(self.newest()).clone();
        for (index, (key, expect)) in txn.expect.iter().enumerate() {
            let found = now.get(key.as_bytes());
            let holds = match expect {
                Expect::Absent => found.is_none(),
                Expect::Present => found.is_some(),
                Expect::ModifiedAt(revision) => found.is_some_and(|entry| entry.modified == *revision),
            };
            if !holds {
                return Outcome::Refused(index, found.cloned());
            }
        }
        let revision = self.newest().next();
        let mut next = now.clone();
        let before = self.events.len();
        for op in &txn.ops {
            let (key, value) = match op {
                Op::Put(key, value) => (key, Some(value.clone())),
                Op::Delete(key) => (key, None),
            };
            let old = now.get(key.as_bytes()).cloned();
            let created = old.as_ref().map_or(revision, |entry| entry.created);
            let new = value.map(|value| Entry { key: key.clone(), value, created, modified: revision });
            match &new {
                Some(entry) => next.insert(key.as_bytes().clone(), entry.clone()),
                None => next.remove(key.as_bytes()),
            };
            if old.is_some() || new.is_some() {
                self.events.push(Event { revision, key: key.clone(), before: old, after: new });
            }
        }
        if self.events.len() == before {
            return Outcome::Committed(Committed { revision: self.newest() });
        }
        self.moments.push(next);
        Outcome::Committed(Committed { revision })
    }

    fn range(&self, range: &Range) -> (Vec<Entry>, bool) {
        let inside =
            |key: &Bytes| range.prefix.covers(key) && range.start.as_ref().is_none_or(|start| key >= start);
        let moment = self.at(range.at.unwrap_or(self.newest()));
        let mut entries: Vec<Entry> =
            moment.iter().filter(|(key, _)| inside(key)).map(|(_, entry)| entry.clone()).collect();
        let more = range.limit > 0 && entries.len() > range.limit;
        if more {
            entries.truncate(range.limit);
        }
        (entries, more)
    }

    fn events_after(&self, scope: &KeyPrefix, after: Revision) -> Vec<&Event> {
        let ours = |event: &&Event| event.revision > after && scope.covers(event.key.as_bytes());
        self.events.iter().filter(ours).collect()
    }
}

impl World<'_> {
    async fn step(&mut self) {
        match self.rng.u32(0..100) {
            0..50 => self.transaction().await,
            50..70 => self.range().await,
            70..80 => self.open_watch().await,
            80..95 => self.read_watch().await,
            95..98 => self.compact().await,
            _ if self.place.lasts() => self.restart().await,
            _ => {}
        }
    }

    fn key(&mut self) -> Key {
        let resource = RESOURCES[self.rng.usize(0..2)];
        let cluster = cluster(["a", "ab"][self.rng.usize(0..2)]);
        let name = ["x", "xy", "y", "z"][self.rng.usize(0..4)];
        Key::new(resource, "", &cluster, ["n", "m"][self.rng.usize(0..2)], name)
    }

    fn prefix(&mut self) -> KeyPrefix {
        let key = self.key();
        let [resource, _, in_cluster, namespace, _] = key.parts().unwrap();
        match self.rng.u32(0..4) {
            0 => KeyPrefix::resource(resource, ""),
            1 => KeyPrefix::cluster(resource, "", &cluster(in_cluster)),
            2 => KeyPrefix::namespace(resource, "", &cluster(in_cluster), namespace),
            _ => KeyPrefix::object(&key),
        }
    }

    fn revision(&mut self) -> Revision {
        let low = self.model.first.0.saturating_sub(3);
        Revision(self.rng.u64(low..=self.model.newest().0 + 2))
    }

    async fn transaction(&mut self) {
        let mut txn = Txn::default();
        if self.rng.bool() {
            let key = self.key();
            let modified = self.model.at(self.model.newest()).get(key.as_bytes()).map(|entry| entry.modified);
            let expect = match self.rng.u32(0..4) {
                0 => Expect::Absent,
                1 => Expect::Present,
                2 => Expect::ModifiedAt(self.revision()),
                _ => modified.map_or(Expect::Absent, Expect::ModifiedAt),
            };
            txn.expect.push((key, expect));
        }
        for _ in 0..self.rng.usize(0..4) {
            let key = self.key();
            let taken = |op: &Op| matches!(op, Op::Put(other, _) | Op::Delete(other) if *other == key);
            if txn.ops.iter().any(taken) {
                continue;
            }
            let value = "v".repeat(self.rng.usize(0..60)) + &self.rng.u32(0..1000).to_string();
            txn.ops.push(if self.rng.u32(0..3) == 0 { Op::Delete(key) } else { Op::Put(key, value.into()) });
        }
        self.log.push(format!("{txn:?}"));
        let expected = self.model.commit(&txn);
        let outcome = self.store.txn(txn).await.unwrap();
        assert_eq!(outcome, expected, "{:#?}", self.log);
        assert_eq!(self.store.revision(), self.model.newest());
    }

    async fn range(&mut self) {
        let start = self.rng.bool().then(|| self.key().as_bytes().clone());
        let at = self.rng.bool().then(|| self.revision());
        let range = Range { prefix: self.prefix(), start, limit: self.rng.usize(0..6), at };
        self.log.push(format!("{range:?}"));
        let page = self.store.range(range.clone()).await;
        if self.refused(at, page.as_ref().err()) {
            return;
        }
        let page = page.unwrap();
        let expected = self.model.range(&range);
        assert_eq!((page.entries, page.more), expected, "{:#?}", self.log);
        assert_eq!(page.revision, at.unwrap_or(self.model.newest()));
    }

    /// Checks that a revision is refused exactly when it must be.
    fn refused(&self, asked: Option<Revision>, error: Option<&Error>) -> bool {
        match (asked, error) {
            (Some(asked), Some(Error::Compacted { .. })) => {
                assert!(asked < self.model.floor, "{:#?}", self.log)
            }
            (Some(asked), Some(Error::Future { .. })) => {
                assert!(asked > self.model.newest(), "{:#?}", self.log)
            }
            (_, Some(other)) => panic!("{other:?} {:#?}", self.log),
            (Some(asked), None) => {
                assert!(asked >= self.model.floor && asked <= self.model.newest(), "{:#?}", self.log);
            }
            (None, None) => {}
        }
        error.is_some()
    }

    async fn open_watch(&mut self) {
        let (scope, at) = (self.prefix(), self.revision());
        self.log.push(format!("watch {scope:?} after {at}"));
        let watch = self.store.watch(scope.clone(), at).await;
        if !self.refused(Some(at), watch.as_ref().err()) {
            self.watches.push(Watched { scope, at, watch: watch.ok().unwrap() });
        }
    }

    async fn read_watch(&mut self) {
        if self.watches.is_empty() {
            return;
        }
        let index = self.rng.usize(0..self.watches.len());
        let watched = &mut self.watches[index];
        self.log.push(format!("read {:?} after {}", watched.scope, watched.at));
        let expected = self.model.events_after(&watched.scope, watched.at);
        if expected.is_empty() {
            watched.at = watched.watch.progress();
            return;
        }
        match watched.watch.next().await {
            Ok(events) => {
                let seen: Vec<&Event> = events.iter().map(|event| &**event).collect();
                assert_eq!(seen, expected[..seen.len()], "{:#?}", self.log);
                watched.at = seen.last().unwrap().revision;
                assert!(watched.watch.progress() >= watched.at);
                let rest = self.model.events_after(&watched.scope, watched.at);
                assert!(rest.first().is_none_or(|next| watched.watch.progress() < next.revision));
                watched.at = watched.watch.progress();
            }
            Err(Error::Compacted { .. }) => {
                assert!(watched.at < self.model.floor, "{:#?}", self.log);
                self.watches.swap_remove(index);
            }
            Err(other) => panic!("{other:?} {:#?}", self.log),
        }
    }

    async fn compact(&mut self) {
        let asked = self.revision();
        self.log.push(format!("compact {asked}"));
        let compacted = self.store.compact(asked).await;
        if !self.refused(Some(asked), compacted.as_ref().err()) {
            self.model.floor = asked;
        }
        assert_eq!(self.store.compacted(), self.model.floor);
    }

    async fn restart(&mut self) {
        self.log.push("restart".to_owned());
        self.watches.clear();
        if self.rng.bool() {
            self.store.close().await.unwrap();
        }
        // The only handle goes before the next one is made: one process at a time.
        self.store = Arc::new(store::MemoryStore::new());
        self.store = self.place.open();
        assert_eq!(self.store.revision(), self.model.newest(), "{:#?}", self.log);
        assert_eq!(self.store.compacted(), self.model.floor, "{:#?}", self.log);
    }
}
