//! Pods as text in, plans as text out.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use api::step_plan::StepPlan;
use expect_test::{Expect, expect};
use k8s_openapi::api::core::v1::Pod;
use sandbox::{Image, Input, Limits, Machine, Network, Objects, Permissions, PodPlan, PodRef, Rootfs, plan};
use serde_json::{Value, json};

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nbuild:x:1000:1001::/home/build:/bin/sh\n";
const GROUP: &str = "root:x:0:\nbuild:x:1001:\nextra:x:1002:other,build\n";

fn machine() -> Machine {
    Machine {
        node_name: "node-1".to_owned(),
        host_ip: "10.0.0.1".to_owned(),
        network: Network::Host,
        user_namespaces: true,
        claims_dir: PathBuf::from("/claims"),
        resolv_conf: "nameserver 9.9.9.9\n".to_owned(),
        cpus: 4,
        memory_bytes: 8 << 30,
        permissions: Permissions::default(),
        limits: Limits::default(),
    }
}

fn objects() -> Objects {
    let of = |value: Value| serde_json::from_value(value).unwrap();
    Objects {
        config_maps: BTreeMap::from([(
            "settings".to_owned(),
            serde_json::from_value(json!({ "data": { "a": "A", "b.conf": "B" } })).unwrap(),
        )]),
        secrets: BTreeMap::from([(
            "keys".to_owned(),
            serde_json::from_value(json!({ "data": { "k": "c2VjcmV0" } })).unwrap(),
        )]),
        claims: BTreeMap::from([("data".to_owned(), of(json!({ "metadata": { "uid": "u-1" } })))]),
    }
}

/// Plans a Pod with one image for all containers, on a machine that `change` may change.
fn planned(pod: Value, image: Value, change: impl Fn(&mut Machine)) -> Result<PodPlan, String> {
    let mut machine = machine();
    change(&mut machine);
    let pod: Pod = serde_json::from_value(pod).unwrap();
    let annotations = pod.metadata.annotations.clone().unwrap_or_default();
    let steps: Option<StepPlan> =
        annotations.get(api::step_plan::ANNOTATION).map(|text| serde_json::from_str(text).unwrap());
    let config = json!({ "architecture": "amd64", "os": "linux", "rootfs": { "type": "layers", "diff_ids": [] }, "config": image });
    let image = Image {
        rootfs: Rootfs::Layers(vec![PathBuf::from("/layers/1")]),
        config: serde_json::from_value(config).unwrap(),
        passwd: PASSWD.to_owned(),
        group: GROUP.to_owned(),
    };
    let names = pod.spec.iter().flat_map(|spec| &spec.containers).map(|container| container.name.clone());
    let images: BTreeMap<String, Image> = names.map(|name| (name, image.clone())).collect();
    let pod_ref = PodRef {
        cluster: "c".to_owned(),
        namespace: "ns".to_owned(),
        name: "pod".to_owned(),
        uid: "uid".to_owned(),
    };
    let objects = objects();
    let input = Input {
        pod_ref: &pod_ref,
        pod: &pod,
        steps: steps.as_ref(),
        images: &images,
        objects: &objects,
        machine: &machine,
        pod_dir: Path::new("/pod"),
    };
    plan(&input).map_err(|error| {
        let place = error.container.map_or(String::new(), |name| format!("{name}: "));
        format!("{place}{}{}", error.message, if error.may_heal { " (may heal)" } else { "" })
    })
}

fn image() -> Value {
    json!({ "Entrypoint": ["/entry"], "Cmd": ["default"], "Env": ["FROM=image", "PATH=/bin"], "User": "build", "WorkingDir": "/src" })
}

/// A Pod with one container.
fn one(container: Value) -> Value {
    let mut container = container;
    container["name"] = json!("c");
    json!({ "metadata": { "name": "pod", "labels": { "app": "x" } }, "spec": { "containers": [container] } })
}

/// Renders what a process is.
fn process(result: Result<PodPlan, String>) -> String {
    let plan = match result {
        Ok(plan) => plan,
        Err(error) => return format!("error: {error}"),
    };
    let spec = &plan.containers[0].spec;
    let process = spec.process().as_ref().unwrap();
    let user = process.user();
    let mut text = format!("{:?} in {}\n", process.args().as_ref().unwrap(), process.cwd().display());
    let groups = user.additional_gids().clone().unwrap_or_default();
    writeln!(text, "user {}:{} {groups:?}", user.uid(), user.gid()).unwrap();
    write!(text, "{}", process.env().as_ref().unwrap().join(" ")).unwrap();
    text
}

fn check(container: Value, expected: &Expect) {
    expected.assert_eq(&process(planned(one(container), image(), |_| {})));
}

#[test]
fn command_and_args_replace_those_of_the_image_as_kubernetes_says() {
    let cases = [
        (json!({}), "/entry default"),
        (json!({ "args": ["x"] }), "/entry x"),
        (json!({ "command": ["run"] }), "run"),
        (json!({ "command": ["run"], "args": ["x"] }), "run x"),
        (json!({ "command": [], "args": [] }), "/entry default"),
    ];
    for (container, expected) in cases {
        let plan = planned(one(container.clone()), image(), |_| {}).unwrap();
        let process = plan.containers[0].spec.process().clone().unwrap();
        assert_eq!(process.args().clone().unwrap().join(" "), expected, "{container}");
    }
    let nothing = planned(one(json!({})), json!({}), |_| {});
    assert_eq!(nothing.unwrap_err(), "c: no command specified");
}

#[test]
fn the_environment_is_the_images_then_env_from_then_env_with_references_to_what_came_before() {
    check(
        json!({
            "args": ["$(B)", "$(FROM)", "$$(B)", "$(NONE)"],
            "envFrom": [{ "prefix": "P_", "configMapRef": { "name": "settings" } }, { "secretRef": { "name": "none", "optional": true } }],
            "env": [
                { "name": "B", "value": "<$(P_a) $(LATER)>" },
                { "name": "LATER", "value": "later" },
                { "name": "KEY", "valueFrom": { "secretKeyRef": { "name": "keys", "key": "k" } } },
                { "name": "NONE", "valueFrom": { "configMapKeyRef": { "name": "settings", "key": "none", "optional": true } } },
                { "name": "APP", "valueFrom": { "fieldRef": { "fieldPath": "metadata.labels['app']" } } },
                { "name": "CPUS", "valueFrom": { "resourceFieldRef": { "resource": "limits.cpu" } } },
                { "name": "MEM", "valueFrom": { "resourceFieldRef": { "resource": "requests.memory", "divisor": "1Mi" } } },
            ],
            "resources": { "requests": { "memory": "1500Ki" } },
        }),
        &expect![[r#"
            ["/entry", "<A $(LATER)>", "$(FROM)", "$(B)", "$(NONE)"] in /src
            user 1000:1001 [1002]
            PATH=/bin HOSTNAME=pod FROM=image P_a=A P_b.conf=B B=<A $(LATER)> LATER=later KEY=secret APP=x CPUS=4 MEM=2 HOME=/home/build"#]],
    );
}

#[test]
fn what_is_missing_or_not_supported_is_an_error_with_a_name() {
    let cases = [
        json!({ "env": [{ "name": "X", "valueFrom": { "configMapKeyRef": { "name": "none", "key": "k" } } }] }),
        json!({ "env": [{ "name": "X", "valueFrom": { "secretKeyRef": { "name": "keys", "key": "none" } } }] }),
        json!({ "env": [{ "name": "X", "valueFrom": { "fieldRef": { "fieldPath": "spec.none" } } }] }),
        json!({ "securityContext": { "privileged": true } }),
        json!({ "securityContext": { "capabilities": { "add": ["SYS_ADMIN"] } } }),
        json!({ "securityContext": { "capabilities": { "drop": ["NONSENSE"] } } }),
        json!({ "securityContext": { "seccompProfile": { "type": "Unconfined" } } }),
        json!({ "securityContext": { "runAsNonRoot": true } }),
        json!({ "securityContext": { "runAsNonRoot": true, "runAsUser": 0 } }),
        json!({ "volumeMounts": [{ "name": "none", "mountPath": "/x" }] }),
        json!({ "readinessProbe": {} }),
        json!({ "lifecycle": {} }),
        json!({ "tty": true }),
        json!({ "resources": { "limits": { "memory": "lots" } } }),
    ];
    let mut text = String::new();
    for container in cases {
        let error = planned(one(container.clone()), image(), |_| {}).map(drop).unwrap_err();
        writeln!(text, "{error}").unwrap();
    }
    expect![[r#"
        c: configmap "none" not found (may heal)
        c: couldn't find key none in Secret ns/keys (may heal)
        c: unsupported fieldPath: spec.none
        c: securityContext.privileged is not allowed on this node
        c: securityContext.capabilities.add: SYS_ADMIN is not allowed on this node
        c: NONSENSE is not a capability
        c: securityContext.seccompProfile.type: Unconfined is not allowed on this node
        c: container has runAsNonRoot and image has non-numeric user (build), cannot verify user is non-root (container: c)
        c: container's runAsUser breaks non-root policy (container: c)
        c: volume "none" is not declared
        c: containers[].readinessProbe is not supported by this node yet
        c: containers[].lifecycle is not supported by this node yet
        c: containers[].tty is not supported by this node yet
        c: resources.limits.memory lots is not a quantity
    "#]].assert_eq(&text);
}

#[test]
fn users_come_from_the_pod_the_container_and_the_image() {
    let cases = [
        json!({}),
        json!({ "runAsUser": 0 }),
        json!({ "runAsUser": 1000 }),
        json!({ "runAsUser": 5, "runAsGroup": 6 }),
        json!({ "runAsGroup": 7 }),
    ];
    let mut text = String::new();
    for security in cases {
        let plan = planned(one(json!({ "securityContext": security })), image(), |_| {}).unwrap();
        let process = plan.containers[0].spec.process().clone().unwrap();
        let user = process.user();
        let home = process.env().iter().flatten().find(|entry| entry.starts_with("HOME=")).unwrap().clone();
        writeln!(
            text,
            "{security}: {}:{} {:?} {home}",
            user.uid(),
            user.gid(),
            user.additional_gids().clone().unwrap()
        )
        .unwrap();
    }
    let mut pod = one(json!({}));
    pod["spec"]["securityContext"] = json!({ "fsGroup": 50, "supplementalGroups": [60, 50] });
    let plan = planned(pod, json!({ "Entrypoint": ["x"], "User": "3000:extra" }), |_| {}).unwrap();
    let process = plan.containers[0].spec.process().clone().unwrap();
    let user = process.user();
    writeln!(text, "{}:{} {:?}", user.uid(), user.gid(), user.additional_gids().clone().unwrap()).unwrap();
    let unknown = planned(one(json!({})), json!({ "Entrypoint": ["x"], "User": "nobody" }), |_| {});
    writeln!(text, "{}", unknown.unwrap_err()).unwrap();
    expect![[r#"
        {}: 1000:1001 [1002] HOME=/home/build
        {"runAsUser":0}: 0:0 [] HOME=/root
        {"runAsUser":1000}: 1000:1001 [1002] HOME=/home/build
        {"runAsGroup":6,"runAsUser":5}: 5:6 [] HOME=/
        {"runAsGroup":7}: 1000:7 [1002] HOME=/home/build
        3000:1002 [50, 60]
        c: unable to find user nobody: no matching entries in passwd file
    "#]]
    .assert_eq(&text);
}

/// Renders mounts that are not the kernel's.
fn binds(plan: &PodPlan, container: usize) -> String {
    let mounts = plan.containers[container].spec.mounts().clone().unwrap();
    let binds = mounts
        .iter()
        .filter(|mount| mount.typ().as_deref() == Some("bind") && mount.destination() != Path::new("/sys"));
    let line = |mount: &oci_spec::runtime::Mount| {
        let access = mount.options().iter().flatten().last().cloned().unwrap_or_default();
        format!(
            "{} <- {} {access}\n",
            mount.destination().display(),
            mount.source().clone().unwrap().display()
        )
    };
    binds.map(line).collect()
}

#[test]
fn volumes_become_directories_files_and_mounts() {
    let mut pod = one(json!({
        "env": [{ "name": "WHERE", "value": "here" }],
        "volumeMounts": [
            { "name": "e", "mountPath": "/e" },
            { "name": "d", "mountPath": "/e/deep", "subPathExpr": "x/$(WHERE)" },
            { "name": "s", "mountPath": "/s" },
            { "name": "d", "mountPath": "/d", "readOnly": true },
        ],
    }));
    pod["spec"]["volumes"] = json!([
        { "name": "e", "emptyDir": { "medium": "Memory", "sizeLimit": "1Mi" } },
        { "name": "d", "persistentVolumeClaim": { "claimName": "data" } },
        { "name": "s", "secret": { "secretName": "keys", "items": [{ "key": "k", "path": "p/k", "mode": 256 }] } },
    ]);
    let plan = planned(pod, image(), |_| {}).unwrap();
    let mut text = binds(&plan, 0);
    for volume in &plan.volumes {
        writeln!(text, "{} {} {:?} {:?}", volume.name, volume.path.display(), volume.kind, volume.sub_paths)
            .unwrap();
    }
    expect![[r#"
        /e <- /pod/volumes/e rw
        /s <- /pod/volumes/s ro
        /d <- /claims/u-1 ro
        /e/deep <- /claims/u-1/x/here rw
        /etc/hosts <- /pod/etc/hosts rw
        /etc/hostname <- /pod/etc/hostname rw
        /etc/resolv.conf <- /pod/etc/resolv.conf rw
        /dev/termination-log <- /pod/termination/c rw
        e /pod/volumes/e Memory { size_limit_bytes: Some(1048576) } []
        d /claims/u-1 Claim ["x/here"]
        s /pod/volumes/s Files([FileEntry { path: "p/k", mode: 256, content: [115, 101, 99, 114, 101, 116] }]) []
    "#]].assert_eq(&text);
}

#[test]
fn volumes_that_cannot_be_are_errors() {
    let cases = [
        json!({ "configMap": { "name": "none" } }),
        json!({ "configMap": { "name": "settings", "items": [{ "key": "none", "path": "x" }] } }),
        json!({ "configMap": { "name": "settings", "items": [{ "key": "a", "path": "../x" }] } }),
        json!({ "secret": { "secretName": "none" } }),
        json!({ "hostPath": { "path": "/etc" } }),
        json!({ "persistentVolumeClaim": { "claimName": "none" } }),
        json!({ "projected": { "sources": [{ "serviceAccountToken": { "path": "token" } }] } }),
        json!({ "nfs": { "server": "x", "path": "/" } }),
        json!({ "emptyDir": { "medium": "HugePages" } }),
    ];
    let mut text = String::new();
    for mut volume in cases {
        volume["name"] = json!("v");
        let mut pod = one(json!({}));
        pod["spec"]["volumes"] = json!([volume]);
        writeln!(text, "{}", planned(pod, image(), |_| {}).map(drop).unwrap_err()).unwrap();
    }
    expect![[r#"
        c: MountVolume.SetUp failed for volume "v" : configmap "none" not found (may heal)
        c: MountVolume.SetUp failed for volume "v" : references non-existent config key: none (may heal)
        c: MountVolume.SetUp failed for volume "v" : path "../x" must be relative and not contain `..`
        c: MountVolume.SetUp failed for volume "v" : secret "none" not found (may heal)
        c: volume "v" is a hostPath, which this node does not allow: only `psvc run` does
        c: persistentvolumeclaim "none" not found (may heal)
        c: MountVolume.SetUp failed for volume "v" : projected serviceAccountToken sources are not supported yet
        c: volume "v" is of a kind that this node does not support: use emptyDir, configMap, secret, downwardAPI, projected, persistentVolumeClaim or hostPath
        c: MountVolume.SetUp failed for volume "v" : emptyDir.medium HugePages is not supported
    "#]].assert_eq(&text);
}

#[test]
fn steps_see_the_paths_of_tekton_and_their_script() {
    let steps = json!({
        "results": [{ "name": "r", "type": "string" }],
        "steps": [
            { "name": "one", "container": "step-one", "script": "#!/bin/sh\necho $$HOME" },
            { "name": "unnamed-1", "container": "step-unnamed-1", "script": "true" },
        ],
    });
    let pod = json!({
        "metadata": { "annotations": { "pipelineservice.io/step-plan": steps.to_string() } },
        "spec": { "containers": [
            { "name": "step-one", "args": ["a"], "workingDir": "sub" },
            { "name": "step-unnamed-1", "volumeMounts": [{ "name": "w", "mountPath": "/workspace" }] },
        ], "volumes": [{ "name": "w", "emptyDir": {} }] },
    });
    let plan = planned(pod, image(), |_| {}).unwrap();
    let process = plan.containers[0].spec.process().clone().unwrap();
    let mut text = format!("{:?} in {}\n", process.args().clone().unwrap(), process.cwd().display());
    for file in plan.files.iter().filter(|file| file.path.starts_with("/pod/tekton")) {
        writeln!(text, "{} {:o} {:?}", file.path.display(), file.mode, file.content).unwrap();
    }
    for (path, target) in &plan.links {
        writeln!(text, "{} -> {}", path.display(), target.display()).unwrap();
    }
    text.push_str(&binds(&plan, 1));
    expect![[r##"
        ["/tekton/scripts/script-0", "a"] in /workspace/sub
        /pod/tekton/scripts/script-0 755 "#!/bin/sh\necho $$HOME"
        /pod/tekton/scripts/script-1 755 "#!/bin/sh\nset -e\ntrue"
        /pod/tekton/steps/0 -> /tekton/run/0/status
        /pod/tekton/steps/step-one -> /tekton/run/0/status
        /pod/tekton/steps/one -> /tekton/run/0/status
        /pod/tekton/steps/1 -> /tekton/run/1/status
        /pod/tekton/steps/step-unnamed-1 -> /tekton/run/1/status
        /pod/tekton/steps/unnamed-1 -> /tekton/run/1/status
        /workspace <- /pod/volumes/w rw
        /etc/hosts <- /pod/etc/hosts rw
        /etc/hostname <- /pod/etc/hostname rw
        /etc/resolv.conf <- /pod/etc/resolv.conf rw
        /tekton/home <- /pod/tekton/home rw
        /tekton/results <- /pod/tekton/results rw
        /tekton/artifacts <- /pod/tekton/artifacts rw
        /tekton/steps <- /pod/tekton/steps ro
        /tekton/scripts <- /pod/tekton/scripts ro
        /tekton/creds <- /pod/tekton/creds/1 rw
        /tekton/run <- /pod/tekton/run ro
        /tekton/run/1 <- /pod/tekton/run/1 rw
    "##]]
    .assert_eq(&text);
}

#[test]
fn limits_become_those_of_control_groups() {
    let container = json!({ "resources": { "limits": { "cpu": "1500m", "memory": "64Mi" }, "requests": { "cpu": "250m" } } });
    let plan = planned(one(container), image(), |_| {}).unwrap();
    let resources = plan.containers[0].spec.linux().as_ref().unwrap().resources().clone();
    expect![[r#"{"memory":{"limit":67108864,"swap":67108864},"cpu":{"shares":256,"quota":150000,"period":100000},"pids":{"limit":4096}}"#]].assert_eq(&serde_json::to_string(&resources).unwrap());
}

#[test]
fn a_trusted_machine_allows_more() {
    let trust =
        |machine: &mut Machine| machine.permissions = Permissions { host_paths: true, privileged: true };
    let mut pod = one(
        json!({ "securityContext": { "privileged": true }, "volumeMounts": [{ "name": "h", "mountPath": "/h" }] }),
    );
    pod["spec"]["volumes"] = json!([{ "name": "h", "hostPath": { "path": "/home", "type": "Directory" } }]);
    let plan = planned(pod, image(), trust).unwrap();
    let spec = &plan.containers[0].spec;
    let capabilities = spec.process().as_ref().unwrap().capabilities().clone().unwrap();
    assert_eq!(capabilities.bounding().as_ref().unwrap().len(), 41);
    assert_eq!(spec.process().as_ref().unwrap().no_new_privileges(), Some(false));
    assert!(binds(&plan, 0).contains("/h <- /home rw"));
}
