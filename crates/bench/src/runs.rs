//! `taskrun` and `pipelines`: real containers, from the create request to `Succeeded`.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use client::{Api, Dynamic, Followed, ResourceType, Watcher, WatcherOptions};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::service::Service;
use crate::statistics::{percentile_ms, rounded};

const TASK_RUNS: usize = 50;
const PIPELINE_RUNS: usize = 200;
const WORKSPACE: &str = "root:default";

pub(crate) async fn task_run() -> Result<Value, String> {
    let service = Service::start()?;
    let runs = runs(&service, "taskruns")?;
    let mut latencies = Vec::new();
    // The first one warms what every later one finds warm.
    for number in 0..=TASK_RUNS {
        let name = format!("run-{number}");
        let run = json!({
            "apiVersion": "tekton.dev/v1",
            "kind": "TaskRun",
            "metadata": { "name": name },
            "spec": { "taskSpec": { "steps": [step()] } },
        });
        let begun = Instant::now();
        runs.create(&Dynamic(run)).await.map_err(|error| error.to_string())?;
        wait_for(&runs, &mut BTreeSet::from([name])).await?;
        if number > 0 {
            latencies.push(begun.elapsed());
        }
    }
    Ok(json!({
        "create_to_succeeded_ms_median": percentile_ms(&mut latencies, 50),
        "create_to_succeeded_ms_p99": percentile_ms(&mut latencies, 99),
    }))
}

pub(crate) async fn pipelines() -> Result<Value, String> {
    let service = Service::start()?;
    let runs = runs(&service, "pipelineruns")?;
    let mut waiting: BTreeSet<String> = (0..PIPELINE_RUNS).map(|number| format!("run-{number}")).collect();
    let begun = Instant::now();
    let mut creates = JoinSet::new();
    for name in &waiting {
        let (runs, name) = (runs_of(&service)?, name.clone());
        creates.spawn(async move {
            let run = json!({
                "apiVersion": "tekton.dev/v1",
                "kind": "PipelineRun",
                "metadata": { "name": name },
                "spec": { "pipelineSpec": { "tasks": [{ "name": "t", "taskSpec": { "steps": [step()] } }] } },
            });
            runs.create(&Dynamic(run)).await.map(drop).map_err(|error| error.to_string())
        });
        if creates.len() >= 16
            && let Some(created) = creates.join_next().await
        {
            created.map_err(|error| error.to_string())??;
        }
    }
    while let Some(created) = creates.join_next().await {
        created.map_err(|error| error.to_string())??;
    }
    wait_for(&runs, &mut waiting).await?;
    let elapsed = begun.elapsed();
    Ok(json!({
        "pipeline_runs": PIPELINE_RUNS,
        "seconds": rounded(elapsed.as_secs_f64()),
        "per_minute": rounded(PIPELINE_RUNS as f64 * 60.0 / elapsed.as_secs_f64()),
        "resident_mib_after": service.resident_bytes()? / (1024 * 1024),
    }))
}

fn step() -> Value {
    json!({ "name": "s", "image": "psvc.local/host", "command": ["/bin/true"] })
}

fn runs(service: &Service, plural: &str) -> Result<Api<Dynamic>, String> {
    let resource = ResourceType::new("tekton.dev", "v1", plural);
    Ok(service.client()?.cluster(WORKSPACE).resource(resource, Some("default")))
}

fn runs_of(service: &Service) -> Result<Api<Dynamic>, String> {
    runs(service, "pipelineruns")
}

/// Watches until every named run has succeeded; a failed one is an error.
async fn wait_for(api: &Api<Dynamic>, waiting: &mut BTreeSet<String>) -> Result<(), String> {
    let mut watcher = Watcher::new(api.clone(), WatcherOptions::default());
    let deadline = tokio::time::Instant::now() + Duration::from_secs(300);
    while !waiting.is_empty() {
        let next = tokio::time::timeout_at(deadline, watcher.next()).await;
        let next = next.map_err(|_| format!("{} runs did not end within 300 s", waiting.len()))?;
        let (Ok(Followed::Existing(Dynamic(run)))
        | Ok(Followed::Created(Dynamic(run)))
        | Ok(Followed::Changed(Dynamic(run)))) = next
        else {
            continue;
        };
        let condition = &run["status"]["conditions"][0];
        let name = run["metadata"]["name"].as_str().unwrap_or_default();
        match condition["status"].as_str() {
            Some("True") => {
                waiting.remove(name);
            }
            Some("False") => return Err(format!("{name} failed: {}", condition["message"])),
            _ => {}
        }
    }
    Ok(())
}
