//! A disk that takes no more: writes are refused for good, reads go on, and the next start finds everything.
//! The limit is that of the size of one file, which a process can be given without rights; the child is this test
//! program itself.

use std::path::Path;
use std::process::Command;

use store::{EmbeddedStore, Error, Options, Store, Txn};

use crate::place::*;

const DIR_VARIABLE: &str = "STORE_FULL_DISK_TEST_DIR";
const SEGMENT_VARIABLE: &str = "STORE_FULL_DISK_TEST_SEGMENT_BYTES";

/// Works only as a child of the test below; otherwise there is nothing to do.
#[tokio::test]
async fn child_that_fills_the_disk() {
    let Ok(dir) = std::env::var(DIR_VARIABLE) else { return };
    let segment_bytes = std::env::var(SEGMENT_VARIABLE).unwrap().parse().unwrap();
    let options =
        Options { segment_bytes, memory_bytes: 64 << 10, ring_events_max: 10, ..Options::default() };
    let store = EmbeddedStore::open(Path::new(&dir), &options).unwrap();
    let first = store.revision();
    let txn = |number: u64| Txn {
        expect: Vec::new(),
        ops: vec![put(&pod(&number.to_string()), &"v".repeat(3000))],
    };
    let mut written = 0;
    let refused = loop {
        match store.txn(txn(written)).await {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, Error::Durability { .. }), "{refused:?}");
    assert!(matches!(store.txn(txn(0)).await, Err(Error::Durability { .. })));
    assert!(matches!(store.compact(store.revision()).await, Err(Error::Durability { .. })));
    assert_eq!(store.revision().0, first.0 + written);
    for number in [0, written / 2, written - 1] {
        assert!(store.get(&pod(&number.to_string())).await.unwrap().is_some(), "{number} of {written}");
    }
    let entries = store.range(all(pods())).await.unwrap().entries;
    assert_eq!(entries.len() as u64, written);
    let mut watch = store.watch(pods(), first).await.unwrap();
    let mut seen = 0;
    while seen < written {
        seen += watch.next().await.unwrap().len() as u64;
    }
    std::fs::write(Path::new(&dir).join("written"), written.to_string()).unwrap();
}

#[tokio::test]
async fn a_full_disk_stops_writes_and_nothing_else() {
    // The first limit is met by the log, the second by the table.
    for (segment_bytes, limit_bytes) in [(64 << 20, 2 << 20), (256 << 10, 2 << 20)] {
        let place = Embedded::roomy();
        let program = std::env::current_exe().unwrap();
        let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", limit_bytes / 512);
        let output = Command::new("sh")
            .args(["-c", &script])
            .arg(program)
            .args(["--exact", "full::child_that_fills_the_disk", "--nocapture"])
            .env(DIR_VARIABLE, place.dir.path())
            .env(SEGMENT_VARIABLE, segment_bytes.to_string())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "segments of {segment_bytes} bytes: {said}");
        let written = std::fs::read_to_string(place.dir.path().join("written")).unwrap();
        let store = place.open();
        let entries = store.range(all(pods())).await.unwrap().entries;
        assert!(entries.len() as u64 >= written.parse::<u64>().unwrap());
        write(&*store, vec![put(&pod("after"), "")]).await;
    }
}
