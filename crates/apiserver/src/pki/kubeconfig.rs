//! The kubeconfig: a text of fixed form, so no YAML library is needed. Names are quoted as JSON strings, which
//! YAML reads too.

use std::fmt::Write;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::authority::ClientCertificate;
use super::files::{self, Error};

/// One context of a kubeconfig, which is one workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context<'a> {
    /// The name of the context.
    pub name: &'a str,
    /// The path of the workspace, such as `root:default`.
    pub workspace: &'a str,
}

/// The text of a kubeconfig; the first context is the current one. `server` is the URL without a path.
#[must_use]
pub fn kubeconfig(server: &str, ca_pem: &str, user: &ClientCertificate, contexts: &[Context<'_>]) -> String {
    let mut text = String::from("apiVersion: v1\nkind: Config\npreferences: {}\nclusters:\n");
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    for context in contexts {
        let url = format!("{}/clusters/{}", server.trim_end_matches('/'), context.workspace);
        let _ = write!(
            text,
            "- name: {}\n  cluster:\n    server: {}\n    certificate-authority-data: {}\n",
            quoted(context.name),
            quoted(&url),
            STANDARD.encode(ca_pem)
        );
    }
    text.push_str("contexts:\n");
    for context in contexts {
        let name = quoted(context.name);
        let _ = write!(
            text,
            "- name: {name}\n  context:\n    cluster: {name}\n    user: {}\n",
            quoted(&user.user)
        );
    }
    if let Some(first) = contexts.first() {
        let _ = writeln!(text, "current-context: {}", quoted(first.name));
    }
    let _ = write!(
        text,
        "users:\n- name: {}\n  user:\n    client-certificate-data: {}\n    client-key-data: {}\n",
        quoted(&user.user),
        STANDARD.encode(&user.certificate_pem),
        STANDARD.encode(&user.key_pem)
    );
    text
}

/// Writes a kubeconfig that only its owner can read.
///
/// # Errors
/// [`Error::Io`] when the file cannot be written.
pub fn write_kubeconfig(path: &Path, text: &str) -> Result<(), Error> {
    files::write_private(path, text)
}
