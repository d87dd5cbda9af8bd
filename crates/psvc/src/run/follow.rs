//! Follows runs to their end: what the objects say goes to the view, and so does every line of every step.
//! It only watches; starting and cancelling are [`super`]'s.
//! Invariant: each log is followed once, from its beginning, and the run is not over before its logs are.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use client::{Api, Cluster, Dynamic, Error, Followed, LogOptions, Watcher, WatcherOptions};
use futures_util::StreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::model::{LogSource, log_sources, rows};
use super::outcome::Outcome;
use super::tekton;
use super::view::View;

/// How long the logs of a finished run may take to end.
const LOGS_SECONDS_MAX: u64 = 10;
const LINES_QUEUED_MAX: usize = 1_024;

/// A line of a log on its way to the view.
struct Line {
    source: LogSource,
    text: String,
}

/// Follows one run.
pub(crate) struct Follower {
    cluster: Cluster,
    namespace: String,
    run: Value,
    task_runs: BTreeMap<String, Value>,
    started: BTreeSet<LogSource>,
    logs: JoinSet<()>,
    sender: mpsc::Sender<Line>,
    lines: mpsc::Receiver<Line>,
    timestamps: bool,
}

impl Follower {
    /// Follows a run of `cluster`; with `timestamps`, each line of a log begins with its time.
    pub(crate) fn new(cluster: Cluster, run: Value, timestamps: bool) -> Self {
        let (sender, lines) = mpsc::channel(LINES_QUEUED_MAX);
        let namespace = run["metadata"]["namespace"].as_str().unwrap_or("default").to_owned();
        Self {
            cluster,
            namespace,
            timestamps,
            run,
            task_runs: BTreeMap::new(),
            started: BTreeSet::new(),
            logs: JoinSet::new(),
            sender,
            lines,
        }
    }

    /// Shows the run until it has ended, and returns its last state.
    pub(crate) async fn follow(mut self, view: &mut View) -> Result<Value, Error> {
        let name = self.run["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let is_task_run = self.run["kind"] == "TaskRun";
        let mut runs = self.watcher(
            if is_task_run { "taskruns" } else { "pipelineruns" },
            WatcherOptions {
                field_selector: Some(format!("metadata.name={name}")),
                ..WatcherOptions::default()
            },
        );
        let mut children = self.watcher(
            "taskruns",
            WatcherOptions {
                label_selector: Some(format!("tekton.dev/pipelineRun={name}")),
                ..WatcherOptions::default()
            },
        );
        while Outcome::of(&self.run).is_none() {
            tokio::select! {
                biased;
                Some(line) = self.lines.recv() => show(view, &line),
                followed = runs.next() => if !self.take_run(followed?)? { break },
                followed = children.next(), if !is_task_run => self.take_child(followed?),
            }
            self.start_logs();
            view.update(&rows(&self.run, &self.task_runs));
        }
        self.finish(view).await?;
        Ok(self.run)
    }

    fn watcher(&self, plural: &str, options: WatcherOptions) -> Watcher<Dynamic> {
        Watcher::new(self.api(plural), options)
    }

    fn api(&self, plural: &str) -> Api<Dynamic> {
        self.cluster.resource(tekton(plural), Some(&self.namespace))
    }

    /// Takes the run's new state; false when it was deleted.
    fn take_run(&mut self, followed: Followed<Dynamic>) -> Result<bool, Error> {
        match followed {
            Followed::Existing(Dynamic(run))
            | Followed::Created(Dynamic(run))
            | Followed::Changed(Dynamic(run)) => {
                self.run = run;
            }
            Followed::Gone(_) => return Ok(false),
            Followed::Restarted | Followed::Complete => {}
        }
        Ok(true)
    }

    fn take_child(&mut self, followed: Followed<Dynamic>) {
        if let Followed::Existing(Dynamic(child))
        | Followed::Created(Dynamic(child))
        | Followed::Changed(Dynamic(child)) = followed
        {
            let name = child["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            self.task_runs.insert(name, child);
        }
    }

    fn start_logs(&mut self) {
        let own = (self.run["kind"] == "TaskRun").then_some(&self.run);
        let sources: Vec<LogSource> = self.task_runs.values().chain(own).flat_map(log_sources).collect();
        for source in sources {
            if self.started.insert(source.clone()) {
                let pods = self.cluster.namespaced::<Pod>(&self.namespace);
                let (sender, timestamps) = (self.sender.clone(), self.timestamps);
                self.logs.spawn(async move { follow_log(pods, source, timestamps, sender).await });
            }
        }
    }

    /// Reads the children once more, which may have ended between two looks, and waits for all logs.
    async fn finish(&mut self, view: &mut View) -> Result<(), Error> {
        if self.run["kind"] != "TaskRun" {
            let name = self.run["metadata"]["name"].as_str().unwrap_or_default();
            let labelled = client::ListOptions::labelled(format!("tekton.dev/pipelineRun={name}"));
            for Dynamic(child) in self.api("taskruns").list_all(&labelled).await?.items {
                let name = child["metadata"]["name"].as_str().unwrap_or_default().to_owned();
                self.task_runs.insert(name, child);
            }
        }
        self.start_logs();
        let until = tokio::time::Instant::now() + Duration::from_secs(LOGS_SECONDS_MAX);
        loop {
            tokio::select! {
                biased;
                Some(line) = self.lines.recv() => show(view, &line),
                ended = self.logs.join_next() => if ended.is_none() { break },
                () = tokio::time::sleep_until(until) => break,
            }
        }
        while let Ok(line) = self.lines.try_recv() {
            show(view, &line);
        }
        view.update(&rows(&self.run, &self.task_runs));
        Ok(())
    }
}

fn show(view: &View, line: &Line) {
    view.log(&line.source.task, &line.source.step, &line.text);
}

async fn follow_log(pods: Api<Pod>, source: LogSource, timestamps: bool, sender: mpsc::Sender<Line>) {
    let container = Some(source.container.clone());
    let options = LogOptions { container, follow: true, timestamps, ..LogOptions::default() };
    let mut stream = match pods.logs(&source.pod, &options).await {
        Ok(stream) => stream,
        Err(error) => {
            let text = format!("(the log cannot be shown: {error})");
            let _gone = sender.send(Line { source, text }).await;
            return;
        }
    };
    let mut carried = Vec::new();
    while let Some(Ok(part)) = stream.next().await {
        carried.extend_from_slice(&part);
        while let Some(end) = carried.iter().position(|byte| *byte == b'\n') {
            let text = String::from_utf8_lossy(&carried[..end]).into_owned();
            carried.drain(..=end);
            if sender.send(Line { source: source.clone(), text }).await.is_err() {
                return;
            }
        }
    }
    if !carried.is_empty() {
        let text = String::from_utf8_lossy(&carried).into_owned();
        let _gone = sender.send(Line { source, text }).await;
    }
}
