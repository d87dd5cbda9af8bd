//! `api`: durable creates, gets, lists of 1,000 and patches over HTTPS, at 1, 8 and 32 clients.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use client::{Api, Client, ListOptions, Patch, PatchOptions};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

use crate::service::Service;
use crate::statistics::{percentile_ms, rounded};

const CLIENTS: [usize; 3] = [1, 8, 32];
const WORKSPACE: &str = "root:default";

/// One kind of request that is measured.
#[derive(Clone, Copy)]
enum Work {
    Create,
    Get,
    Patch,
    List,
}

impl Work {
    fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Get => "get",
            Self::Patch => "patch",
            Self::List => "list_1000",
        }
    }

    fn requests(self, clients: usize) -> usize {
        match self {
            Self::List => 40 * clients.min(8),
            _ if clients == 1 => 1_500,
            _ => 12_000,
        }
    }
}

pub(crate) async fn api() -> Result<Value, String> {
    let service = Service::start()?;
    let client = service.client()?;
    let mut figures = Map::new();
    for clients in CLIENTS {
        let namespace = format!("bench-{clients}");
        make_namespace(&client, &namespace).await?;
        let connections: Vec<Client> = (0..clients).map(|_| service.client()).collect::<Result<_, _>>()?;
        for work in [Work::Create, Work::Get, Work::Patch] {
            measure(&mut figures, work, &connections, &namespace).await?;
        }
        if clients == 1 {
            // The first 1,000 of what was created stay for the lists.
            trim(&client, &namespace).await?;
        }
        measure(&mut figures, Work::List, &connections, "bench-1").await?;
    }
    figures.insert("resident_mib_after".to_owned(), json!(service.resident_bytes()? / (1024 * 1024)));
    Ok(Value::Object(figures))
}

async fn make_namespace(client: &Client, name: &str) -> Result<(), String> {
    let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
    let namespace = Namespace { metadata, ..Namespace::default() };
    let created = client.cluster(WORKSPACE).all::<Namespace>().create(&namespace).await;
    created.map(drop).map_err(|error| error.to_string())
}

async fn trim(client: &Client, namespace: &str) -> Result<(), String> {
    let api = client.cluster(WORKSPACE).namespaced::<ConfigMap>(namespace);
    for number in 999..Work::Create.requests(1) {
        api.delete(&format!("o-{number}"), &Default::default()).await.map_err(|error| error.to_string())?;
    }
    Ok(())
}

async fn measure(
    figures: &mut Map<String, Value>,
    work: Work,
    connections: &[Client],
    namespace: &str,
) -> Result<(), String> {
    let clients = connections.len();
    let requests = work.requests(clients);
    let next = Arc::new(AtomicUsize::new(0));
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for connection in connections {
        let api = connection.cluster(WORKSPACE).namespaced::<ConfigMap>(namespace);
        let next = Arc::clone(&next);
        tasks.spawn(async move {
            let mut latencies = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= requests {
                    return Ok::<Vec<Duration>, String>(latencies);
                }
                let begun = Instant::now();
                request(&api, work, number).await.map_err(|error| error.to_string())?;
                latencies.push(begun.elapsed());
            }
        });
    }
    let mut latencies = Vec::with_capacity(requests);
    while let Some(done) = tasks.join_next().await {
        latencies.extend(done.map_err(|error| error.to_string())??);
    }
    let rate = requests as f64 / begun.elapsed().as_secs_f64();
    let key = |what: &str| format!("{}_{clients}_clients_{what}", work.name());
    figures.insert(key("per_second"), json!(rounded(rate)));
    figures.insert(key("p50_ms"), json!(percentile_ms(&mut latencies, 50)));
    figures.insert(key("p99_ms"), json!(percentile_ms(&mut latencies, 99)));
    Ok(())
}

async fn request(api: &Api<ConfigMap>, work: Work, number: usize) -> Result<(), client::Error> {
    let name = format!("o-{number}");
    match work {
        Work::Create => api.create(&config_map(&name)).await.map(drop),
        Work::Get => api.get(&name).await.map(drop),
        Work::Patch => {
            let patch = Patch::Merge(json!({ "data": { "patched": number.to_string() } }));
            api.patch(&name, &patch, &PatchOptions::default()).await.map(drop)
        }
        Work::List => api.list(&ListOptions { limit: 1_000, ..ListOptions::default() }).await.map(drop),
    }
}

/// An object of about 1 KiB.
fn config_map(name: &str) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
        data: Some([("payload".to_owned(), "x".repeat(850))].into()),
        ..ConfigMap::default()
    }
}
