//! Decides, from the objects in the files and the command line, what is applied and which runs are started.
//! Pure: values in, values out. Reading files and talking to a server are done elsewhere.
//! Invariant: what the files say is kept; the command line only adds parameters and workspaces to runs.

use serde_json::{Map, Value, json};

/// Everything that is to be created, in order.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Selection {
    /// Objects that the runs need: created first.
    pub(crate) objects: Vec<Value>,
    /// The runs: at least one.
    pub(crate) runs: Vec<Value>,
}

/// A mistake in how the command was used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Mistake {
    #[error(
        "the files hold no PipelineRun, TaskRun, Pipeline or Task: give one, such as examples/hello.yaml"
    )]
    NothingToRun,
    #[error(
        "the files hold several {kind}s ({names}) and no run: add a {kind}Run that refers to one of them"
    )]
    Ambiguous { kind: &'static str, names: String },
    #[error("`{0}`: write a parameter as NAME=VALUE")]
    ParamForm(String),
    #[error("parameter `{name}`: no run in the files takes it; declared are: {declared}")]
    ParamUnknown { name: String, declared: String },
    #[error("parameter `{name}`: `{part}` is not KEY:VALUE, which an object is made of")]
    ParamObject { name: String, part: String },
    #[error("`{0}`: write a workspace as NAME=DIRECTORY, or NAME=emptyDir=, claimName=, config= or secret=")]
    WorkspaceForm(String),
}

/// Splits the objects into what is applied and what is run; makes a run for a single Pipeline or Task.
pub(crate) fn select(documents: Vec<Value>) -> Result<Selection, Mistake> {
    let mut selection = Selection::default();
    for document in documents {
        let is_run = matches!(kind(&document), "PipelineRun" | "TaskRun") && is_tekton(&document);
        if is_run { selection.runs.push(document) } else { selection.objects.push(document) }
    }
    if selection.runs.is_empty() {
        selection.runs.push(run_for(&selection.objects)?);
    }
    Ok(selection)
}

fn run_for(objects: &[Value]) -> Result<Value, Mistake> {
    for (wanted, run_kind, reference) in
        [("Pipeline", "PipelineRun", "pipelineRef"), ("Task", "TaskRun", "taskRef")]
    {
        let found: Vec<&Value> =
            objects.iter().filter(|object| kind(object) == wanted && is_tekton(object)).collect();
        match found.as_slice() {
            [] => {}
            [only] => {
                let mut metadata = Map::new();
                metadata.insert("generateName".to_owned(), json!(format!("{}-run-", name(only))));
                if let Some(namespace) = only.pointer("/metadata/namespace") {
                    metadata.insert("namespace".to_owned(), namespace.clone());
                }
                return Ok(json!({
                    "apiVersion": "tekton.dev/v1",
                    "kind": run_kind,
                    "metadata": metadata,
                    "spec": { reference: { "name": name(only) } },
                }));
            }
            several => {
                let names: Vec<&str> = several.iter().map(|object| name(object)).collect();
                return Err(Mistake::Ambiguous { kind: wanted, names: names.join(", ") });
            }
        }
    }
    Err(Mistake::NothingToRun)
}

/// Puts the parameters of the command line into every run that declares them.
pub(crate) fn apply_params(selection: &mut Selection, params: &[String]) -> Result<(), Mistake> {
    let declared: Vec<Vec<Value>> =
        selection.runs.iter().map(|run| declared_params(run, &selection.objects)).collect();
    for param in params {
        let (name, text) = param.split_once('=').ok_or_else(|| Mistake::ParamForm(param.clone()))?;
        let mut taken = false;
        for (run, declared) in selection.runs.iter_mut().zip(&declared) {
            let found = declared.iter().find(|declaration| declaration["name"] == name);
            let given = run.pointer("/spec/params").and_then(Value::as_array).into_iter().flatten();
            let known = found.is_some() || given.clone().any(|param| param["name"] == name);
            if !known {
                continue;
            }
            let value = param_value(name, text, found.map_or("string", param_type))?;
            set_named(run, "params", name, json!({ "name": name, "value": value }));
            taken = true;
        }
        if !taken {
            let mut names: Vec<&str> =
                declared.iter().flatten().filter_map(|declaration| declaration["name"].as_str()).collect();
            names.dedup();
            let declared = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            return Err(Mistake::ParamUnknown { name: name.to_owned(), declared });
        }
    }
    Ok(())
}

/// The parameters that a run's own spec, or the Pipeline or Task that it refers to, declares.
fn declared_params(run: &Value, objects: &[Value]) -> Vec<Value> {
    let spec = &run["spec"];
    for (embedded, reference, wanted) in
        [("pipelineSpec", "pipelineRef", "Pipeline"), ("taskSpec", "taskRef", "Task")]
    {
        if let Some(params) = spec[embedded]["params"].as_array() {
            return params.clone();
        }
        let referenced = spec[reference]["name"].as_str().unwrap_or_default();
        let found = objects.iter().find(|object| kind(object) == wanted && name(object) == referenced);
        if let Some(params) = found.and_then(|object| object["spec"]["params"].as_array()) {
            return params.clone();
        }
    }
    Vec::new()
}

/// The type that a declaration has, by the rule of Tekton's defaulting.
fn param_type(declaration: &Value) -> &str {
    if let Some(named) = declaration["type"].as_str() {
        return named;
    }
    match &declaration["default"] {
        _ if declaration["properties"].is_object() => "object",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
        _ => "string",
    }
}

fn param_value(name: &str, text: &str, kind: &str) -> Result<Value, Mistake> {
    match kind {
        "array" if text.is_empty() => Ok(json!([])),
        "array" => Ok(text.split(',').map(str::trim).collect()),
        "object" => {
            let mut object = Map::new();
            for part in text.split(',').filter(|part| !part.trim().is_empty()) {
                let mistake = || Mistake::ParamObject { name: name.to_owned(), part: part.to_owned() };
                let (key, value) = part.split_once(':').ok_or_else(mistake)?;
                object.insert(key.trim().to_owned(), json!(value.trim()));
            }
            Ok(Value::Object(object))
        }
        _ => Ok(json!(text)),
    }
}

/// A binding of a workspace to a directory of this machine, which needs a claim of its own.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct HostDirectory {
    /// The claim's name.
    pub(crate) claim: String,
    /// The directory as it was written.
    pub(crate) directory: String,
}

/// Puts the workspaces of the command line into every run; directories are answered for claims to be made.
pub(crate) fn apply_workspaces(
    selection: &mut Selection,
    workspaces: &[String],
) -> Result<Vec<HostDirectory>, Mistake> {
    let mut directories = Vec::new();
    for text in workspaces {
        let (name, mut binding, directory) = workspace_binding(text)?;
        if let Some(directory) = directory {
            let claim = format!("workspace-{name}");
            binding = json!({ "name": name, "persistentVolumeClaim": { "claimName": claim } });
            directories.push(HostDirectory { claim, directory });
        }
        for run in &mut selection.runs {
            set_named(run, "workspaces", &name, binding.clone());
        }
    }
    Ok(directories)
}

/// Reads `NAME=BINDING`, or `name=NAME,BINDING` as `tkn` writes it.
fn workspace_binding(text: &str) -> Result<(String, Value, Option<String>), Mistake> {
    let mistake = || Mistake::WorkspaceForm(text.to_owned());
    let (first, rest) = text.split_once('=').ok_or_else(mistake)?;
    let (name, rest) =
        if first == "name" { rest.split_once(',').ok_or_else(mistake)? } else { (first, rest) };
    if name.is_empty() {
        return Err(mistake());
    }
    let mut binding = json!({ "name": name });
    let mut bound = false;
    for part in rest.split(',') {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        match key {
            "emptyDir" => {
                let medium = if value.is_empty() { json!({}) } else { json!({ "medium": value }) };
                binding["emptyDir"] = medium;
            }
            "claimName" => binding["persistentVolumeClaim"] = json!({ "claimName": value }),
            "config" => binding["configMap"] = json!({ "name": value }),
            "secret" => binding["secret"] = json!({ "secretName": value }),
            "subPath" => {
                binding["subPath"] = json!(value);
                continue;
            }
            _ if bound || rest.is_empty() => return Err(mistake()),
            _ => return Ok((name.to_owned(), binding, Some(rest.to_owned()))),
        }
        bound = true;
    }
    if bound { Ok((name.to_owned(), binding, None)) } else { Err(mistake()) }
}

/// Replaces or appends the entry of this name in a list of the run's spec.
fn set_named(run: &mut Value, list: &str, name: &str, entry: Value) {
    let Some(spec) = run.as_object_mut() else { return };
    let spec = spec.entry("spec").or_insert_with(|| json!({}));
    let Some(spec) = spec.as_object_mut() else { return };
    let entries = spec.entry(list).or_insert_with(|| json!([]));
    let Some(entries) = entries.as_array_mut() else { return };
    match entries.iter_mut().find(|existing| existing["name"] == name) {
        Some(existing) => *existing = entry,
        None => entries.push(entry),
    }
}

fn kind(object: &Value) -> &str {
    object["kind"].as_str().unwrap_or_default()
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

fn is_tekton(object: &Value) -> bool {
    object["apiVersion"].as_str().is_some_and(|version| version.starts_with("tekton.dev/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(kind: &str, name: &str, spec: Value) -> Value {
        json!({ "apiVersion": "tekton.dev/v1", "kind": kind, "metadata": { "name": name }, "spec": spec })
    }

    #[test]
    fn a_run_is_made_for_a_single_pipeline_or_task() {
        let task = object("Task", "build", json!({}));
        let pipeline = object("Pipeline", "ci", json!({}));
        let selection = select(vec![task.clone(), pipeline]).unwrap();
        assert_eq!(selection.runs[0]["kind"], "PipelineRun");
        assert_eq!(selection.runs[0]["spec"]["pipelineRef"]["name"], "ci");
        let selection = select(vec![task.clone()]).unwrap();
        assert_eq!(selection.runs[0]["metadata"]["generateName"], "build-run-");
        let error = select(vec![task, object("Task", "test", json!({}))]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the files hold several Tasks (build, test) and no run: add a TaskRun that refers to one of them"
        );
        assert_eq!(select(vec![json!({ "kind": "ConfigMap" })]).unwrap_err(), Mistake::NothingToRun);
    }

    #[test]
    fn parameters_take_the_type_that_was_declared() {
        let params = json!({ "params": [
            { "name": "s" }, { "name": "a", "type": "array" }, { "name": "o", "default": { "k": "v" } },
        ]});
        let mut selection = select(vec![object("Task", "t", params)]).unwrap();
        let given = ["s=x=y", "a=1, 2", "o=k:v:w,l:m"].map(str::to_owned);
        apply_params(&mut selection, &given).unwrap();
        assert_eq!(
            selection.runs[0]["spec"]["params"],
            json!([
                { "name": "s", "value": "x=y" },
                { "name": "a", "value": ["1", "2"] },
                { "name": "o", "value": { "k": "v:w", "l": "m" } },
            ])
        );
        let error = apply_params(&mut selection, &["z=1".to_owned()]).unwrap_err();
        assert_eq!(error.to_string(), "parameter `z`: no run in the files takes it; declared are: s, a, o");
    }

    #[test]
    fn workspaces_are_directories_or_what_tkn_takes() {
        for (text, expected) in [
            ("w=emptyDir=", json!({ "name": "w", "emptyDir": {} })),
            ("w=secret=key", json!({ "name": "w", "secret": { "secretName": "key" } })),
            (
                "name=w,claimName=c,subPath=d",
                json!({ "name": "w", "persistentVolumeClaim": { "claimName": "c" }, "subPath": "d" }),
            ),
            ("w=./src", json!({ "name": "w", "persistentVolumeClaim": { "claimName": "workspace-w" } })),
        ] {
            let mut selection = select(vec![object("TaskRun", "r", json!({}))]).unwrap();
            apply_workspaces(&mut selection, &[text.to_owned()]).unwrap();
            assert_eq!(selection.runs[0]["spec"]["workspaces"][0], expected, "{text}");
        }
        for bad in ["w", "w=", "=x", "name=w"] {
            let mut selection = select(vec![object("TaskRun", "r", json!({}))]).unwrap();
            assert!(apply_workspaces(&mut selection, &[bad.to_owned()]).is_err(), "{bad} was accepted");
        }
    }
}
