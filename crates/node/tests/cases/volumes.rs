//! Volumes, users and groups.

use expect_test::expect;
use serde_json::json;

use crate::support::{Bench, script, task};

pub(super) async fn volumes_hold_what_the_pod_says() {
    let bench = Bench::start();
    bench.api.put("configmaps", "settings", json!({ "data": { "a": "A", "b": "B" } }));
    bench.api.put("secrets", "keys", json!({ "data": { "k": "c2VjcmV0" } }));
    let mut step = script(
        "one",
        "cat /c/a /c/b; stat -c ' %a %n' /s/deep/key; cat /s/deep/key; echo; cat /p/all/a /p/name; echo; \
         touch /c/x 2>/dev/null || echo readonly; echo $FROM_A$MISSING; stat -c %a /e",
    );
    step["volumeMounts"] = json!([
        { "name": "c", "mountPath": "/c" }, { "name": "s", "mountPath": "/s" },
        { "name": "p", "mountPath": "/p" }, { "name": "e", "mountPath": "/e" },
    ]);
    step["envFrom"] = json!([{ "prefix": "FROM_", "configMapRef": { "name": "upper" } }]);
    bench.api.put("configmaps", "upper", json!({ "data": { "A": "from" } }));
    let mut pod = task(&[], vec![step]);
    pod["spec"]["volumes"] = json!([
        { "name": "c", "configMap": { "name": "settings" } },
        { "name": "s", "secret": { "secretName": "keys", "defaultMode": 256, "items": [{ "key": "k", "path": "deep/key" }] } },
        { "name": "p", "projected": { "sources": [
            { "configMap": { "name": "settings", "items": [{ "key": "a", "path": "all/a" }] } },
            { "downwardAPI": { "items": [{ "path": "name", "fieldRef": { "fieldPath": "metadata.name" } }] } },
        ] } },
        { "name": "e", "emptyDir": {} },
    ]);
    let told = bench.run("p", pod).await;
    expect![[r#"
        Succeeded
        step-one: terminated 0 Completed"#]]
    .assert_eq(&told);
    expect![[r#"
        stdout F AB 400 /s/deep/key
        stdout F secret
        stdout F Ap
        stdout F readonly
        stdout F from
        stdout F 777
        end F"#]]
    .assert_eq(&bench.log("p", "step-one"));
}

pub(super) async fn a_claim_outlives_pods_and_ends_with_its_object() {
    let bench = Bench::start();
    bench.api.put("persistentvolumeclaims", "data", json!({ "spec": {} }));
    let with_claim = |text: &str| {
        let mut step = script("one", text);
        step["volumeMounts"] = json!([{ "name": "d", "mountPath": "/workspace/d" }]);
        let mut pod = task(&[], vec![step]);
        pod["spec"]["volumes"] = json!([{ "name": "d", "persistentVolumeClaim": { "claimName": "data" } }]);
        pod
    };
    bench.run("p1", with_claim("echo kept > /workspace/d/file; stat -c %u /workspace/d/file")).await;
    bench.run("p2", with_claim("cat /workspace/d/file; stat -c %u /workspace/d/file")).await;
    expect![[r#"
        stdout F kept
        stdout F 0
        end F"#]]
    .assert_eq(&bench.log("p2", "step-one"));
    let claims = bench.options.data_dir.join("claims");
    assert_eq!(std::fs::read_dir(&claims).unwrap().count(), 1);
    bench.api.remove("persistentvolumeclaims", "data");
    bench.until("the claim's directory is gone", || std::fs::read_dir(&claims).unwrap().count() == 0).await;
}

pub(super) async fn sub_paths_stay_inside_of_their_volume() {
    let bench = Bench::start();
    bench.api.put("persistentvolumeclaims", "data", json!({ "spec": {} }));
    let with_sub_path = |sub_path: &str, text: &str| {
        let mut step = script("one", text);
        step["volumeMounts"] = json!([{ "name": "d", "mountPath": "/d", "subPathExpr": sub_path }]);
        step["env"] = json!([{ "name": "WHERE", "value": "there" }]);
        let mut pod = task(&[], vec![step]);
        pod["spec"]["volumes"] = json!([{ "name": "d", "persistentVolumeClaim": { "claimName": "data" } }]);
        pod
    };
    let told = bench.run("p1", with_sub_path("deep/$(WHERE)", "echo x > /d/file; ls -a /d")).await;
    expect![[r#"
        Succeeded
        step-one: terminated 0 Completed"#]]
    .assert_eq(&told);
    expect![[r#"
        stdout F .
        stdout F ..
        stdout F file
        end F"#]]
    .assert_eq(&bench.log("p1", "step-one"));
    let claim =
        std::fs::read_dir(bench.options.data_dir.join("claims")).unwrap().next().unwrap().unwrap().path();
    assert!(claim.join("deep/there/file").exists());
    std::os::unix::fs::symlink("/etc", claim.join("link")).unwrap();
    let told = bench.run("p2", with_sub_path("link", "ls /d")).await;
    expect![[r#"
        Failed Error could not prepare subPath link of volume "d": Invalid cross-device link (os error 18)
        step-one: terminated 128 Error"#]]
    .assert_eq(&told);
}

pub(super) async fn users_and_groups_are_as_asked() {
    let bench = Bench::start();
    let mut step = script("one", "id; echo $HOME; touch /e/x /tekton/results/r; stat -c '%u %g' /e/x");
    step["volumeMounts"] = json!([{ "name": "e", "mountPath": "/e" }]);
    let mut pod = task(&[], vec![step, script("two", "id -u; touch /bin/x 2>/dev/null && echo may")]);
    pod["spec"]["containers"][0]["securityContext"] =
        json!({ "runAsUser": 1000, "readOnlyRootFilesystem": true });
    pod["spec"]["securityContext"] = json!({ "fsGroup": 3000, "supplementalGroups": [4000] });
    pod["spec"]["volumes"] = json!([{ "name": "e", "emptyDir": {} }]);
    let told = bench.run("p", pod).await;
    expect![[r#"
        Succeeded
        step-one: terminated 0 Completed
        step-two: terminated 0 Completed"#]]
    .assert_eq(&told);
    expect![[r#"
        stdout F uid=1000(user) gid=1000(user) groups=2000(extra),3000,4000
        stdout F /home/user
        stdout F 1000 3000
        end F"#]]
    .assert_eq(&bench.log("p", "step-one"));
    expect![[r#"
        stdout F 0
        stdout F may
        end F"#]]
    .assert_eq(&bench.log("p", "step-two"));
}
