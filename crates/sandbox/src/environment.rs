//! The environment of a container: the image's, `envFrom`, `env`, with `$(NAME)` expanded by the kubelet's rules.
//! Invariant: a value sees only variables that were declared before it; the image's are not visible to `$(NAME)`.
//! Source: the kubelet's behaviour as documented at `EnvVar.value` and `EnvFromSource`.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{
    ConfigMapKeySelector, Container, EnvFromSource, EnvVarSource, SecretKeySelector,
};

use crate::downward;
use crate::expansion::expand;
use crate::input::Input;
use crate::plan::PlanError;

/// Variables in the order of their first declaration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    order: Vec<String>,
    values: BTreeMap<String, String>,
}

impl Environment {
    /// The value of a variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// Sets a variable, keeping its place when it is there already.
    pub fn set(&mut self, name: &str, value: String) {
        if self.values.insert(name.to_owned(), value).is_none() {
            self.order.push(name.to_owned());
        }
    }

    /// Expands references to these variables in `text`.
    #[must_use]
    pub fn expand(&self, text: &str) -> String {
        expand(text, |name| self.get(name))
    }

    /// The variables as `NAME=value`.
    #[must_use]
    pub fn to_list(&self) -> Vec<String> {
        self.order.iter().map(|name| format!("{name}={}", self.get(name).unwrap_or_default())).collect()
    }
}

/// What the Pod declares for `container`: `envFrom` first, then `env`.
///
/// # Errors
/// [`PlanError`] when a ConfigMap, Secret, key or field that is not optional is missing.
pub fn declared(input: &Input<'_>, container: &Container) -> Result<Environment, PlanError> {
    let mut environment = Environment::default();
    for source in container.env_from.iter().flatten() {
        add_all(input, source, &mut environment)?;
    }
    for variable in container.env.iter().flatten() {
        let plain = variable.value.as_deref().filter(|value| !value.is_empty());
        let value = match (plain, &variable.value_from) {
            (Some(value), _) => Some(environment.expand(value)),
            (None, Some(source)) => from_source(input, container, source)?,
            (None, None) => Some(String::new()),
        };
        if let Some(value) = value {
            environment.set(&variable.name, value);
        }
    }
    match environment.values.iter().find(|(name, value)| name.contains('\0') || value.contains('\0')) {
        Some((name, _)) => {
            Err(PlanError::never(format!("environment variable {name:?} contains a NUL byte")))
        }
        None => Ok(environment),
    }
}

/// The image's variables below the declared ones, with what container runtimes add.
#[must_use]
pub fn merged(image: &[String], declared: &Environment, hostname: &str, home: &str) -> Environment {
    let mut environment = Environment::default();
    environment.set("PATH", DEFAULT_PATH.to_owned());
    environment.set("HOSTNAME", hostname.to_owned());
    for entry in image {
        let (name, value) = entry.split_once('=').unwrap_or((entry, ""));
        environment.set(name, value.to_owned());
    }
    for name in &declared.order {
        environment.set(name, declared.get(name).unwrap_or_default().to_owned());
    }
    if environment.get("HOME").is_none_or(str::is_empty) {
        environment.set("HOME", home.to_owned());
    }
    environment
}

/// The search path of images that set none. Source: containerd and Docker.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

fn add_all(
    input: &Input<'_>,
    source: &EnvFromSource,
    environment: &mut Environment,
) -> Result<(), PlanError> {
    let prefix = source.prefix.as_deref().unwrap_or_default();
    if let Some(reference) = &source.config_map_ref {
        match input.objects.config_maps.get(&reference.name) {
            Some(config_map) => {
                for (key, value) in config_map.data.iter().flatten() {
                    environment.set(&format!("{prefix}{key}"), value.clone());
                }
            }
            None if reference.optional == Some(true) => {}
            None => return Err(missing_config_map(&reference.name)),
        }
    } else if let Some(reference) = &source.secret_ref {
        match input.objects.secrets.get(&reference.name) {
            Some(secret) => {
                for (key, value) in secret.data.iter().flatten() {
                    environment.set(&format!("{prefix}{key}"), text(value));
                }
            }
            None if reference.optional == Some(true) => {}
            None => return Err(missing_secret(&reference.name)),
        }
    }
    Ok(())
}

/// The value of a source; `None` when it is optional and missing, which leaves the variable out.
fn from_source(
    input: &Input<'_>,
    container: &Container,
    source: &EnvVarSource,
) -> Result<Option<String>, PlanError> {
    if let Some(selector) = &source.field_ref {
        downward::field(input.pod, input.machine, selector).map(Some)
    } else if let Some(selector) = &source.resource_field_ref {
        let containers = input.pod.spec.as_ref().map_or(&[][..], |spec| &spec.containers);
        downward::resource(containers, Some(container), input.machine, selector).map(Some)
    } else if let Some(selector) = &source.config_map_key_ref {
        config_map_key(input, selector)
    } else if let Some(selector) = &source.secret_key_ref {
        secret_key(input, selector)
    } else {
        Err(PlanError::never("an environment variable's valueFrom names a source that is not supported"))
    }
}

fn config_map_key(input: &Input<'_>, selector: &ConfigMapKeySelector) -> Result<Option<String>, PlanError> {
    let ConfigMapKeySelector { name, key, optional } = selector;
    let value = match input.objects.config_maps.get(name) {
        Some(config_map) => {
            config_map.data.as_ref().and_then(|data| data.get(key)).cloned().ok_or_else(|| {
                let namespace = &input.pod_ref.namespace;
                PlanError::missing(format!("couldn't find key {key} in ConfigMap {namespace}/{name}"))
            })
        }
        None => Err(missing_config_map(name)),
    };
    unless_optional(value, *optional)
}

fn secret_key(input: &Input<'_>, selector: &SecretKeySelector) -> Result<Option<String>, PlanError> {
    let SecretKeySelector { name, key, optional } = selector;
    let value = match input.objects.secrets.get(name) {
        Some(secret) => secret.data.as_ref().and_then(|data| data.get(key)).map(text).ok_or_else(|| {
            let namespace = &input.pod_ref.namespace;
            PlanError::missing(format!("couldn't find key {key} in Secret {namespace}/{name}"))
        }),
        None => Err(missing_secret(name)),
    };
    unless_optional(value, *optional)
}

fn unless_optional(
    value: Result<String, PlanError>,
    optional: Option<bool>,
) -> Result<Option<String>, PlanError> {
    match value {
        Ok(value) => Ok(Some(value)),
        Err(_) if optional == Some(true) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The error for a ConfigMap that does not exist, in the words of the API server that the kubelet repeats.
pub(crate) fn missing_config_map(name: &str) -> PlanError {
    PlanError::missing(format!("configmap \"{name}\" not found"))
}

/// The error for a Secret that does not exist.
pub(crate) fn missing_secret(name: &str) -> PlanError {
    PlanError::missing(format!("secret \"{name}\" not found"))
}

fn text(value: &ByteString) -> String {
    String::from_utf8_lossy(&value.0).into_owned()
}
