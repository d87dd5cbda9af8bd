//! What only files can do wrong: restarts, damage, a full disk, a second process.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use store::{EmbeddedStore, Error, Options};
use types::Revision;

use crate::place::*;

/// A store with a few segments; what its last segment is called, and the last revision.
async fn filled(place: &Embedded, writes: usize) -> Revision {
    let store = place.open();
    for number in 0..writes {
        write(&*store, vec![put(&pod(&format!("p{}", number % 10)), &"v".repeat(number % 90))]).await;
    }
    store.revision()
}

fn segments(place: &Embedded) -> Vec<PathBuf> {
    let files = fs::read_dir(place.dir.path().join("log")).unwrap();
    let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths
}

fn refusal(place: &Embedded) -> Error {
    EmbeddedStore::open(place.dir.path(), &place.options).err().expect("the damage was not noticed")
}

#[tokio::test]
async fn a_restart_keeps_state_revision_and_history() {
    for place in [Embedded::roomy(), Embedded::tiny()] {
        let first = place.open().revision();
        let last = filled(&place, 100).await;
        let before = place.open().range(all(pods())).await.unwrap();
        let store = place.open();
        assert_eq!(store.revision(), last);
        assert_eq!(store.range(all(pods())).await.unwrap(), before);
        let mut watch = store.watch(pods(), first).await.unwrap();
        let mut seen = first;
        while seen < last {
            for event in watch.next().await.unwrap() {
                assert_eq!(event.revision, seen.next());
                seen = event.revision;
            }
        }
        assert_eq!(write(&*store, vec![put(&pod("new"), "")]).await, last.next());
    }
}

#[tokio::test]
async fn a_second_process_is_refused_and_told_who_is_there() {
    let place = Embedded::roomy();
    let _first = place.open();
    let refused = refusal(&place);
    let cause = std::error::Error::source(&refused).unwrap().to_string();
    assert!(cause.contains(&std::process::id().to_string()), "{refused}: {cause}");
}

#[tokio::test]
async fn a_tail_that_was_cut_off_anywhere_is_forgotten_and_the_rest_stays() {
    let place = Embedded::roomy();
    let store = place.open();
    for value in ["1", "2", &"3".repeat(1500)] {
        write(&*store, vec![put(&pod("a"), value)]).await;
    }
    let path = segments(&place).pop().unwrap();
    let whole = fs::read(&path).unwrap();
    let third = whole.windows(4).rposition(|window| window == b"PsF1").unwrap();
    for (zeros, length) in
        (third..whole.len()).step_by(97).flat_map(|length| [(false, length), (true, length)])
    {
        let crashed = copied(&place);
        let mut torn = whole[..length].to_vec();
        if zeros {
            // The size was written and the rest of the data was not: what a power failure may leave.
            torn.resize(whole.len(), 0);
            if length % 512 != 0 && length / 512 == whole.len() / 512 {
                continue;
            }
        }
        fs::write(&segments(&crashed)[0], torn).unwrap();
        let store = crashed.open();
        assert_eq!(store.get(&pod("a")).await.unwrap().unwrap().value, "2", "{length} {zeros}");
        let next = write(&*store, vec![put(&pod("a"), "4")]).await;
        drop(store);
        let store = crashed.open();
        assert_eq!(store.get(&pod("a")).await.unwrap().unwrap().modified, next);
    }
}

#[tokio::test]
async fn a_log_that_ends_before_the_table_is_refused() {
    let place = Embedded::roomy();
    filled(&place, 3).await;
    let path = segments(&place).pop().unwrap();
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    let refused = refusal(&place);
    assert!(refused.to_string().contains("ends before what the table holds"), "{refused}");
}

/// A copy of the directory as a crash would leave it.
fn copied(place: &Embedded) -> Embedded {
    let copy = tempfile::TempDir::new().unwrap();
    fs::create_dir(copy.path().join("log")).unwrap();
    for name in ["table.redb", "LOCK"] {
        fs::copy(place.dir.path().join(name), copy.path().join(name)).unwrap();
    }
    for segment in segments(place) {
        fs::copy(&segment, copy.path().join("log").join(segment.file_name().unwrap())).unwrap();
    }
    Embedded { dir: copy, options: place.options.clone() }
}

#[tokio::test]
async fn a_flipped_byte_is_refused_with_file_and_offset() {
    let place =
        Embedded { options: Options { segment_bytes: 2048, ..Options::default() }, ..Embedded::roomy() };
    filled(&place, 100).await;
    let paths = segments(&place);
    assert!(paths.len() > 2);
    for path in [&paths[0], &paths[1], paths.last().unwrap()] {
        let bytes = fs::read(path).unwrap();
        for at in (0..bytes.len()).step_by(41) {
            let file = File::options().write(true).open(path).unwrap();
            file.write_all_at(&[bytes[at] ^ 0x10], at as u64).unwrap();
            match refusal(&place) {
                Error::Corrupted { path: named, offset, .. } => {
                    assert_eq!(named, path.display().to_string());
                    assert!(offset <= at as u64, "{at}: {offset}");
                }
                other => panic!("{other}"),
            }
            file.write_all_at(&bytes[at..=at], at as u64).unwrap();
        }
    }
    place.open();
}

#[tokio::test]
async fn a_missing_file_is_refused() {
    let place =
        Embedded { options: Options { segment_bytes: 2048, ..Options::default() }, ..Embedded::roomy() };
    filled(&place, 100).await;
    let paths = segments(&place);
    let moved = place.dir.path().join("moved");
    let table = place.dir.path().join("table.redb");
    for path in [&paths[1], paths.last().unwrap(), &table] {
        fs::rename(path, &moved).unwrap();
        assert!(matches!(refusal(&place), Error::Corrupted { .. }), "{path:?}");
        fs::rename(&moved, path).unwrap();
    }
    place.open();
}
