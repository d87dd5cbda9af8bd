//! A node for one test: the small API server, a data directory, and the service.

pub(crate) mod api;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use archive::LogStore;
use client::{BoxFuture, Client};
use linux::privileges::UserIsolation;
use node::{ImageError, ImageRequest, Images, Options, ResolvedImage, Service};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use api::{Api, CLUSTER, NAMESPACE};

/// What a test has.
pub(crate) struct Bench {
    pub(crate) api: Arc<Api>,
    pub(crate) options: Options,
    directory: tempfile::TempDir,
    running: JoinSet<()>,
    stop: Option<oneshot::Sender<()>>,
}

/// One image: busybox alone, in one layer.
struct Busybox(PathBuf);

impl Images for Busybox {
    fn resolve<'a>(&'a self, request: &'a ImageRequest) -> BoxFuture<'a, Result<ResolvedImage, ImageError>> {
        Box::pin(async move {
            if request.image != "busybox" {
                let message = format!("failed to pull image \"{}\": not found", request.image);
                return Err(ImageError::Pull { message });
            }
            let config = json!({
                "architecture": "amd64", "os": "linux", "rootfs": { "type": "layers", "diff_ids": [] },
                "config": { "Cmd": ["sh"], "Env": ["FROM_IMAGE=yes"], "WorkingDir": "/" },
            });
            Ok(ResolvedImage {
                digest_reference: "registry.test/busybox@sha256:1234".to_owned(),
                layers: vec![self.0.clone()],
                config: serde_json::from_value(config).unwrap(),
            })
        })
    }
}

impl Bench {
    /// A node that runs.
    pub(crate) fn start() -> Self {
        Self::start_with(|_| {})
    }

    /// A node that runs, set up differently.
    pub(crate) fn start_with(change: impl FnOnce(&mut Options)) -> Self {
        let directory = tempfile::tempdir_in("/tmp").unwrap();
        open_to_all(directory.path());
        make_layer(&directory.path().join("layer"));
        let mut options =
            Options::new("node-1", directory.path().join("node"), directory.path().join("logs"));
        options.shim_command = vec![std::env::current_exe().unwrap().into(), "pod-shim".into()];
        options.isolation = isolation();
        options.allow_host_image = true;
        if let Ok(runtime) = std::env::var("NODE_TEST_RUNTIME") {
            options.oci_runtime = runtime.parse().unwrap();
        }
        change(&mut options);
        let mut bench = Self { api: Api::new(), options, directory, running: JoinSet::new(), stop: None };
        bench.start_service();
        bench
    }

    /// Starts the service (again).
    pub(crate) fn start_service(&mut self) {
        let client = Client::new(self.api.clone());
        let images = Arc::new(Busybox(self.directory.path().join("layer")));
        let service = Service::new(self.options.clone(), client, images).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        self.stop = Some(stop);
        self.running.spawn(async move {
            service.run(async move { drop(stopped.await) }).await.unwrap();
        });
    }

    /// Stops the service and waits for its end.
    pub(crate) async fn stop_service(&mut self) {
        self.stop.take();
        while let Some(ended) = self.running.join_next().await {
            ended.unwrap();
        }
    }

    /// Ends the service as a crash does: nothing is finished or told.
    pub(crate) async fn crash_service(&mut self) {
        self.running.abort_all();
        while self.running.join_next().await.is_some() {}
    }

    /// Waits until a Pod has a phase, and returns it.
    pub(crate) async fn phase(&self, pod: &str, phase: &str) -> Value {
        let has = |object: Option<&Value>| object.is_some_and(|pod| pod["status"]["phase"] == phase);
        self.api.wait("pods", pod, has).await.unwrap()
    }

    /// Waits until a container of a Pod waits for a reason, and returns the Pod.
    pub(crate) async fn waiting(&self, pod: &str, reason: &str) -> Value {
        let waits = |object: Option<&Value>| {
            let statuses = object.and_then(|pod| pod["status"]["containerStatuses"].as_array());
            statuses.into_iter().flatten().any(|status| status["state"]["waiting"]["reason"] == reason)
        };
        self.api.wait("pods", pod, waits).await.unwrap()
    }

    /// Waits until a Pod does not exist any more.
    pub(crate) async fn gone(&self, pod: &str) {
        self.api.wait("pods", pod, |object| object.is_none()).await;
    }

    /// Waits until a Pod is over, and returns it.
    pub(crate) async fn over(&self, pod: &str) -> Value {
        let over = |object: Option<&Value>| {
            object.is_some_and(|pod| {
                ["Succeeded", "Failed"].iter().any(|phase| pod["status"]["phase"] == *phase)
            })
        };
        self.api.wait("pods", pod, over).await.unwrap()
    }

    /// Creates a Pod, waits until it is over, and renders how its containers ended.
    pub(crate) async fn run(&self, name: &str, pod: Value) -> String {
        self.api.put("pods", name, pod);
        render(&self.over(name).await)
    }

    /// The lines of a container's log, without times.
    pub(crate) fn log(&self, pod: &str, container: &str) -> String {
        let logs = LogStore::open(&self.options.logs_dir).unwrap();
        let cluster = types::ClusterId::parse(CLUSTER).unwrap();
        let Some(key) = logs.find(&cluster, NAMESPACE, pod, container).unwrap() else {
            return "none".to_owned();
        };
        let text = std::fs::read_to_string(logs.path(&key).unwrap()).unwrap();
        let lines = text.lines().map(|line| line.split_once(' ').map_or(line, |(_, rest)| rest));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Waits until a container has printed a line.
    pub(crate) async fn says(&self, pod: &str, container: &str, line: &str) {
        let wanted = format!(" F {line}");
        self.until(line, || self.log(pod, container).lines().any(|line| line.ends_with(&wanted))).await;
    }

    /// Waits for something that nobody tells.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn() -> bool) {
        for _ in 0..3000 {
            if holds() {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("{what} did not come; writes: {:#?}", self.api.writes());
    }

    /// Waits until no Pod has a directory any more.
    pub(crate) async fn no_pod_dirs(&self) {
        self.until("the end of all Pods' directories", || self.pod_dirs().is_empty()).await;
    }

    /// Kills the processes that run Pods of this test.
    pub(crate) fn kill_shims(&self) {
        let pods = self.options.data_dir.join("pods").to_string_lossy().into_owned();
        for pid in shims(&pods) {
            let pid = rustix::process::Pid::from_raw(pid).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        }
    }

    /// Waits until the process that runs the Pod in `dir` has ended.
    pub(crate) async fn shim_ended(&self, dir: &Path) {
        let dir = dir.to_string_lossy().into_owned();
        self.until("the end of the shim", || shims(&dir).is_empty()).await;
    }

    /// The names of Pods that have a directory.
    pub(crate) fn pod_dirs(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.options.data_dir.join("pods")).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

/// The processes whose last argument begins with `prefix`.
fn shims(prefix: &str) -> Vec<i32> {
    let processes = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    processes
        .filter(|pid: &i32| {
            let command = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let mut words = command.trim_end_matches('\0').split('\0');
            words.nth(1) == Some("pod-shim") && words.next().is_some_and(|dir| dir.starts_with(prefix))
        })
        .collect()
}

/// As the binary finds it out; here only whether this is root.
fn isolation() -> UserIsolation {
    if std::env::var_os("NODE_TEST_NO_USER_NAMESPACES").is_some() {
        return UserIsolation::None;
    }
    UserIsolation::NamespacePerPod
}

fn open_to_all(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn make_layer(layer: &Path) {
    std::fs::create_dir_all(layer.join("bin")).unwrap();
    std::fs::create_dir_all(layer.join("etc")).unwrap();
    std::fs::create_dir_all(layer.join("tmp")).unwrap();
    std::fs::copy("/usr/bin/busybox", layer.join("bin/busybox")).unwrap();
    for name in
        ["sh", "cat", "echo", "id", "ls", "mkdir", "sleep", "touch", "stat", "env", "dd", "true", "kill"]
    {
        std::os::unix::fs::symlink("busybox", layer.join("bin").join(name)).unwrap();
    }
    std::fs::write(
        layer.join("etc/passwd"),
        "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n",
    )
    .unwrap();
    std::fs::write(layer.join("etc/group"), "root:x:0:\nuser:x:1000:\nextra:x:2000:user\n").unwrap();
}

/// A Pod of a Task: steps with a name, a plan and what else a container has.
pub(crate) fn task(results: &[&str], steps: Vec<Value>) -> Value {
    let mut containers = Vec::new();
    let mut planned = Vec::new();
    for mut step in steps {
        let name = step["name"].as_str().unwrap().to_owned();
        let container = format!("step-{name}");
        let mut plan = step.as_object_mut().unwrap().remove("plan").unwrap_or(json!({}));
        plan["name"] = json!(name);
        plan["container"] = json!(container);
        planned.push(plan);
        step["name"] = json!(container);
        if step["image"].is_null() {
            step["image"] = json!("busybox");
        }
        containers.push(step);
    }
    let results: Vec<Value> = results.iter().map(|name| json!({ "name": name, "type": "string" })).collect();
    let plan = json!({ "results": results, "steps": planned });
    json!({
        "metadata": { "annotations": { "pipelineservice.io/step-plan": plan.to_string() } },
        "spec": { "containers": containers, "restartPolicy": "Never" },
    })
}

/// A step that runs a script.
pub(crate) fn script(name: &str, script: &str) -> Value {
    json!({ "name": name, "plan": { "script": script } })
}

/// A plain Pod.
pub(crate) fn pod(restart_policy: &str, containers: Vec<Value>) -> Value {
    json!({ "spec": { "containers": containers, "restartPolicy": restart_policy } })
}

/// How a Pod is: phase, reason, and each container in a line.
pub(crate) fn render(pod: &Value) -> String {
    let status = &pod["status"];
    let mut lines = vec![
        ["phase", "reason", "message"]
            .iter()
            .filter_map(|field| status[*field].as_str())
            .collect::<Vec<_>>()
            .join(" "),
    ];
    for container in status["containerStatuses"].as_array().into_iter().flatten() {
        lines.push(format!("{}: {}", container["name"].as_str().unwrap(), render_state(&container["state"])));
    }
    lines.join("\n")
}

fn render_state(state: &Value) -> String {
    let Some((kind, detail)) = state.as_object().and_then(|state| state.iter().next()) else {
        return "none".to_owned();
    };
    let mut line = kind.clone();
    for field in ["exitCode", "reason"] {
        if !detail[field].is_null() {
            line.push_str(&format!(" {}", detail[field].to_string().trim_matches('"')));
        }
    }
    let message = detail["message"].as_str().unwrap_or_default();
    match serde_json::from_str::<Vec<Value>>(message) {
        Ok(entries) => {
            for entry in entries.iter().filter(|entry| entry["key"] != "StartedAt") {
                line.push_str(&format!(" {}={}", entry["key"].as_str().unwrap(), entry["value"]));
            }
        }
        Err(_) if !message.is_empty() => line.push_str(&format!(": {message}")),
        Err(_) => {}
    }
    line
}
