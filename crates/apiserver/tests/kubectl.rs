//! The HTTPS server with real `kubectl` as its client: each command with what it prints, against a golden file.
//! Skipped, and said so, where there is no `kubectl`.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::Arc;

use apiserver::pki::{self, Context, Pki};
use apiserver::{Options, Service};
use expect_test::expect_file;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

struct Kubectl<'a> {
    directory: &'a Path,
    transcript: String,
}

impl Kubectl<'_> {
    fn command(&self, line: &str) -> Command {
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg(line.replace("kubectl ", "kubectl --kubeconfig=admin.kubeconfig --cache-dir=cache "))
            .current_dir(self.directory)
            .env("KUBE_EDITOR", "sed -i s/blue/green/")
            .env("KUBERC", "off")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Runs a command line and notes it with all that it prints.
    async fn run(&mut self, line: &str) -> String {
        let Output { status, stdout, stderr } = self.command(line).output().await.unwrap();
        let mut text = normalized(&String::from_utf8_lossy(&stdout));
        text.push_str(&normalized(&String::from_utf8_lossy(&stderr)));
        let code = status.code().unwrap_or(-1);
        let code = if code == 0 { String::new() } else { format!(" (exit {code})") };
        let _ = writeln!(self.transcript, "$ {line}{code}\n{text}");
        text
    }
}

/// What differs from run to run is replaced: ages, uids, times, temporary files.
fn normalized(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let mut line = line.trim_end().to_owned();
        for word in line.clone().split_whitespace() {
            let word = word.trim_matches(|c: char| matches!(c, '"' | ',' | '(' | ')'));
            let digits = word.trim_end_matches(['s', 'm', 'h']);
            let age = digits.len() < word.len()
                && !digits.is_empty()
                && digits.bytes().all(|b| b.is_ascii_digit() || b == b'm');
            let time = word.len() == 20 && word.ends_with('Z') && word.as_bytes()[10] == b'T';
            let uid = word.len() == 36 && word.matches('-').count() == 4;
            if age {
                line = line.replace(&format!(" {word}"), " AGE");
            } else if time {
                line = line.replace(word, "TIME");
            } else if uid {
                line = line.replace(word, "UID");
            } else if word.starts_with("/tmp/") {
                line = line.replace(word, "TMP");
            }
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

const SETTINGS: &str =
    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: applied\n  namespace: demo\ndata:\n  color: blue\n";
const TASK: &str = "apiVersion: tekton.dev/v1\nkind: Task\nmetadata:\n  name: hello\n  namespace: demo\nspec:\n  steps:\n  - name: say\n    image: busybox\n    script: echo hello\n";
const RUN: &str = "apiVersion: tekton.dev/v1\nkind: TaskRun\nmetadata:\n  generateName: hello-\n  namespace: demo\nspec:\n  taskRef:\n    name: hello\n";
const BAD: &str = "apiVersion: tekton.dev/v1\nkind: Task\nmetadata:\n  name: bad\n  namespace: demo\nspec:\n  stepz: []\n  steps:\n  - name: say\n    image: busybox\n";
const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: worker\n  namespace: demo\nspec:\n  containers:\n  - name: main\n    image: busybox\n";

const COMMANDS: &[&str] = &[
    "kubectl get --raw /version",
    "kubectl api-versions",
    "kubectl api-resources --sort-by=name",
    "kubectl get namespaces",
    "kubectl create namespace demo",
    "kubectl create configmap settings -n demo --from-literal=color=blue",
    "kubectl create configmap settings -n demo --from-literal=color=blue",
    "kubectl get configmaps -n demo",
    "kubectl get configmap settings -n demo -o jsonpath={.data.color}",
    "kubectl get configmaps -n demo -o name --chunk-size=1",
    "kubectl get configmap none -n demo",
    "kubectl get nothings",
    "kubectl apply -f applied.yaml",
    "kubectl apply -f applied.yaml",
    "sed -i s/blue/red/ applied.yaml; kubectl diff -f applied.yaml | grep '^[+-] '",
    "kubectl apply -f applied.yaml",
    "kubectl get configmap applied -n demo -o jsonpath={.data}",
    "kubectl apply --server-side -f task.yaml",
    "kubectl apply --server-side -f task.yaml --show-managed-fields -o jsonpath={.metadata.managedFields[0].manager}",
    "sed 's/echo hello/echo bye/' task.yaml > task2.yaml; kubectl apply --server-side --field-manager=other -f task2.yaml",
    "kubectl apply --server-side --field-manager=other --force-conflicts -f task2.yaml",
    "kubectl apply -f bad.yaml",
    "kubectl apply -f bad.yaml --validate=warn",
    "kubectl get tasks -n demo",
    "kubectl patch configmap settings -n demo --type=merge -p '{\"data\":{\"size\":\"1\"}}'",
    "kubectl patch configmap settings -n demo --type=json -p '[{\"op\":\"replace\",\"path\":\"/data/size\",\"value\":\"2\"}]'",
    "kubectl patch configmap settings -n demo -p '{\"data\":{\"more\":\"3\"}}'",
    "kubectl patch task hello -n demo -p '{}'",
    "kubectl edit configmap settings -n demo",
    "kubectl get configmap settings -n demo -o jsonpath={.data}",
    "kubectl label configmap settings -n demo tier=front",
    "kubectl label configmap settings -n demo tier=back",
    "kubectl label configmap settings -n demo tier-",
    "kubectl annotate configmap settings -n demo note=x",
    "kubectl get configmaps -n demo -l tier=front",
    "kubectl create -f run.yaml -o jsonpath={.metadata.generateName}",
    "kubectl get taskruns -n demo -o jsonpath={.items[*].spec.taskRef.name}",
    "kubectl delete taskruns --all -n demo | sed 's/hello-...../hello-NAME/'",
    "kubectl explain task.spec.steps.image",
    "kubectl explain configmap.data",
    "kubectl explain pipelinerun.spec --recursive | head -12",
    "kubectl apply -f pod.yaml",
    "kubectl get pods -A",
    "kubectl get pods -n demo -o wide",
    "kubectl logs worker -n demo",
    "kubectl wait --for=jsonpath={.status.phase}=Pending pod/worker -n demo --timeout=10s",
    "kubectl wait --for=condition=Ready pod/worker -n demo --timeout=1s",
    "kubectl describe configmap settings -n demo | head -5",
    "kubectl get taskruns,pipelineruns -n demo",
    "kubectl get tasks.v1beta1.tekton.dev hello -n demo -o jsonpath={.apiVersion}",
    "kubectl delete -f pod.yaml --grace-period=0 --force --dry-run=server",
    "kubectl describe pod worker -n demo | head -20",
    "kubectl run runner -n demo --image=busybox --restart=Never",
    "kubectl get pod runner -n demo -o jsonpath={.spec.containers[0].image}",
    "kubectl create serviceaccount builder -n demo",
    "kubectl describe namespace demo",
    "kubectl describe task hello -n demo | head -4",
    "kubectl get events -A",
    "kubectl events -n demo",
    "kubectl replace -f applied.yaml",
    "kubectl delete -f applied.yaml",
    "kubectl delete pod worker -n demo --wait",
    "kubectl get all -n demo",
    "kubectl get serviceaccounts -n demo",
    "kubectl --context=root get workspaces",
    "kubectl create secret generic s -n demo --from-literal=a=b --dry-run=server -o jsonpath={.data.a}",
    "kubectl get secrets -n demo",
    "kubectl delete namespace default",
    "kubectl delete configmap settings -n demo --cascade=orphan --wait=false",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kubectl_works_unmodified() {
    if Command::new("kubectl").arg("version").arg("--client").output().await.is_err() {
        eprintln!("skipped: there is no kubectl on this machine");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let logs = Arc::new(archive::LogStore::open(directory.path().join("logs")).unwrap());
    let service = Service::new(Options::new(&url, Arc::new(store::MemoryStore::new()), logs));
    let now = jiff::Timestamp::now();
    let pki = Pki::open(&directory.path().join("pki"), now).unwrap();
    let tls = pki.server_config(&[], now).unwrap();
    let admin = pki.client("admin", &["system:masters"], now).unwrap();
    let contexts =
        [Context { name: "default", workspace: "root:default" }, Context { name: "root", workspace: "root" }];
    let text = pki::kubeconfig(&url, pki.ca_pem(), &admin, &contexts);
    pki::write_kubeconfig(&directory.path().join("admin.kubeconfig"), &text).unwrap();
    for (name, text) in [
        ("applied.yaml", SETTINGS),
        ("task.yaml", TASK),
        ("run.yaml", RUN),
        ("bad.yaml", BAD),
        ("pod.yaml", POD),
    ] {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    let (stop, stopped) = oneshot::channel::<()>();
    let mut tasks = JoinSet::new();
    tasks.spawn(apiserver::serve(service, listener, tls, async {
        let _ = stopped.await;
    }));

    let mut kubectl = Kubectl { directory: directory.path(), transcript: String::new() };
    let workspace = "apiVersion: tenancy.kcp.io/v1alpha1\nkind: Workspace\nmetadata:\n  name: default\n";
    std::fs::write(directory.path().join("workspace.yaml"), workspace).unwrap();
    kubectl.run("kubectl --context=root create -f workspace.yaml").await;
    for command in COMMANDS {
        kubectl.run(command).await;
    }
    let id =
        kubectl.command("kubectl --context=root get workspace default -o jsonpath={.spec.cluster}").output();
    let id = String::from_utf8(id.await.unwrap().stdout).unwrap();
    let transcript = kubectl.transcript.replace(&id, "CLUSTER").replace(&url, "https://SERVER");
    expect_file!["kubectl.golden"].assert_eq(&transcript);
    watch_sees_changes(&mut kubectl).await;
    stop.send(()).unwrap();
    tasks.join_next().await.unwrap().unwrap().unwrap();
}

/// `get -w` prints an object at once, and its change when it changes.
async fn watch_sees_changes(kubectl: &mut Kubectl<'_>) {
    kubectl.run("kubectl create configmap watched -n demo").await;
    let mut watch = kubectl
        .command("exec kubectl get configmap watched -n demo -w -o jsonpath='{.data.k}{\"\\n\"}'")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    assert_eq!(lines.next_line().await.unwrap().as_deref(), Some(""));
    kubectl.run("kubectl patch configmap watched -n demo -p '{\"data\":{\"k\":\"v\"}}'").await;
    assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("v"));
    watch.kill().await.unwrap();
}
