//! Measures the embedded store in a directory of this machine and prints the figures as JSON.
//! Usage: `cargo run --release -p store --example bench [DIR] [ROWS]`; with ROWS the store is first filled with that
//! many objects of 1 KiB, and opened anew.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use store::bench::{Figure, Load, json, measure};
use store::{EmbeddedStore, Key, KeyPrefix, Op, Options, Range, Store, Txn};
use types::ClusterId;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let temporary = tempfile::TempDir::new()?;
    let dir = arguments.next().map_or(temporary.path().to_owned(), PathBuf::from);
    let rows: usize = arguments.next().map_or(Ok(0), |rows| rows.parse())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?;
    let mut figures = Vec::new();
    if rows > 0 {
        figures.push(runtime.block_on(fill(&dir, rows))?);
    }
    let began = Instant::now();
    let store: Arc<dyn Store> = Arc::new(EmbeddedStore::open(&dir, &Options::default())?);
    figures.push(once("open", began));
    figures.push(resident("resident_kib_after_open"));
    figures.extend(runtime.block_on(measure(&store, &Load::default()))?);
    figures.push(resident("resident_kib_after_load"));
    drop(store);
    let began = Instant::now();
    let store = EmbeddedStore::open(&dir, &Options::default())?;
    figures.push(once("open_again", began));
    let prefix = KeyPrefix::resource("/configmaps", "");
    let began = Instant::now();
    let range = Range { prefix, start: None, limit: 0, at: None };
    let entries = runtime.block_on(store.range(range))?.entries.len();
    figures.push(once(&format!("range_all_{entries}"), began));
    println!("{}", json(&figures));
    Ok(())
}

/// Creates rows in batches, in an order that is not the order of keys.
async fn fill(dir: &std::path::Path, rows: usize) -> Result<Figure, Box<dyn std::error::Error>> {
    const AT_ONCE: usize = 200;
    let began = Instant::now();
    let store = EmbeddedStore::open(dir, &Options::default())?;
    for batch in 0..rows.div_ceil(AT_ONCE) {
        let op = |index: usize| {
            let mixed = ((batch * AT_ONCE + index) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let cluster = ClusterId::from_random(u128::from(mixed) << 60 | u128::from(mixed));
            let resource = ["tenancy.kcp.io/workspaces", "core.kcp.io/logicalclusters"][index % 2];
            Op::Put(Key::new(resource, "", &cluster, "", "cluster"), vec![b'x'; 1024].into())
        };
        store.txn(Txn { expect: Vec::new(), ops: (0..AT_ONCE).map(op).collect() }).await?;
    }
    std::mem::forget(store); // as a crash would leave it: nothing is closed in order
    Ok(once("fill", began))
}

fn once(name: &str, began: Instant) -> Figure {
    let took = began.elapsed().as_secs_f64();
    Figure { name: name.to_owned(), per_second: 1.0 / took, p50_us: took * 1e6, p99_us: took * 1e6 }
}

/// Resident memory of this process, in the place of the median.
fn resident(name: &str) -> Figure {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().unwrap_or_default();
    Figure { name: name.to_owned(), per_second: 0.0, p50_us: kib, p99_us: kib }
}
