//! Measures the embedded store in a directory of this machine and prints the figures as JSON.
//! Usage: `cargo run --release -p store --example bench [DIR]`, or `... bench fill DIR ROWS` to fill a store with
//! objects of 1 KiB and leave it as a crash would, for the next run to open.

use std::path::{Path, PathBuf};
use std::time::Instant;

use store::bench::{Load, embedded, json};
use store::{EmbeddedStore, Key, Op, Options, Store, Txn};
use types::ClusterId;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?;
    if let [word, dir, rows] = arguments.as_slice()
        && word == "fill"
    {
        return runtime.block_on(fill(Path::new(dir), rows.parse()?));
    }
    let temporary = tempfile::TempDir::new()?;
    let dir = arguments.first().map_or(temporary.path().to_owned(), PathBuf::from);
    let figures = runtime.block_on(embedded(&dir, &Load::default()))?;
    println!("{}", json(&figures));
    Ok(())
}

/// Creates rows in batches, in an order that is not the order of keys.
async fn fill(dir: &Path, rows: usize) -> Result<(), Box<dyn std::error::Error>> {
    const AT_ONCE: usize = 200;
    let began = Instant::now();
    let store = EmbeddedStore::open(dir, &Options::default())?;
    for batch in 0..rows.div_ceil(AT_ONCE) {
        let op = |index: usize| {
            let mixed = ((batch * AT_ONCE + index) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let cluster = ClusterId::from_random((u128::from(mixed) << 60) | u128::from(mixed));
            let resource = ["tenancy.kcp.io/workspaces", "core.kcp.io/logicalclusters"][index % 2];
            let value: Vec<u8> = (0..1024).map(|_| fastrand::alphanumeric() as u8).collect();
            Op::Put(Key::new(resource, "", &cluster, "", "cluster"), value.into())
        };
        store.txn(Txn { expect: Vec::new(), ops: (0..AT_ONCE).map(op).collect() }).await?;
    }
    println!("{{\"fill\": {{\"rows\": {rows}, \"ms\": {:.0}}}}}", began.elapsed().as_secs_f64() * 1e3);
    std::process::exit(0) // nothing is closed in order
}
