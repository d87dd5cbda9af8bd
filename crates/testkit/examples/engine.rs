//! Prints the engine's figures as JSON: `cargo run --release -p testkit --example engine -- [RUNS] [THREADS]`.

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut arguments = std::env::args().skip(1);
    let runs = arguments.next().map_or(Ok(2000), |text| text.parse())?;
    let threads = arguments.next().map_or(Ok(2), |text| text.parse())?;
    let figures = testkit::bench::engine(runs, threads)?;
    println!("{}", serde_json::to_string(&figures)?);
    Ok(())
}
