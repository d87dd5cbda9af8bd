//! The command line: what can be said, and the examples that `--help` shows.
//! It only names options; the modules beside it act on them.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Pipeline Service: a Kubernetes-compatible API with Tekton pipelines, on this machine or as a service.
#[derive(Debug, Parser)]
#[command(name = "psvc", version, about, after_help = EXAMPLES, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  psvc run examples/hello.yaml                 run a pipeline here and now, and exit with its outcome
  psvc run build.yaml -p revision=main         give it a parameter
  psvc up                                      start the service; then:
  kubectl --kubeconfig DIR/admin.kubeconfig get pipelineruns
  psvc logs -f hello                           follow the logs of a run";

/// The command by which the node starts this binary again for each Pod.
pub(crate) const SHIM_COMMAND: &str = "pod-shim";

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a pipeline from files, show it live, and exit with its outcome.
    Run(RunArguments),
    /// Start the service: API server, controllers and the node of this machine.
    Up(UpArguments),
    /// Print or follow the logs of a PipelineRun, a TaskRun or a Pod of a running service.
    Logs(LogsArguments),
    /// Images that steps can use without a registry.
    #[command(subcommand)]
    Image(ImageCommand),
    /// Print the version.
    Version,
    /// Print a completion script for a shell.
    #[command(after_help = "Example:\n  psvc completion bash > /etc/bash_completion.d/psvc")]
    Completion {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// The process that runs the steps of one Pod; started by the node.
    #[command(hide = true, name = SHIM_COMMAND)]
    PodShim {
        /// The Pod's directory.
        directory: PathBuf,
    },
}

const RUN_EXAMPLES: &str = "\
Examples:
  psvc run examples/hello.yaml
  psvc run task.yaml -p name=world             a Task or Pipeline alone: a run is made for it
  psvc run ci.yaml -w source=.                 a directory of this machine as a workspace
  psvc run ci.yaml -w cache=emptyDir= -w key=secret=deploy-key
  psvc run ci.yaml --output json | jq .status.results

Exit status:
  0  the run succeeded        5  the run failed
  2  wrong use or an invalid file    6  cancelled or timed out    130  interrupted twice";

/// Options of `psvc run`.
#[derive(Debug, Args)]
#[command(after_help = RUN_EXAMPLES)]
pub(crate) struct RunArguments {
    /// Files with the run and what it needs; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<String>,
    /// A parameter: a string, `a,b` for an array, `key:value,key:value` for an object.
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    pub(crate) params: Vec<String>,
    /// A workspace: a directory, or `emptyDir=`, `claimName=..`, `config=..`, `secret=..` as `tkn` takes them.
    #[arg(short, long = "workspace", value_name = "NAME=BINDING")]
    pub(crate) workspaces: Vec<String>,
    /// What to print to standard output at the end, in place of the logs.
    #[arg(short, long, value_enum)]
    pub(crate) output: Option<Output>,
    /// The network of the steps.
    #[arg(long, value_enum, default_value_t = Network::Host)]
    pub(crate) network: Network,
    #[command(flatten)]
    pub(crate) node: NodeArguments,
}

/// The form of output for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// The finished run as JSON.
    Json,
}

/// The network of steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Network {
    /// The network of this machine.
    Host,
    /// Only a loopback device.
    None,
}

const UP_EXAMPLES: &str = "\
Examples:
  psvc up --data-dir /var/lib/psvc --listen 0.0.0.0:6443
  kubectl --kubeconfig /var/lib/psvc/admin.kubeconfig create -f examples/hello.yaml";

/// Options of `psvc up`.
#[derive(Debug, Args)]
#[command(after_help = UP_EXAMPLES)]
pub(crate) struct UpArguments {
    /// Where everything is kept: the store, logs, images, certificates and `admin.kubeconfig`.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The address to serve HTTPS at; port 0 takes a free one.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:6443")]
    pub(crate) listen: SocketAddr,
    /// The network of the steps.
    #[arg(long, value_enum, default_value_t = Network::Host)]
    pub(crate) network: Network,
    /// Let steps use the image `psvc.local/host`, a read-only view of this machine's own files.
    #[arg(long)]
    pub(crate) allow_host_image: bool,
    #[command(flatten)]
    pub(crate) node: NodeArguments,
}

/// Options of the node, for `run` and `up`.
#[derive(Debug, Args)]
pub(crate) struct NodeArguments {
    /// The OCI runtime that starts containers: `builtin`, `crun`, `runc`, or the path of another.
    #[arg(long, value_name = "RUNTIME", default_value = "builtin")]
    pub(crate) oci_runtime: String,
    /// Registries: mirrors, plain HTTP and credentials, as a YAML file.
    #[arg(long, value_name = "FILE")]
    pub(crate) registries: Option<PathBuf>,
    /// How many Pods run at the same time; the others wait.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) max_pods: Option<usize>,
}

/// Options of `psvc logs`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  psvc logs hello\n  psvc logs -f taskrun/build -n team")]
pub(crate) struct LogsArguments {
    /// The run: NAME (a PipelineRun, a TaskRun or a Pod), or KIND/NAME.
    #[arg(value_name = "RUN")]
    pub(crate) run: String,
    /// Follow until the run ends.
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Begin each line with its time.
    #[arg(long)]
    pub(crate) timestamps: bool,
    /// The namespace; that of the kubeconfig's context when absent.
    #[arg(short, long)]
    pub(crate) namespace: Option<String>,
    /// The kubeconfig; `$KUBECONFIG`, the data directory's `admin.kubeconfig` or `~/.kube/config` when absent.
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// The kubeconfig's context.
    #[arg(long)]
    pub(crate) context: Option<String>,
}

/// What to do with images.
#[derive(Debug, Subcommand)]
pub(crate) enum ImageCommand {
    /// Add the images of an OCI layout or `docker save` archive.
    Import {
        /// The archive, also compressed.
        file: PathBuf,
        /// Where everything is kept.
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
    /// List the images that are here.
    List {
        /// Where everything is kept.
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
    /// Remove images that no reference names, and leftovers of interrupted pulls.
    Prune {
        /// Remove the named images too: everything.
        #[arg(long)]
        all: bool,
        /// Where everything is kept.
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
