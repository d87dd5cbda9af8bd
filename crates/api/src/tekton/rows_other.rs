//! The rows of Tekton's kinds that exist in old versions only: CustomRun, StepAction, VerificationPolicy and
//! ResolutionRequest.

use serde_json::{Map, Value, json};

use super::rows::{CATEGORIES, GROUP, RUN_COLUMNS};
use super::{defaults, v1alpha1, v1beta1, validation};
use crate::columns::{AGE, path};
use crate::schema;
use crate::table::{Resource, Version, unchanged};

pub(crate) const CUSTOM_RUN: Resource = Resource {
    group: GROUP,
    plural: "customruns",
    singular: "customrun",
    kind: "CustomRun",
    short_names: &[],
    categories: CATEGORIES,
    namespaced: true,
    versions: &[Version {
        name: "v1beta1",
        schema: schema::of::<v1beta1::CustomRun>,
        to_storage: unchanged,
        from_storage: unchanged,
        deprecation_warning: None,
    }],
    storage_version: "v1beta1",
    stored_with: None,
    status_subresource: true,
    builtin: false,
    columns: RUN_COLUMNS,
    selectable_fields: &[],
    default: defaults::custom_run,
    validate: validation::custom_run,
};

pub(crate) const STEP_ACTION: Resource = Resource {
    plural: "stepactions",
    singular: "stepaction",
    kind: "StepAction",
    versions: &[
        Version {
            name: "v1beta1",
            schema: schema::of::<v1beta1::StepAction>,
            to_storage: unchanged,
            from_storage: unchanged,
            deprecation_warning: None,
        },
        Version {
            name: "v1alpha1",
            schema: schema::of::<v1beta1::StepAction>,
            to_storage: |object| Ok(with_version(object, "tekton.dev/v1beta1")),
            from_storage: |object| Ok(with_version(object, "tekton.dev/v1alpha1")),
            deprecation_warning: None,
        },
    ],
    columns: &[AGE],
    default: defaults::step_action,
    validate: validation::step_action,
    ..CUSTOM_RUN
};

pub(crate) const VERIFICATION_POLICY: Resource = Resource {
    plural: "verificationpolicies",
    singular: "verificationpolicy",
    kind: "VerificationPolicy",
    versions: &[Version {
        name: "v1alpha1",
        schema: schema::of::<v1alpha1::VerificationPolicy>,
        to_storage: unchanged,
        from_storage: unchanged,
        deprecation_warning: None,
    }],
    storage_version: "v1alpha1",
    status_subresource: false,
    columns: &[AGE],
    default: defaults::verification_policy,
    validate: validation::verification_policy,
    ..CUSTOM_RUN
};

pub(crate) const RESOLUTION_REQUEST: Resource = Resource {
    group: "resolution.tekton.dev",
    plural: "resolutionrequests",
    singular: "resolutionrequest",
    kind: "ResolutionRequest",
    versions: &[
        Version {
            name: "v1beta1",
            schema: schema::of::<v1beta1::ResolutionRequest>,
            to_storage: unchanged,
            from_storage: unchanged,
            deprecation_warning: None,
        },
        Version {
            name: "v1alpha1",
            schema: schema::of::<v1alpha1::ResolutionRequest>,
            to_storage: request_to_v1beta1,
            from_storage: request_from_v1beta1,
            deprecation_warning: Some("resolution.tekton.dev/v1alpha1 ResolutionRequest is deprecated"),
        },
    ],
    columns: &[
        path("OwnerKind", "string", ".metadata.ownerReferences[0].kind", "The kind that asked."),
        path("Owner", "string", ".metadata.ownerReferences[0].name", "The object that asked."),
        path(
            "Succeeded",
            "string",
            ".status.conditions[?(@.type=='Succeeded')].status",
            "`True`, `False` or `Unknown`.",
        ),
        path("Reason", "string", ".status.conditions[?(@.type=='Succeeded')].reason", "Why, as one word."),
        path("StartTime", "string", ".metadata.creationTimestamp", "When it was asked."),
        path(
            "EndTime",
            "string",
            ".status.conditions[?(@.type=='Succeeded')].lastTransitionTime",
            "When it was answered.",
        ),
    ],
    default: |_| {},
    validate: validation::resolution_request,
    ..CUSTOM_RUN
};

fn with_version(mut object: Value, api_version: &str) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.insert("apiVersion".to_owned(), Value::from(api_version));
    }
    object
}

/// In `v1alpha1` params are an object, in `v1beta1` a list.
fn request_to_v1beta1(object: Value) -> Result<Value, String> {
    let mut object = with_version(object, "resolution.tekton.dev/v1beta1");
    if let Some(Value::Object(params)) = object.pointer("/spec/params") {
        let list =
            params.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect::<Vec<_>>();
        object["spec"]["params"] = Value::Array(list);
    }
    Ok(object)
}

fn request_from_v1beta1(object: Value) -> Result<Value, String> {
    let mut object = with_version(object, "resolution.tekton.dev/v1alpha1");
    if let Some(Value::Array(params)) = object.pointer("/spec/params") {
        let mut by_name = Map::new();
        for param in params {
            let name = param["name"].as_str().unwrap_or_default();
            if param["value"].is_array() || param["value"].is_object() {
                return Err(format!("param {name:?} is not a string and cannot be shown in v1alpha1"));
            }
            by_name.insert(name.to_owned(), param["value"].clone());
        }
        object["spec"]["params"] = Value::Object(by_name);
    }
    Ok(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn params_of_a_resolution_request_survive_the_old_version() {
        let request = json!({
            "apiVersion": "resolution.tekton.dev/v1beta1",
            "spec": { "params": [{ "name": "a", "value": "1" }, { "name": "b", "value": "2" }] },
        });
        let old = request_from_v1beta1(request.clone()).unwrap();
        assert_eq!(old["spec"]["params"], json!({ "a": "1", "b": "2" }));
        assert_eq!(request_to_v1beta1(old).unwrap(), request);
    }
}
