//! Reads the part of a kubeconfig that this project writes: one context's server, CA and client certificate.
//! Exec plugins, auth providers, proxies and `insecure-skip-tls-verify` are refused by name, not ignored.

use base64::Engine as _;
use serde::Deserialize;

/// Where an API server is, and who is asking.
#[derive(Clone, Debug)]
pub struct Kubeconfig {
    /// The server's URL, with a path such as `/clusters/root:default`.
    pub server: String,
    /// The certificates that the server's must chain to, in PEM.
    pub ca_pem: Vec<u8>,
    /// The client's certificate chain in PEM.
    pub client_certificate_pem: Option<Vec<u8>>,
    /// The client's key in PEM.
    pub client_key_pem: Option<Vec<u8>>,
    /// A bearer token.
    pub token: Option<String>,
    /// The namespace of the context; `default` when it names none.
    pub namespace: String,
}

/// Why a kubeconfig cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KubeconfigError {
    /// It is not YAML of the right form.
    #[error("read the kubeconfig: {0}")]
    Malformed(String),
    /// It names something that it does not contain.
    #[error("find {kind} `{name}` in the kubeconfig")]
    Missing {
        /// `context`, `cluster` or `user`.
        kind: &'static str,
        /// The name that was looked for.
        name: String,
    },
    /// It asks for something that is not supported.
    #[error("use `{0}` of the kubeconfig: it is not supported; use inline certificates or a token")]
    Unsupported(&'static str),
    /// A value is not base64.
    #[error("decode `{0}` of the kubeconfig as base64")]
    Encoding(&'static str),
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct File {
    #[serde(default)]
    current_context: String,
    #[serde(default)]
    contexts: Vec<NamedContext>,
    #[serde(default)]
    clusters: Vec<NamedCluster>,
    #[serde(default)]
    users: Vec<NamedUser>,
}

#[derive(Deserialize)]
struct NamedContext {
    name: String,
    context: Context,
}

#[derive(Deserialize)]
struct Context {
    cluster: String,
    #[serde(default)]
    user: String,
    #[serde(default)]
    namespace: Option<String>,
}

#[derive(Deserialize)]
struct NamedCluster {
    name: String,
    cluster: Server,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Server {
    server: String,
    #[serde(default)]
    certificate_authority_data: Option<String>,
    #[serde(default)]
    certificate_authority: Option<String>,
    #[serde(default)]
    insecure_skip_tls_verify: bool,
}

#[derive(Deserialize)]
struct NamedUser {
    name: String,
    user: User,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct User {
    #[serde(default)]
    client_certificate_data: Option<String>,
    #[serde(default)]
    client_key_data: Option<String>,
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    exec: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    client_certificate: Option<String>,
}

impl Kubeconfig {
    /// Reads the named context, or the current one, of a kubeconfig's text.
    ///
    /// # Errors
    /// [`KubeconfigError`], one variant for each thing to mend.
    pub fn parse(text: &str, context: Option<&str>) -> Result<Self, KubeconfigError> {
        let file: File =
            serde_saphyr::from_str(text).map_err(|error| KubeconfigError::Malformed(error.to_string()))?;
        let wanted = context.unwrap_or(&file.current_context);
        let missing = |kind, name: &str| KubeconfigError::Missing { kind, name: name.to_owned() };
        let context = file.contexts.iter().find(|entry| entry.name == wanted);
        let context = &context.ok_or_else(|| missing("context", wanted))?.context;
        let server = file.clusters.iter().find(|entry| entry.name == context.cluster);
        let server = &server.ok_or_else(|| missing("cluster", &context.cluster))?.cluster;
        let nobody = User::default();
        let user = match file.users.iter().find(|entry| entry.name == context.user) {
            Some(entry) => &entry.user,
            None if context.user.is_empty() => &nobody,
            None => return Err(missing("user", &context.user)),
        };
        refuse_unsupported(server, user)?;
        Ok(Self {
            server: server.server.trim_end_matches('/').to_owned(),
            ca_pem: decoded("certificate-authority-data", server.certificate_authority_data.as_deref())?
                .unwrap_or_default(),
            client_certificate_pem: decoded(
                "client-certificate-data",
                user.client_certificate_data.as_deref(),
            )?,
            client_key_pem: decoded("client-key-data", user.client_key_data.as_deref())?,
            token: user.token.clone(),
            namespace: context.namespace.clone().unwrap_or_else(|| "default".to_owned()),
        })
    }

    /// The workspace that the server's URL points to, when it points to one.
    #[must_use]
    pub fn cluster(&self) -> Option<&str> {
        let (_, rest) = self.server.split_once("/clusters/")?;
        rest.split('/').next().filter(|cluster| !cluster.is_empty())
    }
}

fn refuse_unsupported(server: &Server, user: &User) -> Result<(), KubeconfigError> {
    let refused = [
        (server.insecure_skip_tls_verify, "insecure-skip-tls-verify"),
        (server.certificate_authority.is_some(), "certificate-authority"),
        (user.exec.is_some(), "exec"),
        (user.client_certificate.is_some(), "client-certificate"),
    ];
    match refused.into_iter().find(|(there, _)| *there) {
        Some((_, name)) => Err(KubeconfigError::Unsupported(name)),
        None => Ok(()),
    }
}

fn decoded(name: &'static str, text: Option<&str>) -> Result<Option<Vec<u8>>, KubeconfigError> {
    let decode = |text: &str| base64::engine::general_purpose::STANDARD.decode(text.trim());
    text.map(decode).transpose().map_err(|_| KubeconfigError::Encoding(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
apiVersion: v1
kind: Config
current-context: default
clusters: [{name: d, cluster: {server: 'https://127.0.0.1:6443/clusters/root:default', certificate-authority-data: Q0E=}}]
contexts: [{name: default, context: {cluster: d, user: admin}}]
users: [{name: admin, user: {client-certificate-data: Q0VSVA==, client-key-data: S0VZ}}]
";

    #[test]
    fn the_current_context_gives_server_workspace_and_certificates() {
        let config = Kubeconfig::parse(TEXT, None).unwrap();
        assert_eq!(config.cluster(), Some("root:default"));
        assert_eq!(config.ca_pem, b"CA");
        assert_eq!(config.client_certificate_pem.as_deref(), Some(&b"CERT"[..]));
        assert_eq!(config.namespace, "default");
    }

    #[test]
    fn what_is_not_supported_is_refused_by_name() {
        let text = TEXT.replace("client-key-data: S0VZ", "exec: {command: x}");
        let error = Kubeconfig::parse(&text, None).unwrap_err().to_string();
        assert!(error.contains("`exec`"), "{error}");
        assert!(Kubeconfig::parse(TEXT, Some("other")).is_err());
    }
}
