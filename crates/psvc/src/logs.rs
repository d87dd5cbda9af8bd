//! `psvc logs`: the logs of a PipelineRun, a TaskRun or a Pod, from a running service.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use client::{Api, Client, Cluster, Dynamic, Https, Kubeconfig, ListOptions, LogOptions};
use futures_util::StreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;

use crate::cli::LogsArguments;
use crate::data;
use crate::failure::Failure;
use crate::run::{Follower, LogSource, View, log_sources, tekton};

/// What a command line names.
enum Target {
    PipelineRun(Value),
    TaskRun(Value),
    Pod(String),
}

pub(crate) async fn logs(arguments: LogsArguments) -> Result<ExitCode, Failure> {
    let config = kubeconfig(&arguments)?;
    let transport = Https::new(&config).map_err(|error| Failure::other("use the kubeconfig", error))?;
    let path = config.cluster().unwrap_or("root").to_owned();
    let cluster = Client::new(Arc::new(transport)).named("psvc-logs").cluster(&path);
    let namespace = arguments.namespace.clone().unwrap_or_else(|| config.namespace.clone());
    let printer = Printer { cluster, namespace, follow: arguments.follow, timestamps: arguments.timestamps };
    match printer.target(&arguments.run).await? {
        Target::Pod(pod) => printer.pod(&pod).await?,
        Target::TaskRun(run) => printer.run("taskruns", run).await?,
        Target::PipelineRun(run) => printer.run("pipelineruns", run).await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn kubeconfig(arguments: &LogsArguments) -> Result<Kubeconfig, Failure> {
    let environment = std::env::var_os("KUBECONFIG").filter(|value| !value.is_empty()).map(PathBuf::from);
    let candidates = [
        arguments.kubeconfig.clone().or(environment),
        data::default_directory().ok().map(|directory| directory.join("admin.kubeconfig")),
        std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".kube/config")),
    ];
    let Some(path) = candidates.into_iter().flatten().find(|path| path.is_file()) else {
        return Err(Failure::usage("there is no kubeconfig: start `psvc up`, or give --kubeconfig"));
    };
    let reading = || format!("read `{}`", path.display());
    let text = std::fs::read_to_string(&path).map_err(|error| Failure::other(reading(), error))?;
    Kubeconfig::parse(&text, arguments.context.as_deref()).map_err(|error| Failure::other(reading(), error))
}

struct Printer {
    cluster: Cluster,
    namespace: String,
    follow: bool,
    timestamps: bool,
}

impl Printer {
    fn tekton(&self, plural: &str) -> Api<Dynamic> {
        self.cluster.resource(tekton(plural), Some(&self.namespace))
    }

    /// Finds what `NAME` or `KIND/NAME` stands for.
    async fn target(&self, text: &str) -> Result<Target, Failure> {
        let (kind, name) = text.split_once('/').map_or((None, text), |(kind, name)| (Some(kind), name));
        let wanted = |names: &[&str]| kind.is_none_or(|kind| names.contains(&kind));
        let find = |plural: &'static str| async move {
            let found = self.tekton(plural).find(name).await;
            found.map_err(|error| Failure::other(format!("find `{name}`"), error))
        };
        if wanted(&["pipelinerun", "pipelineruns", "pr"])
            && let Some(Dynamic(run)) = find("pipelineruns").await?
        {
            return Ok(Target::PipelineRun(run));
        }
        if wanted(&["taskrun", "taskruns", "tr"])
            && let Some(Dynamic(run)) = find("taskruns").await?
        {
            return Ok(Target::TaskRun(run));
        }
        if wanted(&["pod", "pods"]) {
            return Ok(Target::Pod(name.to_owned()));
        }
        Err(Failure::usage(format!("there is no `{text}` in namespace `{}`", self.namespace)))
    }

    /// Prints the logs of a Pod's containers, one after the other; those of a Pod that is gone as long as it had one.
    async fn pod(&self, pod: &str) -> Result<(), Failure> {
        let pods = self.cluster.namespaced::<Pod>(&self.namespace);
        let found =
            pods.find(pod).await.map_err(|error| Failure::other(format!("find Pod `{pod}`"), error))?;
        let containers: Vec<Option<String>> = match found.and_then(|pod| pod.spec) {
            Some(spec) => spec.containers.into_iter().map(|container| Some(container.name)).collect(),
            None => vec![None],
        };
        for container in containers {
            let options = LogOptions {
                container,
                follow: self.follow,
                timestamps: self.timestamps,
                ..LogOptions::default()
            };
            let failed = |error| Failure::other(format!("read the logs of Pod `{pod}`"), error);
            let mut stream = pods.logs(pod, &options).await.map_err(failed)?;
            while let Some(part) = stream.next().await {
                let part = part.map_err(|error| Failure::other("read the log", error))?;
                if std::io::stdout().write_all(&part).is_err() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Prints the logs of a run's steps in the order in which they started, or follows until the run has ended.
    async fn run(&self, plural: &str, run: Value) -> Result<(), Failure> {
        if self.follow {
            let follower = Follower::new(self.cluster.clone(), run, self.timestamps);
            let followed = follower.follow(&mut View::logs_only()).await;
            return followed.map(drop).map_err(|error| Failure::other("follow the run", error));
        }
        for source in self.sources(plural, &run).await? {
            self.step(&source).await?;
        }
        Ok(())
    }

    async fn sources(&self, plural: &str, run: &Value) -> Result<Vec<LogSource>, Failure> {
        if plural == "taskruns" {
            return Ok(log_sources(run));
        }
        let name = run["metadata"]["name"].as_str().unwrap_or_default();
        let labelled = ListOptions::labelled(format!("tekton.dev/pipelineRun={name}"));
        let children = self.tekton("taskruns").list_all(&labelled).await;
        let mut children = children.map_err(|error| Failure::other("list the TaskRuns", error))?.items;
        children
            .sort_by_key(|Dynamic(child)| child["status"]["startTime"].as_str().unwrap_or("~").to_owned());
        Ok(children.iter().flat_map(|Dynamic(child)| log_sources(child)).collect())
    }

    async fn step(&self, source: &LogSource) -> Result<(), Failure> {
        let failed = |error| Failure::other(format!("read the log of step `{}`", source.step), error);
        let options = LogOptions {
            container: Some(source.container.clone()),
            timestamps: self.timestamps,
            ..LogOptions::default()
        };
        let pods = self.cluster.namespaced::<Pod>(&self.namespace);
        let mut stream = pods.logs(&source.pod, &options).await.map_err(failed)?;
        let mut text = Vec::new();
        while let Some(part) = stream.next().await {
            text.extend_from_slice(&part.map_err(|error| Failure::other("read the log", error))?);
        }
        for line in String::from_utf8_lossy(&text).lines() {
            if writeln!(std::io::stdout(), "[{} : {}] {line}", source.task, source.step).is_err() {
                break;
            }
        }
        Ok(())
    }
}
