//! Puts the plan of a whole Pod together.
//! Invariant: the first error in the Pod's own order is the one that is reported.

use std::collections::HashMap;
use std::path::Path;

use api::step_plan::{PlannedStep, StepPlan};
use k8s_openapi::api::core::v1::{Container, PodSpec};

use crate::environment::{self, Environment};
use crate::identity::{self, ProcessUser};
use crate::input::{Image, Input};
use crate::mounts::{self, MountContext};
use crate::oci::{self, SpecParts};
use crate::plan::{
    ContainerPlan, Network, Order, PlanError, PodPlan, RestartPolicy, TerminationPolicy, TextFile, Volume,
};
use crate::{tekton, volumes};

/// Seconds between SIGTERM and SIGKILL of Pods that set none. Source: the Kubernetes API.
const DEFAULT_GRACE_PERIOD_SECONDS: u64 = 30;
/// Where a container leaves its termination message unless it says otherwise. Source: the Kubernetes API.
const DEFAULT_TERMINATION_PATH: &str = "/dev/termination-log";

/// Plans a Pod.
///
/// # Errors
/// [`PlanError`] when an object is missing, or when the Pod asks for something that is not supported or not allowed.
pub fn plan(input: &Input<'_>) -> Result<PodPlan, PlanError> {
    let empty = PodSpec::default();
    let spec = input.pod.spec.as_ref().unwrap_or(&empty);
    refuse_unsupported(input, spec)?;
    let group = identity::fs_group(spec.security_context.as_ref())?;
    let first = spec.containers.first().map(|container| container.name.clone()).unwrap_or_default();
    let mut volumes = volumes::volumes(input, group).map_err(|error| error.of(&first))?;
    let tekton_dir = input.steps.map(|_| input.pod_dir.join("tekton"));
    let layout = match (input.steps, &tekton_dir) {
        (Some(steps), Some(dir)) => tekton::layout(dir, steps),
        _ => tekton::Layout::default(),
    };
    let network = if spec.host_network == Some(true) { Network::Host } else { input.machine.network };
    let shared =
        Shared { input, spec, network, hostname: hostname(input, spec), tekton_dir: tekton_dir.as_deref() };
    let mut containers = Vec::with_capacity(spec.containers.len());
    for (index, container) in spec.containers.iter().enumerate() {
        let planned = shared.container(index, container, &mut volumes);
        containers.push(planned.map_err(|error| error.of(&container.name))?);
    }
    let mut directories = vec![(input.pod_dir.join("etc"), 0o755), (input.pod_dir.join("volumes"), 0o755)];
    directories.extend(layout.directories);
    let mut files = layout.files;
    files.extend(shared.etc_files());
    for path in containers.iter().filter_map(|container| container.termination_file.as_ref()) {
        directories.extend(path.parent().map(|parent| (parent.to_owned(), 0o755)));
        files.push(TextFile { path: path.clone(), mode: 0o666, content: String::new() });
    }
    Ok(PodPlan {
        pod: input.pod_ref.clone(),
        hostname: shared.hostname,
        network,
        user_namespace: user_namespace(input, spec),
        order: order(input, spec)?,
        volumes,
        directories,
        files,
        links: layout.links,
        containers,
        results: input.steps.map(|steps| steps.results.clone()).unwrap_or_default(),
        tekton_dir,
        grace_period_seconds: spec
            .termination_grace_period_seconds
            .map_or(DEFAULT_GRACE_PERIOD_SECONDS, |seconds| u64::try_from(seconds).unwrap_or(0)),
        active_deadline_seconds: spec.active_deadline_seconds.and_then(|seconds| u64::try_from(seconds).ok()),
    })
}

fn order(input: &Input<'_>, spec: &PodSpec) -> Result<Order, PlanError> {
    match (input.steps, spec.restart_policy.as_deref()) {
        (Some(_), _) => Ok(Order::Steps),
        (None, None | Some("" | "Always")) => Ok(Order::Together(RestartPolicy::Always)),
        (None, Some("OnFailure")) => Ok(Order::Together(RestartPolicy::OnFailure)),
        (None, Some("Never")) => Ok(Order::Together(RestartPolicy::Never)),
        (None, Some(other)) => Err(PlanError::never(format!("restartPolicy {other} is not supported"))),
    }
}

/// Whether containers have a user namespace of their own.
fn user_namespace(input: &Input<'_>, spec: &PodSpec) -> bool {
    input.machine.user_namespaces && spec.host_users != Some(true)
}

/// The host name of a Pod: its own wish, or its name, cut to what the kernel takes.
fn hostname(input: &Input<'_>, spec: &PodSpec) -> String {
    let wanted = spec.hostname.as_deref().filter(|name| !name.is_empty());
    let name = wanted.unwrap_or(&input.pod_ref.name);
    name.chars().take(63).collect::<String>().trim_end_matches(['-', '.']).to_owned()
}

/// Names what is not supported, instead of leaving it out.
fn refuse_unsupported(input: &Input<'_>, spec: &PodSpec) -> Result<(), PlanError> {
    let not_yet = |what: &str| Err(PlanError::never(format!("{what} is not supported by this node yet")));
    if spec.containers.is_empty() {
        return Err(PlanError::never("the Pod has no containers"));
    }
    if spec.init_containers.as_ref().is_some_and(|list| !list.is_empty()) {
        return not_yet("spec.initContainers");
    }
    for (set, name) in [
        (spec.host_pid == Some(true), "spec.hostPID"),
        (spec.host_ipc == Some(true), "spec.hostIPC"),
        (spec.share_process_namespace == Some(true), "spec.shareProcessNamespace"),
        (spec.runtime_class_name.as_deref().is_some_and(|name| !name.is_empty()), "spec.runtimeClassName"),
    ] {
        if set {
            return not_yet(name);
        }
    }
    let permissions = input.machine.permissions;
    if spec.host_users == Some(true) && input.machine.user_namespaces && !permissions.privileged {
        return Err(oci::refused("spec.hostUsers"));
    }
    if spec.host_network == Some(true) && input.machine.network != Network::Host && !permissions.privileged {
        return Err(oci::refused("spec.hostNetwork"));
    }
    for container in &spec.containers {
        refuse_unsupported_container(container).map_err(|error| error.of(&container.name))?;
    }
    Ok(())
}

fn refuse_unsupported_container(container: &Container) -> Result<(), PlanError> {
    let security = container.security_context.as_ref();
    for (set, name) in [
        (container.lifecycle.is_some(), "lifecycle"),
        (container.liveness_probe.is_some(), "livenessProbe"),
        (container.readiness_probe.is_some(), "readinessProbe"),
        (container.startup_probe.is_some(), "startupProbe"),
        (container.tty == Some(true), "tty"),
        (container.stdin == Some(true), "stdin"),
        (container.volume_devices.as_ref().is_some_and(|list| !list.is_empty()), "volumeDevices"),
        (
            security.and_then(|own| own.proc_mount.as_deref()).is_some_and(|kind| kind != "Default"),
            "securityContext.procMount",
        ),
        (security.is_some_and(|own| own.windows_options.is_some()), "securityContext.windowsOptions"),
    ] {
        if set {
            return Err(PlanError::never(format!("containers[].{name} is not supported by this node yet")));
        }
    }
    Ok(())
}

/// What all containers of the Pod share.
struct Shared<'a> {
    input: &'a Input<'a>,
    spec: &'a PodSpec,
    network: Network,
    hostname: String,
    tekton_dir: Option<&'a Path>,
}

impl Shared<'_> {
    fn container(
        &self,
        index: usize,
        container: &Container,
        volumes: &mut [Volume],
    ) -> Result<ContainerPlan, PlanError> {
        let input = self.input;
        let pod_security = self.spec.security_context.as_ref();
        let own_security = container.security_context.as_ref();
        let permissions = input.machine.permissions;
        let step = self.step(index, container)?;
        let image = input
            .images
            .get(&container.name)
            .ok_or_else(|| PlanError::missing(format!("image {} is not there", image_name(container))))?;
        let declared = environment::declared(input, container)?;
        let user = identity::process_user(container, pod_security, image)?;
        let termination_file =
            step.is_none().then(|| input.pod_dir.join("termination").join(&container.name));
        let termination_path = container.termination_message_path.as_deref().filter(|path| !path.is_empty());
        let context = MountContext {
            pod_dir: input.pod_dir,
            tekton_dir: self.tekton_dir,
            rootfs: &image.rootfs,
            termination: termination_file
                .as_deref()
                .map(|file| (file, termination_path.unwrap_or(DEFAULT_TERMINATION_PATH))),
        };
        let parts = SpecParts {
            args: command_line(container, step.map(|step| (index, step)), image, &declared)?,
            env: environment(image, &declared, &self.hostname, &user),
            cwd: working_directory(container, image, step.is_some()),
            mounts: mounts::mounts(&context, (index, container), &declared, volumes)?,
            user,
            hostname: self.hostname.clone(),
            network: self.network,
            user_namespace: user_namespace(input, self.spec),
            limits: input.machine.limits,
            sysctls: self.sysctls()?,
        };
        Ok(ContainerPlan {
            name: container.name.clone(),
            rootfs: image.rootfs.clone(),
            spec: oci::spec(parts, container, permissions)?,
            seccomp: oci::seccomp(own_security, pod_security, permissions)?,
            step: step.cloned(),
            termination_file,
            termination_policy: match container.termination_message_policy.as_deref() {
                Some("FallbackToLogsOnError") => TerminationPolicy::FallbackToLogsOnError,
                _ => TerminationPolicy::File,
            },
        })
    }

    /// The step that the container at `index` is.
    fn step(&self, index: usize, container: &Container) -> Result<Option<&PlannedStep>, PlanError> {
        let Some(StepPlan { steps, .. }) = self.input.steps else { return Ok(None) };
        match steps.get(index).filter(|step| step.container == container.name) {
            Some(step) if steps.len() == self.spec.containers.len() => Ok(Some(step)),
            _ => Err(PlanError::never(format!(
                "annotation {} does not describe the Pod's containers in their order",
                api::step_plan::ANNOTATION
            ))),
        }
    }

    fn sysctls(&self) -> Result<HashMap<String, String>, PlanError> {
        let wanted = self.spec.security_context.as_ref().and_then(|security| security.sysctls.as_ref());
        let mut sysctls = HashMap::new();
        for sysctl in wanted.into_iter().flatten() {
            let name = sysctl.name.replace('/', ".");
            let of_ipc = ["kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue."];
            let namespaced = of_ipc.iter().any(|prefix| name.starts_with(prefix))
                || (name.starts_with("net.") && self.network == Network::None);
            if !namespaced {
                return Err(oci::refused(&format!("securityContext.sysctls: {name}")));
            }
            sysctls.insert(name, sysctl.value.clone());
        }
        Ok(sysctls)
    }

    /// The files under `/etc` that name hosts.
    fn etc_files(&self) -> Vec<TextFile> {
        let etc = self.input.pod_dir.join("etc");
        let file = |name: &str, content| TextFile { path: etc.join(name), mode: 0o644, content };
        vec![
            file("hostname", format!("{}\n", self.hostname)),
            file("hosts", self.hosts()),
            file("resolv.conf", self.resolv_conf()),
        ]
    }

    fn hosts(&self) -> String {
        let mut text = String::from(
            "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n",
        );
        text.push_str(&format!("127.0.0.1\t{}\n", self.hostname));
        for alias in self.spec.host_aliases.iter().flatten() {
            let names = alias.hostnames.as_deref().unwrap_or_default().join("\t");
            text.push_str(&format!("{}\t{names}\n", alias.ip));
        }
        text
    }

    /// The machine's resolver configuration, as far as the Pod's policy wants it, and the Pod's own.
    fn resolv_conf(&self) -> String {
        let own_only = self.spec.dns_policy.as_deref() == Some("None");
        let machine =
            if own_only || self.network == Network::None { "" } else { &self.input.machine.resolv_conf };
        let mut text = machine.to_owned();
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        let Some(config) = &self.spec.dns_config else { return text };
        for server in config.nameservers.iter().flatten() {
            text.push_str(&format!("nameserver {server}\n"));
        }
        if let Some(searches) = config.searches.as_ref().filter(|list| !list.is_empty()) {
            text.push_str(&format!("search {}\n", searches.join(" ")));
        }
        for option in config.options.iter().flatten() {
            let name = option.name.as_deref().unwrap_or_default();
            match &option.value {
                Some(value) => text.push_str(&format!("options {name}:{value}\n")),
                None => text.push_str(&format!("options {name}\n")),
            }
        }
        text
    }
}

fn image_name(container: &Container) -> &str {
    container.image.as_deref().unwrap_or_default()
}

/// The program and its arguments: the Pod's over the image's, as the Kubernetes API documents it.
fn command_line(
    container: &Container,
    step: Option<(usize, &PlannedStep)>,
    image: &Image,
    environment: &Environment,
) -> Result<Vec<String>, PlanError> {
    let expanded =
        |list: &[String]| -> Vec<String> { list.iter().map(|text| environment.expand(text)).collect() };
    let own =
        |list: &Option<Vec<String>>| list.as_ref().filter(|list| !list.is_empty()).map(|list| expanded(list));
    let (command, args) = (own(&container.command), own(&container.args));
    if let Some((index, _)) = step.filter(|(_, step)| step.script.is_some()) {
        let mut line = vec![tekton::script_path(index)];
        line.extend(args.unwrap_or_default());
        return Ok(line);
    }
    let config = image.config.config().as_ref();
    let of_image = |list: Option<&Vec<String>>| list.cloned().unwrap_or_default();
    let entrypoint = || of_image(config.and_then(|config| config.entrypoint().as_ref()));
    let default_args = || of_image(config.and_then(|config| config.cmd().as_ref()));
    let line: Vec<String> = match (command, args) {
        (Some(command), args) => command.into_iter().chain(args.unwrap_or_default()).collect(),
        // Tekton gives the arguments of a step to the image's command when the image has no entrypoint;
        // the Kubernetes API drops that command.
        (None, Some(args)) if step.is_some() && entrypoint().is_empty() => {
            default_args().into_iter().chain(args).collect()
        }
        (None, Some(args)) => entrypoint().into_iter().chain(args).collect(),
        (None, None) => entrypoint().into_iter().chain(default_args()).collect(),
    };
    if line.is_empty() {
        return Err(PlanError::never("no command specified"));
    }
    match line.iter().find(|part| part.contains('\0')) {
        Some(part) => Err(PlanError::never(format!("argument {part:?} contains a NUL byte"))),
        None => Ok(line),
    }
}

fn environment(image: &Image, declared: &Environment, hostname: &str, user: &ProcessUser) -> Vec<String> {
    let of_image =
        image.config.config().as_ref().and_then(|config| config.env().as_deref()).unwrap_or_default();
    environment::merged(of_image, declared, hostname, &user.home).to_list()
}

/// The working directory; relative ones lie below `/workspace` in steps, below `/` elsewhere.
fn working_directory(container: &Container, image: &Image, is_step: bool) -> String {
    let of_image = image.config.config().as_ref().and_then(|config| config.working_dir().as_deref());
    let own = container.working_dir.as_deref().filter(|dir| !dir.is_empty());
    let base = if is_step && own.is_some() { "/workspace" } else { "/" };
    let directory = own.or(of_image.filter(|dir| !dir.is_empty())).unwrap_or("/");
    Path::new(base).join(directory).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The command line of a container, with what its image says; as a step or as a container of a plain Pod.
    fn line(container: &str, of_image: &str, is_step: bool) -> String {
        let container: Container =
            serde_json::from_str(&format!(r#"{{"name": "c", {container}}}"#)).expect("a container");
        let config = format!(
            r#"{{"architecture": "amd64", "os": "linux", "config": {of_image},
                 "rootfs": {{"type": "layers", "diff_ids": []}}}}"#
        );
        let image = Image {
            rootfs: crate::plan::Rootfs::Host,
            config: serde_json::from_str(&config).expect("an image configuration"),
            passwd: String::new(),
            group: String::new(),
        };
        let step: PlannedStep =
            serde_json::from_str(r#"{"name": "s", "container": "c"}"#).expect("a planned step");
        command_line(&container, is_step.then_some((0, &step)), &image, &Environment::default())
            .map_or_else(|error| error.to_string(), |line| line.join(" "))
    }

    #[test]
    fn arguments_follow_the_entrypoint_of_the_image_and_in_steps_its_command_when_there_is_no_entrypoint() {
        let (both, cmd, entrypoint) = (
            r#"{"Entrypoint": ["tini"], "Cmd": ["sh"]}"#,
            r#"{"Cmd": ["sh"]}"#,
            r#"{"Entrypoint": ["tini"], "Cmd": []}"#,
        );
        let args = r#""args": ["-c", "id"]"#;
        for (container, of_image, as_step, in_pod) in [
            (args, cmd, "sh -c id", "-c id"),
            (args, both, "tini -c id", "tini -c id"),
            (args, entrypoint, "tini -c id", "tini -c id"),
            (r#""args": []"#, cmd, "sh", "sh"),
            (r#""args": []"#, both, "tini sh", "tini sh"),
            (r#""command": ["cat"], "args": ["-c", "id"]"#, both, "cat -c id", "cat -c id"),
            (r#""command": ["cat"]"#, cmd, "cat", "cat"),
            (r#""args": []"#, "{}", "no command specified", "no command specified"),
        ] {
            assert_eq!(line(container, of_image, true), as_step, "step: {container} {of_image}");
            assert_eq!(line(container, of_image, false), in_pod, "Pod: {container} {of_image}");
        }
    }
}
