//! What an operator says about registries: mirrors, plain HTTP, credentials.
//! Credentials go only to the registry that they were given for.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use serde::Deserialize;
use serde_json::Value;

use crate::Error;

/// The table of registries, by host and port as references name them (`docker.io`, `localhost:5000`).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Registries {
    /// What is said about each.
    #[serde(default)]
    pub registries: BTreeMap<String, Registry>,
    /// How long a registry may be silent, in seconds.
    #[serde(default = "default_timeout_seconds")]
    pub timeout_seconds: u64,
}

const fn default_timeout_seconds() -> u64 {
    30
}

/// What is said about one registry.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Registry {
    /// Hosts that are asked before this one, in order: `host[:port][/prefix]`.
    #[serde(default)]
    pub mirrors: Vec<String>,
    /// Whether it is spoken to without TLS.
    #[serde(default)]
    pub plain_http: bool,
    /// Whom to log in as.
    #[serde(default)]
    pub credentials: Option<Credentials>,
}

/// A user name and password, or a token.
#[derive(Clone, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Credentials {
    /// The user's name; empty for a token.
    #[serde(default)]
    pub username: String,
    /// The password or token.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials({}, ***)", self.username)
    }
}

impl Registries {
    /// Reads the table from a YAML file.
    ///
    /// # Errors
    /// [`Error::Config`] when the file cannot be read or has another form.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let error = |what: String| Error::Config { path: path.to_owned(), what };
        let text = std::fs::read_to_string(path).map_err(|cause| error(cause.to_string()))?;
        serde_saphyr::from_str(&text).map_err(|cause| error(cause.to_string()))
    }

    /// The table that says nothing.
    #[must_use]
    pub fn none() -> Self {
        Self { registries: BTreeMap::new(), timeout_seconds: default_timeout_seconds() }
    }

    pub(crate) fn plain_http(&self) -> Vec<String> {
        self.registries.iter().filter(|(_, said)| said.plain_http).map(|(host, _)| host.clone()).collect()
    }
}

/// The credentials for `registry` in the content of a `.dockerconfigjson` or `config.json`.
///
/// Source: the Docker CLI's `auths` map; keys are hosts, with or without a scheme and path.
#[must_use]
pub fn docker_credentials(config: &[u8], registry: &str) -> Option<Credentials> {
    let config: Value = serde_json::from_slice(config).ok()?;
    let auths = config.get("auths").unwrap_or(&config).as_object()?;
    let (_, entry) = auths.iter().find(|(key, _)| {
        let host = key.split_once("://").map_or(key.as_str(), |(_, rest)| rest);
        let host = host.split('/').next().unwrap_or_default();
        host == registry || (registry == "docker.io" && host == "index.docker.io")
    })?;
    if let (Some(username), Some(password)) = (entry["username"].as_str(), entry["password"].as_str()) {
        return Some(Credentials { username: username.to_owned(), password: password.to_owned() });
    }
    let decoded = base64::engine::general_purpose::STANDARD.decode(entry["auth"].as_str()?).ok()?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (username, password) = decoded.split_once(':')?;
    Some(Credentials { username: username.to_owned(), password: password.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_found_for_their_own_registry_only() {
        let config = br#"{"auths":{
            "https://index.docker.io/v1/":{"auth":"YTpiOmM="},
            "localhost:5000":{"username":"u","password":"p"}}}"#;
        let found = |registry| docker_credentials(config, registry).map(|c| (c.username, c.password));
        assert_eq!(found("docker.io"), Some(("a".to_owned(), "b:c".to_owned())));
        assert_eq!(found("localhost:5000"), Some(("u".to_owned(), "p".to_owned())));
        assert_eq!(found("localhost"), None);
        assert_eq!(docker_credentials(b"not json", "docker.io"), None);
    }

    #[test]
    fn the_table_is_yaml_and_says_what_it_does_not_know() {
        let read = |text: &str| serde_saphyr::from_str::<Registries>(text);
        let table = read("registries:\n  docker.io:\n    mirrors: [localhost:5000]\n  localhost:5000:\n    plainHttp: true\n").unwrap();
        assert_eq!(table.plain_http(), ["localhost:5000"]);
        assert_eq!(table.timeout_seconds, 30);
        assert!(
            read("registries:\n  a:\n    insecure: true\n").unwrap_err().to_string().contains("insecure")
        );
    }
}
