//! Pulling from a real registry on loopback (Debian's `docker-registry`), and from one that misbehaves.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::common::{BuiltImage, image, layer};
use oci_client::Reference;
use oci_client::client::{ClientConfig, ClientProtocol, Config, ImageLayer};
use oci_client::secrets::RegistryAuth;
use registry::{Credentials, Error, ImageStore, PullPolicy, Registries};

/// A registry process that ends with the test.
struct Registry {
    process: Child,
    host: String,
    _directory: tempfile::TempDir,
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn start_registry() -> Registry {
    let directory = tempfile::tempdir().unwrap();
    let host = format!("127.0.0.1:{}", free_port());
    let config = directory.path().join("config.yml");
    let data = directory.path().join("data");
    let text = format!(
        "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: '{host}'}}\n",
        data.display()
    );
    std::fs::write(&config, text).unwrap();
    let process = Command::new("docker-registry")
        .arg("serve")
        .arg(&config)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("Debian's docker-registry; `cargo xtask packages` installs it");
    let deadline = Instant::now() + Duration::from_secs(20);
    while std::net::TcpStream::connect(&host).is_err() {
        assert!(Instant::now() < deadline, "the registry did not start");
        std::thread::yield_now();
    }
    Registry { process, host, _directory: directory }
}

async fn push(host: &str, name: &str, built: &BuiltImage) {
    let client =
        oci_client::Client::new(ClientConfig { protocol: ClientProtocol::Http, ..Default::default() });
    let reference: Reference = format!("{host}/{name}").parse().unwrap();
    let layers: Vec<ImageLayer> =
        built.blobs[2..].iter().map(|(_, bytes)| ImageLayer::oci_v1_gzip(bytes.clone(), None)).collect();
    let config = Config::oci_v1(built.blobs[1].1.clone(), None);
    let manifest = serde_json::from_value(built.manifest.clone()).unwrap();
    client.push(&reference, &layers, config, &RegistryAuth::Anonymous, Some(manifest)).await.unwrap();
}

fn store(directory: &Path, table: &str) -> Arc<ImageStore> {
    let file = directory.join("registries.yaml");
    std::fs::write(&file, table).unwrap();
    let registries = Registries::read(&file).unwrap();
    Arc::new(ImageStore::open(directory.join("images"), registries).unwrap())
}

fn plain(host: &str) -> String {
    format!("registries:\n  {host}: {{plainHttp: true}}\n")
}

#[tokio::test]
async fn an_image_is_pulled_by_tag_and_by_digest_and_then_comes_from_the_cache() {
    let registry = start_registry();
    let built = image(&[layer(&[("a", "1")]), layer(&[("b", "2")])]);
    push(&registry.host, "team/app:1", &built).await;
    let directory = tempfile::tempdir().unwrap();
    let store = store(directory.path(), &plain(&registry.host));

    let by_tag = format!("{}/team/app:1", registry.host);
    let pulled = store.resolve(&by_tag, PullPolicy::Always, None).await.unwrap();
    assert_eq!(pulled.id, format!("{}/team/app@{}", registry.host, built.blobs[0].0));
    assert_eq!(std::fs::read_to_string(pulled.layers[1].join("b")).unwrap(), "2");

    let by_digest = pulled.id.clone();
    let again = store.resolve(&by_digest, PullPolicy::IfNotPresent, None).await.unwrap();
    assert_eq!(again.layers, pulled.layers);

    drop(registry);
    let cached = store.resolve(&by_tag, PullPolicy::IfNotPresent, None).await.unwrap();
    assert_eq!(cached.layers, pulled.layers);
    assert!(matches!(store.resolve(&by_tag, PullPolicy::Always, None).await, Err(Error::Pull { .. })));
}

#[tokio::test]
async fn a_mirror_serves_the_images_of_another_registry() {
    let registry = start_registry();
    push(&registry.host, "library/tool:2", &image(&[layer(&[("tool", "x")])])).await;
    let directory = tempfile::tempdir().unwrap();
    let table = format!(
        "registries:\n  docker.io: {{mirrors: ['{0}']}}\n  {0}: {{plainHttp: true}}\n",
        registry.host
    );
    let pulled =
        store(directory.path(), &table).resolve("tool:2", PullPolicy::IfNotPresent, None).await.unwrap();
    assert!(pulled.id.starts_with("docker.io/library/tool@sha256:"), "{}", pulled.id);
}

#[tokio::test]
async fn what_cannot_be_pulled_says_why() {
    let registry = start_registry();
    let directory = tempfile::tempdir().unwrap();
    let store = store(directory.path(), &plain(&registry.host));
    let missing = format!("{}/no/such:1", registry.host);
    let error = store.resolve(&missing, PullPolicy::IfNotPresent, None).await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("pull image `{missing}` from {}: ", registry.host)), "{error}");
    let error = store.resolve(&missing, PullPolicy::Never, None).await.unwrap_err().to_string();
    assert!(error.ends_with("is not present on this node, and its pull policy is Never"), "{error}");
    let error = store.resolve("Not A Reference", PullPolicy::Always, None).await.unwrap_err().to_string();
    assert!(error.starts_with("`Not A Reference` is not an image reference"), "{error}");
}

#[tokio::test]
async fn a_registry_that_hangs_is_given_up() {
    // Accepts connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = silent.local_addr().unwrap().to_string();
    let directory = tempfile::tempdir().unwrap();
    let table = format!("timeoutSeconds: 1\n{}", plain(&host));
    let error = store(directory.path(), &table)
        .resolve(&format!("{host}/a/b:1"), PullPolicy::IfNotPresent, None)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Pull { .. } | Error::Timeout { .. }), "{error}");
}

#[tokio::test]
async fn a_private_image_in_the_cache_is_for_those_the_registry_let_in() {
    let registry = start_registry();
    push(&registry.host, "private/app:1", &image(&[layer(&[("secret", "x")])])).await;
    let directory = tempfile::tempdir().unwrap();
    let store = store(directory.path(), &plain(&registry.host));
    let name = format!("{}/private/app:1", registry.host);
    let owner = Credentials { username: "owner".to_owned(), password: "good".to_owned() };
    store.resolve(&name, PullPolicy::IfNotPresent, Some(owner.clone())).await.unwrap();
    drop(registry);
    assert!(store.resolve(&name, PullPolicy::IfNotPresent, Some(owner)).await.is_ok());
    let stranger = Credentials { username: "stranger".to_owned(), password: "bad".to_owned() };
    for other in [None, Some(stranger)] {
        let refused = store.resolve(&name, PullPolicy::IfNotPresent, other).await;
        assert!(matches!(refused, Err(Error::Pull { .. })), "served from the cache");
    }
}
