//! The course of `psvc run`, from the files to the exit status.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use client::{Client, Dynamic, Error, Patch, PatchOptions, ResourceType, WriteOptions};
use linux::privileges::UserIsolation;
use serde_json::{Value, json};
use tokio::signal::unix::{Signal, SignalKind, signal};
use types::GroupVersion;

use super::follow::Follower;
use super::outcome::{Outcome, why};
use super::select::{HostDirectory, Selection, apply_params, apply_workspaces, select};
use super::view::{View, seconds};
use super::{WORKSPACE, tekton};
use crate::cli::{Output, RunArguments};
use crate::failure::Failure;
use crate::manifest::{self, Manifest};
use crate::system::{NodeSetup, Storage, System, SystemOptions};

/// The annotation by which a claim stands for a directory of this machine.
const HOST_PATH: &str = "pipelineservice.io/host-path";

/// Runs what the files hold.
pub(crate) async fn run(arguments: RunArguments, isolation: UserIsolation) -> Result<ExitCode, Failure> {
    let begun = Instant::now();
    let manifests = manifest::read(&arguments.files)?;
    for manifest in &manifests {
        served_by(manifest)?;
    }
    let values = manifests.iter().map(|manifest| manifest.value.clone()).collect();
    let mut selection = select(values).map_err(Failure::usage)?;
    apply_params(&mut selection, &arguments.params).map_err(Failure::usage)?;
    if let Some(run) = selection.runs.iter().find(|run| is_pending(run)) {
        let name = name_of(run);
        return Err(Failure::usage(format!(
            "{name}: it is pending, and nobody would start it: remove spec.status"
        )));
    }
    let directories = apply_workspaces(&mut selection, &arguments.workspaces).map_err(Failure::usage)?;
    for directory in &directories {
        selection.objects.push(claim(directory)?);
    }

    let temporary =
        tempfile::tempdir().map_err(|error| Failure::other("make a temporary directory", error))?;
    let system = start(&arguments, temporary.path(), isolation).await?;
    let ended = whole(&arguments, &manifests, selection, system.client(), begun).await;
    system.stop().await;
    ended
}

async fn start(
    arguments: &RunArguments,
    temporary: &Path,
    isolation: UserIsolation,
) -> Result<System, Failure> {
    let node = NodeSetup::from_arguments(&arguments.node, arguments.network)?;
    let node = node.for_one_user().with_isolation(isolation);
    let images = crate::data::images_directory(None)?;
    System::start(SystemOptions {
        directory: temporary.to_path_buf(),
        images,
        storage: Storage::Memory,
        external_url: "https://localhost".to_owned(),
        root_ca_pem: None,
        node,
    })
    .await
}

async fn whole(
    arguments: &RunArguments,
    manifests: &[Manifest],
    selection: Selection,
    client: Client,
    begun: Instant,
) -> Result<ExitCode, Failure> {
    let client = Arc::new(client);
    check(&client, manifests, &selection).await?;
    for object in &selection.objects {
        create(&client, manifests, object, false).await?;
    }
    let mut runs = Vec::new();
    for run in &selection.runs {
        runs.push(create(&client, manifests, run, false).await?);
    }
    let mut view = View::new(arguments.output.is_some());
    let Some(finished) = follow_all(&client, runs, &mut view).await? else {
        view.finish();
        view.say("interrupted twice: everything was killed");
        return Ok(ExitCode::from(130));
    };
    view.finish();
    let mut worst = Outcome::Succeeded;
    for run in &finished {
        worst = worst.max(Outcome::of(run).unwrap_or(Outcome::Failed));
        conclude(&view, run, begun);
    }
    if arguments.output == Some(Output::Json) {
        for run in &finished {
            println!("{run:#}");
        }
    }
    Ok(ExitCode::from(worst.exit_status()))
}

/// Lets the server say of every object whether it is valid, before anything happens.
async fn check(client: &Client, manifests: &[Manifest], selection: &Selection) -> Result<(), Failure> {
    for object in selection.objects.iter().chain(&selection.runs) {
        create(client, manifests, object, true).await?;
    }
    Ok(())
}

async fn create(
    client: &Client,
    manifests: &[Manifest],
    object: &Value,
    dry_run: bool,
) -> Result<Value, Failure> {
    let refused = |message: &str| match source(manifests, object) {
        Some(manifest) => Failure::from(manifest.refused(message)),
        None => Failure::usage(message),
    };
    let Some(resource) = served(object) else { return Err(Failure::usage(not_served(object))) };
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or("default");
    let namespaced = resource.namespaced.then_some(namespace);
    let version = GroupVersion::parse(object["apiVersion"].as_str().unwrap_or_default()).version;
    let resource = ResourceType::new(resource.group, &version, resource.plural);
    let options = WriteOptions {
        dry_run,
        field_manager: Some("psvc-run".to_owned()),
        field_validation: Some("Strict"),
    };
    let api = client.cluster(WORKSPACE).resource::<Dynamic>(resource, namespaced);
    match api.create_with(&Dynamic(object.clone()), &options).await {
        Ok(Dynamic(created)) => Ok(created),
        Err(error) => match error.status().and_then(|status| status.message.clone()) {
            Some(message) => Err(refused(&message)),
            None => Err(Failure::other("apply the files", error)),
        },
    }
}

/// Refuses an object of a kind that is not served, with its place in the files.
fn served_by(manifest: &Manifest) -> Result<(), Failure> {
    match served(&manifest.value) {
        Some(_) => Ok(()),
        None => Err(manifest.refused(&not_served(&manifest.value)).into()),
    }
}

fn not_served(object: &Value) -> String {
    format!("kind: no kind {} of apiVersion {} is served", object["kind"], object["apiVersion"])
}

/// The row of the table that serves an object.
fn served(object: &Value) -> Option<&'static api::table::Resource> {
    let wanted = GroupVersion::parse(object["apiVersion"].as_str()?);
    let kind = object["kind"].as_str()?;
    api::resources().iter().find(|resource| {
        resource.group == wanted.group
            && resource.kind == kind
            && resource.versions.iter().any(|version| version.name == wanted.version)
    })
}

/// The place in the files that an object came from; the command line may have added to it.
fn source<'a>(manifests: &'a [Manifest], object: &Value) -> Option<&'a Manifest> {
    manifests.iter().find(|manifest| {
        manifest.value["kind"] == object["kind"] && manifest.value["metadata"] == object["metadata"]
    })
}

fn claim(directory: &HostDirectory) -> Result<Value, Failure> {
    let path: PathBuf = std::fs::canonicalize(&directory.directory)
        .map_err(|error| Failure::usage(format!("workspace directory `{}`: {error}", directory.directory)))?;
    Ok(json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": { "name": directory.claim, "annotations": { HOST_PATH: path } },
        "spec": {
            "accessModes": ["ReadWriteMany"],
            "resources": { "requests": { "storage": "1Gi" } },
        },
    }))
}

/// Follows all runs; `None` when the user interrupted a second time.
async fn follow_all(
    client: &Client,
    runs: Vec<Value>,
    view: &mut View,
) -> Result<Option<Vec<Value>>, Failure> {
    let mut finished = Vec::new();
    for run in &runs {
        view.say(&format!("{} {} started", run["kind"].as_str().unwrap_or_default(), name_of(run)));
    }
    let mut interrupted = false;
    let mut interrupts = Interrupts::listen()?;
    for run in &runs {
        let follower = Follower::new(client.cluster(WORKSPACE), run.clone(), false);
        let following = follower.follow(view);
        tokio::pin!(following);
        let last = loop {
            tokio::select! {
                last = &mut following => break last,
                _ = interrupts.recv() => {
                    if interrupted {
                        return Ok(None);
                    }
                    interrupted = true;
                    for run in &runs {
                        cancel(client, run).await?;
                    }
                }
            }
        };
        finished.push(last.map_err(|error| Failure::other("follow the run", error))?);
    }
    Ok(Some(finished))
}

/// SIGINT and SIGTERM: people press Ctrl-C, and CI systems terminate.
struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupts {
    fn listen() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(|error| Failure::other("listen for signals", error));
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    async fn recv(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Asks for the end of a run, with its final tasks.
async fn cancel(client: &Client, run: &Value) -> Result<(), Failure> {
    let is_task_run = run["kind"] == "TaskRun";
    let (plural, status) =
        if is_task_run { ("taskruns", "TaskRunCancelled") } else { ("pipelineruns", "CancelledRunFinally") };
    eprintln!("cancelling {} (interrupt again to kill everything)", name_of(run));
    let namespace = run["metadata"]["namespace"].as_str().unwrap_or("default");
    let api = client.cluster(WORKSPACE).resource::<Dynamic>(tekton(plural), Some(namespace));
    let patch = Patch::Merge(json!({ "spec": { "status": status } }));
    match api.patch(name_of(run), &patch, &PatchOptions::default()).await {
        Ok(_) => Ok(()),
        // It has ended in the meantime.
        Err(Error::Invalid(_) | Error::NotFound(_)) => Ok(()),
        Err(error) => Err(Failure::other("cancel the run", error)),
    }
}

/// The last lines: how it ended, why, and its results.
fn conclude(view: &View, run: &Value, begun: Instant) {
    let (reason, message) = why(run);
    let kind = run["kind"].as_str().unwrap_or_default();
    view.say(&format!("{kind} {} {reason} in {}", name_of(run), seconds(begun)));
    if Outcome::of(run) != Some(Outcome::Succeeded) && !message.is_empty() {
        view.say(&format!("  {message}"));
    }
    for result in run["status"]["results"].as_array().into_iter().flatten() {
        let value = &result["value"];
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        view.say(&format!("  {} = {}", result["name"].as_str().unwrap_or_default(), value.trim_end()));
    }
}

fn is_pending(run: &Value) -> bool {
    run["spec"]["status"].as_str().is_some_and(|status| status.ends_with("Pending"))
}

fn name_of(run: &Value) -> &str {
    run["metadata"]["name"].as_str().unwrap_or_default()
}
