//! What every store promises, one sentence per function.
//! Values and names are short; revisions are relative to the one that the empty store stands at.

use std::future::Future;
use std::sync::Arc;
use std::task::Poll;

use store::{Error, Event, Expect, Key, KeyPrefix, Outcome, Range, Store, Watch};
use types::Revision;

use crate::place::*;

type Opened = Arc<dyn Store>;

/// The future's output if it has it now.
async fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Reads a watch until it has handed out this many events.
async fn events(watch: &mut dyn Watch, count: usize) -> Vec<Arc<Event>> {
    let mut events = Vec::new();
    while events.len() < count {
        events.extend(watch.next().await.unwrap());
    }
    events
}

/// `revision name before->after`, with `-` for nothing.
fn told(event: &Event) -> String {
    let value = |entry: &Option<store::Entry>| {
        entry.as_ref().map_or("-".to_owned(), |entry| String::from_utf8_lossy(&entry.value).into_owned())
    };
    let name = event.key.parts().unwrap()[4];
    format!("{} {name} {}->{}", event.revision, value(&event.before), value(&event.after))
}

pub(crate) async fn an_empty_store_stands_above_revision_one(store: Opened) {
    let page = store.range(all(pods())).await.unwrap();
    assert!(store.revision() > Revision(1));
    assert_eq!((page.entries.len(), page.more, page.revision), (0, false, store.revision()));
    assert_eq!(store.get(&pod("a")).await.unwrap(), None);
    assert_eq!(store.compacted(), store.revision());
}

pub(crate) async fn a_write_is_read_back_with_its_revisions(store: Opened) {
    let first = write(&*store, vec![put(&pod("a"), "1")]).await;
    let second = write(&*store, vec![put(&pod("a"), "2")]).await;
    let entry = store.get(&pod("a")).await.unwrap().unwrap();
    assert_eq!(show(&entry), format!("a=2 {first}/{second}"));
    assert_eq!(store.revision(), second);
}

pub(crate) async fn a_transaction_has_one_revision_and_the_next_has_one_more(store: Opened) {
    let empty = store.revision();
    let first = write(&*store, vec![put(&pod("a"), "1"), put(&pod("b"), "1")]).await;
    let second = write(&*store, vec![delete(&pod("a")), put(&pod("b"), "2")]).await;
    assert_eq!((first, second), (empty.next(), empty.next().next()));
    let page = store.range(all(pods())).await.unwrap();
    assert_eq!(shown(&page), [format!("b=2 {first}/{second}")]);
}

pub(crate) async fn a_precondition_that_does_not_hold_refuses_everything_and_shows_what_stands_there(
    store: Opened,
) {
    let (there, missing) = (pod("there"), pod("missing"));
    let created = write(&*store, vec![put(&there, "1")]).await;
    let updated = write(&*store, vec![put(&there, "2")]).await;
    let cases = [
        (&there, Expect::Absent, false),
        (&there, Expect::Present, true),
        (&there, Expect::ModifiedAt(created), false),
        (&there, Expect::ModifiedAt(updated), true),
        (&missing, Expect::Absent, true),
        (&missing, Expect::Present, false),
        (&missing, Expect::ModifiedAt(updated), false),
    ];
    for (key, expect, holds) in cases {
        let before = store.revision();
        let outcome = write_if(&*store, key, expect, vec![put(&pod("other"), "x")]).await;
        let stands = store.get(key).await.unwrap();
        if holds {
            assert_eq!(committed(outcome), before.next(), "{expect:?}");
        } else {
            assert_eq!(outcome, Outcome::Refused(0, stands), "{expect:?}");
            assert_eq!(store.revision(), before, "{expect:?}");
        }
    }
}

pub(crate) async fn a_transaction_that_changes_nothing_gets_no_revision_of_its_own(store: Opened) {
    let last = write(&*store, vec![put(&pod("a"), "1")]).await;
    assert_eq!(write(&*store, vec![delete(&pod("missing"))]).await, last);
    assert_eq!(write(&*store, vec![]).await, last);
    assert_eq!(store.revision(), last);
    assert_eq!(write(&*store, vec![put(&pod("a"), "1")]).await, last.next());
}

pub(crate) async fn a_key_that_is_created_again_begins_anew(store: Opened) {
    write(&*store, vec![put(&pod("a"), "1")]).await;
    write(&*store, vec![delete(&pod("a"))]).await;
    assert_eq!(store.get(&pod("a")).await.unwrap(), None);
    let again = write(&*store, vec![put(&pod("a"), "2")]).await;
    let entry = store.get(&pod("a")).await.unwrap().unwrap();
    assert_eq!((entry.created, entry.modified), (again, again));
}

pub(crate) async fn a_range_is_ordered_and_keeps_to_its_prefix(store: Opened) {
    let key = |resource: &str, c: &str, ns: &str, name: &str| Key::new(resource, "", &cluster(c), ns, name);
    let keys = [
        key("/pods", "a", "n", "p2"),
        key("/pods", "a", "n", "p1"),
        key("/pods", "a", "n", "p10"),
        key("/pods", "a", "n2", "q"),
        key("/pods", "ab", "n", "r"),
        key("/pods2", "a", "n", "s"),
        key("apps/pods", "a", "n", "t"),
    ];
    for key in &keys {
        write(&*store, vec![put(key, "")]).await;
    }
    let cases = [
        (KeyPrefix::resource("/pods", ""), vec!["p1", "p10", "p2", "q", "r"]),
        (KeyPrefix::cluster("/pods", "", &cluster("a")), vec!["p1", "p10", "p2", "q"]),
        (KeyPrefix::namespace("/pods", "", &cluster("a"), "n"), vec!["p1", "p10", "p2"]),
        (KeyPrefix::object(&keys[1]), vec!["p1"]),
        (KeyPrefix::resource("/nothing", ""), vec![]),
    ];
    for (prefix, expected) in cases {
        let page = store.range(all(prefix.clone())).await.unwrap();
        let names: Vec<&str> = page.entries.iter().map(|entry| entry.key.parts().unwrap()[4]).collect();
        assert_eq!(names, expected, "{prefix:?}");
    }
}

pub(crate) async fn a_range_with_a_limit_goes_on_where_it_stopped(store: Opened) {
    let names: Vec<String> = (0..25).map(|number| format!("p{number:02}")).collect();
    for name in &names {
        write(&*store, vec![put(&pod(name), name)]).await;
    }
    for limit in [1, 7, 24, 25, 26] {
        let (mut seen, mut start) = (Vec::new(), None);
        loop {
            let page = store.range(Range { start: start.clone(), limit, ..all(pods()) }).await.unwrap();
            assert!(page.entries.len() <= limit);
            seen.extend(page.entries.iter().map(|entry| entry.key.parts().unwrap()[4].to_owned()));
            let last = page.entries.last().unwrap();
            start = Some([&last.key.as_bytes()[..], &[0]].concat().into());
            if !page.more {
                break;
            }
        }
        assert_eq!(seen, names, "limit {limit}");
    }
}

pub(crate) async fn a_range_of_the_past_shows_the_past(store: Opened) {
    let start = store.revision();
    let mut moments = vec![(start, Vec::new())];
    let steps = [
        vec![put(&pod("a"), "1")],
        vec![put(&pod("b"), "1"), put(&pod("a"), "2")],
        vec![delete(&pod("a"))],
        vec![put(&pod("a"), "3"), delete(&pod("b"))],
        vec![put(&pod("c"), "1")],
        vec![delete(&pod("c"))],
    ];
    for ops in steps {
        let revision = write(&*store, ops).await;
        moments.push((revision, shown(&store.range(all(pods())).await.unwrap())));
    }
    for (revision, expected) in moments {
        let page = store.range(Range { at: Some(revision), ..all(pods()) }).await.unwrap();
        assert_eq!((shown(&page), page.revision, page.more), (expected, revision, false));
    }
}

pub(crate) async fn pages_of_one_snapshot_do_not_see_what_is_written_meanwhile(store: Opened) {
    for name in ["a", "c", "e"] {
        write(&*store, vec![put(&pod(name), "old")]).await;
    }
    let first = store.range(Range { limit: 1, ..all(pods()) }).await.unwrap();
    assert!(first.more);
    write(&*store, vec![put(&pod("b"), "new"), put(&pod("c"), "new"), delete(&pod("e"))]).await;
    let start = Some(pod("a\u{1}").as_bytes().clone());
    let rest = Range { start, limit: 5, at: Some(first.revision), ..all(pods()) };
    let page = store.range(rest).await.unwrap();
    let names: Vec<String> = page.entries.iter().map(|entry| show(entry)[..5].to_owned()).collect();
    assert_eq!(names, ["c=old", "e=old"]);
    assert_eq!((page.revision, page.more), (first.revision, false));
}

pub(crate) async fn a_revision_that_did_not_happen_cannot_be_read(store: Opened) {
    let newest = store.revision();
    let asked = newest.next();
    let range = store.range(Range { at: Some(asked), ..all(pods()) }).await;
    assert!(matches!(range, Err(Error::Future { .. })), "{range:?}");
    assert!(matches!(store.watch(pods(), asked).await, Err(Error::Future { .. })));
    assert!(matches!(store.compact(asked).await, Err(Error::Future { .. })));
}

pub(crate) async fn a_watch_hands_out_its_scope_in_order_with_before_and_after(store: Opened) {
    let start = store.revision();
    let other = Key::new("/pods", "", &cluster("other"), "ns", "a");
    let mut everything = store.watch(pods(), start).await.unwrap();
    let mut one = store.watch(KeyPrefix::object(&pod("a")), start).await.unwrap();
    let mut elsewhere = store.watch(KeyPrefix::cluster("/pods", "", &cluster("other")), start).await.unwrap();
    write(&*store, vec![put(&pod("a"), "1")]).await;
    write(&*store, vec![put(&pod("aa"), "1"), put(&other, "1")]).await;
    write(&*store, vec![put(&pod("a"), "2")]).await;
    write(&*store, vec![delete(&pod("a"))]).await;
    let at = |offset: u64| start.0 + offset;
    let tell = |events: Vec<Arc<Event>>| events.iter().map(|event| told(event)).collect::<Vec<_>>();
    let of_a = [format!("{} a -->1", at(1)), format!("{} a 1->2", at(3)), format!("{} a 2->-", at(4))];
    assert_eq!(tell(events(&mut *one, 3).await), of_a);
    assert_eq!(tell(events(&mut *elsewhere, 1).await), [format!("{} a -->1", at(2))]);
    let mut all = tell(events(&mut *everything, 5).await);
    all[1..3].sort();
    let expected = [
        of_a[0].clone(),
        format!("{} a -->1", at(2)),
        format!("{} aa -->1", at(2)),
        of_a[1].clone(),
        of_a[2].clone(),
    ];
    assert_eq!(all, expected);
}

pub(crate) async fn a_watch_begins_after_the_revision_it_is_given(store: Opened) {
    let mut revisions = vec![store.revision()];
    for number in 0..40 {
        revisions.push(write(&*store, vec![put(&pod("a"), &number.to_string())]).await);
    }
    for (index, after) in revisions.iter().enumerate().take(40) {
        let mut watch = store.watch(pods(), *after).await.unwrap();
        let seen: Vec<Revision> =
            events(&mut *watch, 40 - index).await.iter().map(|event| event.revision).collect();
        assert_eq!(seen, revisions[index + 1..]);
        assert!(now(watch.next()).await.is_none());
    }
}

pub(crate) async fn a_watch_that_waits_is_woken(store: Opened) {
    let mut watch = store.watch(pods(), store.revision()).await.unwrap();
    let writer = Arc::clone(&store);
    let (events, revision) =
        tokio::join!(watch.next(), async move { write(&*writer, vec![put(&pod("a"), "1")]).await });
    assert_eq!(events.unwrap()[0].revision, revision);
    assert_eq!(watch.progress(), revision);
}

pub(crate) async fn a_watch_that_is_not_read_reads_on_where_it_was(store: Opened) {
    const WRITES: usize = 6000; // more than any index or ring of a test keeps
    const AT_ONCE: usize = 200;
    let mut watch = store.watch(pods(), store.revision()).await.unwrap();
    let start = store.revision();
    for _ in 0..WRITES / AT_ONCE {
        let names: Vec<String> = (0..AT_ONCE).map(|number| number.to_string()).collect();
        let ops = names.iter().map(|name| write(&*store, vec![put(&pod(name), "x")]));
        for op in ops.collect::<Vec<_>>() {
            op.await;
        }
    }
    let seen: Vec<u64> = events(&mut *watch, WRITES).await.iter().map(|event| event.revision.0).collect();
    assert_eq!(seen, (start.0 + 1..=start.0 + WRITES as u64).collect::<Vec<_>>());
    assert_eq!(watch.progress(), store.revision());
}

pub(crate) async fn a_transaction_is_handed_out_whole(store: Opened) {
    let mut watch = store.watch(pods(), store.revision()).await.unwrap();
    for round in 0..5 {
        let ops = (0..300).map(|number| put(&pod(&number.to_string()), &round.to_string())).collect();
        write(&*store, ops).await;
    }
    let mut seen = 0;
    while seen < 5 * 300 {
        let batch = watch.next().await.unwrap();
        let last = batch.last().unwrap().revision;
        assert_eq!(batch.iter().filter(|event| event.revision == last).count(), 300);
        assert_eq!(watch.progress(), if seen + batch.len() == 1500 { store.revision() } else { last });
        seen += batch.len();
    }
}

pub(crate) async fn progress_follows_the_store_on_a_quiet_scope(store: Opened) {
    let quiet = KeyPrefix::resource("/secrets", "");
    let watch = store.watch(quiet, store.revision()).await.unwrap();
    let mut busy = store.watch(pods(), store.revision()).await.unwrap();
    let start = store.revision();
    for _ in 0..20 {
        let revision = write(&*store, vec![put(&pod("a"), "1")]).await;
        assert_eq!((watch.progress(), busy.progress()), (revision, start));
    }
    events(&mut *busy, 20).await;
    assert_eq!(busy.progress(), store.revision());
}

pub(crate) async fn giving_up_a_wait_loses_nothing(store: Opened) {
    let mut watch = store.watch(pods(), store.revision()).await.unwrap();
    assert!(now(watch.next()).await.is_none());
    let first = write(&*store, vec![put(&pod("a"), "1")]).await;
    assert_eq!(watch.next().await.unwrap()[0].revision, first);
    assert!(now(watch.next()).await.is_none());
    let second = write(&*store, vec![put(&pod("a"), "2")]).await;
    assert_eq!(watch.next().await.unwrap()[0].revision, second);
}

pub(crate) async fn what_was_compacted_can_neither_be_read_nor_watched(store: Opened) {
    let mut revisions = vec![store.revision()];
    for number in 0..30 {
        revisions.push(write(&*store, vec![put(&pod("a"), &number.to_string())]).await);
    }
    let floor = revisions[20];
    store.compact(floor).await.unwrap();
    assert_eq!(store.compacted(), floor);
    for revision in &revisions {
        let range = store.range(Range { at: Some(*revision), ..all(pods()) }).await;
        let watch = store.watch(pods(), *revision).await;
        if *revision < floor {
            assert!(matches!(range, Err(Error::Compacted { oldest, .. }) if oldest == floor), "{revision}");
            assert!(matches!(watch, Err(Error::Compacted { oldest, .. }) if oldest == floor), "{revision}");
        } else {
            let expected = format!("a={} {}/{revision}", revision.0 - revisions[1].0, revisions[1]);
            assert_eq!(shown(&range.unwrap()), [expected]);
            assert!(watch.is_ok());
        }
    }
    assert!(matches!(store.compact(revisions[3]).await, Err(Error::Compacted { .. })));
    store.compact(floor).await.unwrap();
    assert_eq!(store.get(&pod("a")).await.unwrap().unwrap().modified, revisions[30]);
}

pub(crate) async fn a_watch_that_missed_compacted_events_is_told(store: Opened) {
    let mut watch = store.watch(pods(), store.revision()).await.unwrap();
    for _ in 0..10 {
        write(&*store, vec![put(&pod("a"), "1")]).await;
    }
    store.compact(store.revision()).await.unwrap();
    write(&*store, vec![put(&pod("a"), "2")]).await;
    assert!(matches!(watch.next().await, Err(Error::Compacted { .. })));
}

pub(crate) async fn a_quiet_watch_survives_compaction(store: Opened) {
    let secret = Key::new("/secrets", "", &cluster("c"), "ns", "s");
    let start = store.revision();
    let mut watch = store.watch(KeyPrefix::resource("/secrets", ""), start).await.unwrap();
    for _ in 0..10 {
        write(&*store, vec![put(&pod("a"), "1")]).await;
    }
    store.compact(store.revision()).await.unwrap();
    let revision = write(&*store, vec![put(&secret, "1")]).await;
    assert_eq!(watch.next().await.unwrap()[0].revision, revision);
}

pub(crate) async fn writers_that_race_for_a_key_never_lose_an_update(store: Opened) {
    const WRITERS: usize = 8;
    const ADDITIONS: u64 = 25;
    write(&*store, vec![put(&pod("sum"), "0")]).await;
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..WRITERS {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            for _ in 0..ADDITIONS {
                add_one(&*store, &pod("sum")).await;
            }
        });
    }
    writers.join_all().await;
    let sum = store.get(&pod("sum")).await.unwrap().unwrap();
    assert_eq!(sum.value, (WRITERS as u64 * ADDITIONS).to_string());
}

async fn add_one(store: &dyn Store, key: &Key) {
    loop {
        let seen = store.get(key).await.unwrap().unwrap();
        let next = std::str::from_utf8(&seen.value).unwrap().parse::<u64>().unwrap() + 1;
        let ops = vec![put(key, &next.to_string())];
        match write_if(store, key, Expect::ModifiedAt(seen.modified), ops).await {
            Outcome::Committed(_) => return,
            Outcome::Refused(_, now) => assert_ne!(now, Some(seen), "refused although nothing changed"),
        }
    }
}

pub(crate) async fn a_range_is_one_moment_however_many_write(store: Opened) {
    const ACCOUNTS: u64 = 10;
    const EACH: u64 = 100;
    let account = |number: u64| pod(&number.to_string());
    let opened = (0..ACCOUNTS).map(|number| put(&account(number), &EACH.to_string())).collect();
    write(&*store, opened).await;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..3 {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            for step in 0..60 {
                move_one(
                    &*store,
                    &account((writer + step) % ACCOUNTS),
                    &account((writer * 3 + step + 1) % ACCOUNTS),
                )
                .await;
            }
        });
    }
    let sum = |entries: &[store::Entry]| entries.iter().map(amount).sum::<u64>();
    while !writers.is_empty() {
        while let Some(writer) = writers.try_join_next() {
            writer.unwrap();
        }
        let page = store.range(Range { limit: 4, ..all(pods()) }).await.unwrap();
        let start = Some([&page.entries[3].key.as_bytes()[..], &[0]].concat().into());
        let rest = Range { start, at: Some(page.revision), ..all(pods()) };
        let rest = store.range(rest).await.unwrap().entries;
        assert_eq!(sum(&page.entries) + sum(&rest), ACCOUNTS * EACH);
        assert_eq!(sum(&store.range(all(pods())).await.unwrap().entries), ACCOUNTS * EACH);
        tokio::task::yield_now().await;
    }
}

fn amount(entry: &store::Entry) -> u64 {
    std::str::from_utf8(&entry.value).unwrap().parse().unwrap()
}

/// Moves one from one account to another, if both stand where they were seen.
async fn move_one(store: &dyn Store, from: &Key, to: &Key) {
    if from == to {
        return;
    }
    let (source, target) = (store.get(from).await.unwrap().unwrap(), store.get(to).await.unwrap().unwrap());
    let txn = store::Txn {
        expect: vec![
            (from.clone(), Expect::ModifiedAt(source.modified)),
            (to.clone(), Expect::ModifiedAt(target.modified)),
        ],
        ops: vec![put(from, &(amount(&source) - 1).to_string()), put(to, &(amount(&target) + 1).to_string())],
    };
    store.txn(txn).await.unwrap();
}

pub(crate) async fn a_closed_store_refuses_everything(store: Opened) {
    write(&*store, vec![put(&pod("a"), "1")]).await;
    let mut watch = store.watch(pods(), store.revision()).await.unwrap();
    let (closed, ended) = tokio::join!(store.close(), watch.next());
    closed.unwrap();
    assert!(matches!(ended, Err(Error::Closed)));
    let txn = store::Txn { expect: Vec::new(), ops: vec![put(&pod("a"), "2")] };
    assert!(matches!(store.txn(txn).await, Err(Error::Closed)));
    assert!(matches!(store.get(&pod("a")).await, Err(Error::Closed)));
    assert!(matches!(store.range(all(pods())).await, Err(Error::Closed)));
    assert!(matches!(store.watch(pods(), store.revision()).await, Err(Error::Closed)));
    assert!(matches!(store.compact(store.revision()).await, Err(Error::Closed)));
    store.close().await.unwrap();
}
