//! A server on the memory store with a clock that stands still and random bits that count.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use apiserver::{Body, Options, Service};
use bytes::Bytes;
use futures_util::StreamExt;
use http::{Method, Request, Response};
use policy::Identity;
use serde_json::Value;

/// A server and what its tests need to look behind it.
pub(crate) struct World {
    pub(crate) service: Service,
    pub(crate) store: Arc<store::MemoryStore>,
    pub(crate) logs: Arc<archive::LogStore>,
    _directory: tempfile::TempDir,
}

/// The administrator.
pub(crate) fn admin() -> Identity {
    Identity { user: "admin".to_owned(), groups: vec!["system:masters".to_owned()] }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(store::MemoryStore::new())
    }

    /// A world whose store remembers only so many changes.
    pub(crate) fn with_history(events: usize) -> Self {
        Self::with(store::MemoryStore::with_history(events))
    }

    fn with(store: store::MemoryStore) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let logs = Arc::new(archive::LogStore::open(directory.path()).unwrap());
        let store = Arc::new(store);
        let mut options = Options::new("https://psvc.example:6443", store.clone(), Arc::clone(&logs));
        options.clock = Arc::new(|| "2026-01-01T00:00:00Z".parse().unwrap());
        let counter = AtomicU64::new(1);
        options.random = Arc::new(move || {
            u128::from(counter.fetch_add(1, Ordering::Relaxed))
                .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
        });
        Self { service: Service::new(options), store, logs, _directory: directory }
    }

    /// Sends a request with headers (`name: value` lines) and returns the raw response.
    pub(crate) async fn raw(&self, method: &str, path: &str, headers: &str, body: &str) -> Response<Body> {
        let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(path);
        for line in headers.lines() {
            let (name, value) = line.split_once(':').unwrap();
            request = request.header(name.trim(), value.trim());
        }
        let request = request.body(Bytes::copy_from_slice(body.as_bytes())).unwrap();
        self.service.handle(&admin(), request).await
    }

    /// The code and the JSON body of a response.
    pub(crate) async fn call(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        self.call_with(method, path, "", body).await
    }

    pub(crate) async fn call_with(
        &self,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> (u16, Value) {
        let response = self.raw(method, path, headers, body).await;
        let code = response.status().as_u16();
        let bytes = read(response).await;
        (code, serde_json::from_slice(&bytes).unwrap_or_else(|_| Value::String(text(&bytes))))
    }

    /// A response in one line: the code, the warnings, and for an error its reason and message.
    pub(crate) async fn line(&self, method: &str, path: &str, headers: &str, body: &str) -> String {
        let response = self.raw(method, path, headers, body).await;
        let mut line = response.status().as_u16().to_string();
        let warnings: Vec<String> = response
            .headers()
            .get_all("warning")
            .iter()
            .map(|value| value.to_str().unwrap().to_owned())
            .collect();
        let bytes = read(response).await;
        match serde_json::from_slice::<Value>(&bytes) {
            Ok(value) if value["kind"] == "Status" && value["status"] == "Failure" => {
                let _ = write!(
                    line,
                    " {} {}",
                    value["reason"].as_str().unwrap(),
                    value["message"].as_str().unwrap()
                );
            }
            Ok(value) => {
                let _ = write!(line, " {}", value["kind"].as_str().unwrap_or("?"));
            }
            Err(_) => line.push_str(&format!(" {}", text(&bytes).trim())),
        }
        for warning in warnings {
            let _ = write!(line, " | {warning}");
        }
        line
    }

    /// Makes an object that must be new, and returns it.
    pub(crate) async fn made(&self, path: &str, body: &str) -> Value {
        let (code, object) = self.call("POST", path, body).await;
        assert_eq!(code, 201, "{object}");
        object
    }
}

async fn read(response: Response<Body>) -> Bytes {
    let mut parts = client::Body::from(response.into_body());
    let mut all = Vec::new();
    while let Some(part) = parts.next().await {
        all.extend_from_slice(&part.unwrap());
    }
    all.into()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The lines of a watch under way.
pub(crate) struct Lines {
    parts: client::Body,
    rest: Vec<u8>,
}

impl Lines {
    pub(crate) fn of(response: Response<Body>) -> Self {
        assert_eq!(response.status(), 200);
        Self { parts: client::Body::from(response.into_body()), rest: Vec::new() }
    }

    /// The next frame, if the stream has not ended.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).unwrap());
            }
            self.rest.extend_from_slice(&self.parts.next().await?.unwrap());
        }
    }

    /// The next frame in one line: type, name, resource version.
    pub(crate) async fn line(&mut self) -> String {
        match self.next().await {
            None => "end".to_owned(),
            Some(frame) => {
                let object = &frame["object"];
                let end = &object["metadata"]["annotations"]["k8s.io/initial-events-end"];
                format!(
                    "{} {}{}",
                    frame["type"].as_str().unwrap(),
                    object["metadata"]["name"].as_str().or(object["reason"].as_str()).unwrap_or("-"),
                    if end == "true" { " end" } else { "" }
                )
            }
        }
    }
}
