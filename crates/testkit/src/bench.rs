//! The benchmark of the engine: many PipelineRuns of one task on real threads and real time, with a fake node.
//! It measures controllers, API server and memory store together; no container and no disk is involved.

use std::sync::Arc;
use std::time::{Duration, Instant};

use api::tekton::v1::PipelineRun;
use client::{Client, Followed, Watcher, WatcherOptions};
use controllers::SystemClock;
use serde::Serialize;
use serde_json::json;

use crate::fake_node::FakeNode;
use crate::parts::Server;

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct EngineFigures {
    /// PipelineRuns that were created and succeeded.
    pub runs: usize,
    /// From the first create to the last run's end, in seconds.
    pub seconds: f64,
    /// Runs in a second.
    pub runs_per_second: f64,
    /// The part of it in which runs were created, in seconds.
    pub creating_seconds: f64,
    /// Writes to the store for each run.
    pub writes_per_run: f64,
    /// Processor time of this process for each run, in milliseconds: what a busy machine does not distort.
    pub cpu_milliseconds_per_run: f64,
}

/// Runs `runs` PipelineRuns of one task with one step each, as fast as they go, on `threads` threads.
///
/// # Errors
/// When the runtime cannot be made, a run is refused, or not all end within ten minutes.
pub fn engine(
    runs: usize,
    threads: usize,
) -> Result<EngineFigures, Box<dyn std::error::Error + Send + Sync>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    runtime.block_on(async {
        let within = Duration::from_secs(600);
        tokio::time::timeout(within, measure(runs)).await.map_err(|_| format!("no end within {within:?}"))?
    })
}

async fn measure(runs: usize) -> Result<EngineFigures, Box<dyn std::error::Error + Send + Sync>> {
    let server = Server::new(Arc::new(SystemClock), 1);
    let client = Client::new(Arc::new(server.transport()));
    let _node = FakeNode::start(client.clone(), Arc::new(SystemClock));
    let options = controllers::Options::new(client.clone());
    let handle = controllers::Service::new(options).start();
    let pipeline_runs = client.cluster("root").namespaced::<PipelineRun>("default");
    let mut watcher = Watcher::new(client.cluster("root").all::<PipelineRun>(), WatcherOptions::default());
    while !matches!(watcher.next().await, Ok(Followed::Complete)) {}

    let (begin, first, cpu) = (Instant::now(), server.store.revision(), cpu_milliseconds());
    let creating = async {
        for index in 0..runs {
            pipeline_runs.create(&pipeline_run(index)?).await?;
        }
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(begin.elapsed())
    };
    let ending = async {
        let (mut ended, mut failed) = (0, 0);
        while ended < runs {
            let Followed::Changed(run) = watcher.next().await? else { continue };
            let Some(status) = run.status.filter(|status| status.completion_time.is_some()) else { continue };
            ended += 1;
            failed += usize::from(
                !status.conditions.iter().any(|condition| condition.reason.as_deref() == Some("Succeeded")),
            );
        }
        if failed > 0 {
            return Err(format!("{failed} of {runs} runs did not succeed").into());
        }
        Ok(begin.elapsed())
    };
    let (created, ended) = tokio::try_join!(creating, ending)?;
    let (writes, cpu) = (server.store.revision().0 - first.0, cpu_milliseconds() - cpu);
    handle.stop(Duration::from_secs(10)).await;
    let count = f64::from(u32::try_from(runs)?);
    Ok(EngineFigures {
        runs,
        seconds: ended.as_secs_f64(),
        runs_per_second: count / ended.as_secs_f64(),
        creating_seconds: created.as_secs_f64(),
        writes_per_run: f64::from(u32::try_from(writes)?) / count,
        cpu_milliseconds_per_run: cpu / count,
    })
}

/// Processor time of this process so far, in milliseconds; zero where the kernel does not say.
fn cpu_milliseconds() -> f64 {
    /// The kernel counts in hundredths of a second.
    const TICK_MILLISECONDS: f64 = 10.0;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The fields after the command's closing parenthesis begin with the third; user and system time are 14 and 15.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() * TICK_MILLISECONDS
}

fn pipeline_run(index: usize) -> Result<PipelineRun, serde_json::Error> {
    serde_json::from_value(json!({
        "apiVersion": "tekton.dev/v1", "kind": "PipelineRun",
        "metadata": {"name": format!("run-{index}"), "namespace": "default"},
        "spec": {"pipelineSpec": {"tasks": [{
            "name": "hello",
            "taskSpec": {"steps": [{"name": "say", "image": "fake", "script": "#!/bin/sh\necho hello"}]},
        }]}},
    }))
}
