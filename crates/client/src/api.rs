//! Requests to one resource in one place: a namespace, a cluster, or all clusters.
//! It builds URLs and decodes answers; it keeps no state, caches nothing and never retries.
//! Start at [`Client`], then [`Cluster::namespaced`] or [`Cluster::all`].

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use http::{Method, StatusCode};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ListMeta, Status};
use serde::Deserialize;

use crate::error::{Error, absent_as_none};
use crate::options::{
    DeleteOptions, ListOptions, LogOptions, Patch, PatchOptions, Query, WatchOptions, WriteOptions, escape,
};
use crate::resource::{Kind, Object, Readable, ResourceType};
use crate::transport::{Body, Request, Response, Transport};
use crate::watch::WatchStream;

/// How long an answer may take, except of watches and followed logs.
const ANSWER_DEADLINE: Duration = Duration::from_secs(60);
/// The page size of [`Api::list_all`], as of client-go's pager.
const PAGE: usize = 500;

/// A stream of a log's bytes.
pub type LogStream = Body;

/// A client of one API server. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    transport: Arc<dyn Transport>,
    agent: Arc<str>,
}

impl Client {
    /// A client over a transport, whose identity is the transport's.
    #[must_use]
    pub fn new(transport: Arc<dyn Transport>) -> Self {
        Self { transport, agent: Arc::from("psvc") }
    }

    /// The same client under another name, which the server uses as field manager by default.
    #[must_use]
    pub fn named(&self, agent: &str) -> Self {
        Self { transport: Arc::clone(&self.transport), agent: Arc::from(agent) }
    }

    /// One cluster, by the path of its workspace or by its id.
    #[must_use]
    pub fn cluster(&self, path_or_id: &str) -> Cluster {
        Cluster { client: self.clone(), cluster: Arc::from(path_or_id) }
    }

    /// All clusters: for lists and watches only.
    #[must_use]
    pub fn all_clusters(&self) -> Cluster {
        self.cluster("*")
    }

    /// Sends a request as it is and returns the answer as it is.
    ///
    /// # Errors
    /// [`Error::Transport`] only; refusals are answers here.
    pub async fn send(&self, mut request: Request) -> Result<Response, Error> {
        let what = || format!("{} {}", request.method(), request.uri());
        let said = what();
        if let Ok(agent) = http::HeaderValue::from_str(&self.agent) {
            request.headers_mut().entry(http::header::USER_AGENT).or_insert(agent);
        }
        self.transport.call(request).await.map_err(|source| Error::Transport { what: said, source })
    }
}

/// One cluster, or all of them.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    cluster: Arc<str>,
}

impl Cluster {
    /// Objects of a kind in one namespace.
    #[must_use]
    pub fn namespaced<K: Kind>(&self, namespace: &str) -> Api<K> {
        self.resource(K::RESOURCE, Some(namespace))
    }

    /// Objects of a kind that has no namespaces, or of all namespaces (for lists and watches only).
    #[must_use]
    pub fn all<K: Kind>(&self) -> Api<K> {
        self.resource(K::RESOURCE, None)
    }

    /// Objects of any resource, decoded as any type: `serde_json::Value`, or [`crate::PartialObject`].
    #[must_use]
    pub fn resource<K: Readable>(&self, resource: ResourceType, namespace: Option<&str>) -> Api<K> {
        let mut base = String::with_capacity(96);
        base.push_str("/clusters/");
        base.push_str(&self.cluster);
        if resource.group.is_empty() {
            base.push_str("/api/");
        } else {
            base.push_str("/apis/");
            base.push_str(&resource.group);
            base.push('/');
        }
        base.push_str(&resource.version);
        if let Some(namespace) = namespace {
            base.push_str("/namespaces/");
            escape(namespace, &mut base);
        }
        base.push('/');
        base.push_str(&resource.plural);
        Api { client: self.client.clone(), base: Arc::from(base), kind: PhantomData }
    }

    /// The path or id that this cluster was named by; `*` for all.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.cluster
    }
}

/// One page of a list, or all pages together.
#[derive(Clone, Debug)]
pub struct List<K> {
    /// The objects.
    pub items: Vec<K>,
    /// The revision of the snapshot; a watch may start there.
    pub resource_version: String,
    /// Where the next page starts, when there is one.
    pub continue_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "K: Readable"))]
struct WireList<K> {
    #[serde(default)]
    metadata: ListMeta,
    #[serde(default = "Vec::new")]
    items: Vec<K>,
}

/// Requests to one resource in one place.
pub struct Api<K> {
    client: Client,
    base: Arc<str>,
    kind: PhantomData<fn() -> K>,
}

impl<K> Clone for Api<K> {
    fn clone(&self) -> Self {
        Self { client: self.client.clone(), base: Arc::clone(&self.base), kind: PhantomData }
    }
}

impl<K: Readable> Api<K> {
    /// The object of this name.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none.
    pub async fn get(&self, name: &str) -> Result<K, Error> {
        self.object(Call::new(Method::GET, self.path(name, None))).await
    }

    /// The object of this name, if there is one.
    ///
    /// # Errors
    /// As [`Api::get`], except for absence.
    pub async fn find(&self, name: &str) -> Result<Option<K>, Error> {
        absent_as_none(self.get(name).await)
    }

    /// One page.
    ///
    /// # Errors
    /// [`Error::Expired`] when the page before is too long ago.
    pub async fn list(&self, options: &ListOptions) -> Result<List<K>, Error> {
        let mut query = Query::default();
        options.query(&mut query);
        let list: WireList<K> =
            self.object(Call::new(Method::GET, format!("{}{}", self.base, query.as_str()))).await?;
        Ok(List {
            items: list.items,
            resource_version: list.metadata.resource_version.unwrap_or_default(),
            continue_token: list.metadata.continue_.filter(|token| !token.is_empty()),
        })
    }

    /// All pages of one consistent reading, in memory: for sets that are known to be small.
    ///
    /// # Errors
    /// [`Error::Expired`] when reading took longer than history is kept.
    pub async fn list_all(&self, options: &ListOptions) -> Result<List<K>, Error> {
        let mut options = ListOptions { limit: PAGE, ..options.clone() };
        let mut all = self.list(&options).await?;
        while let Some(token) = all.continue_token.take() {
            options.continue_token = Some(token);
            let page = self.list(&options).await?;
            all.items.extend(page.items);
            all.continue_token = page.continue_token;
        }
        Ok(all)
    }

    /// Changes an object.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the patch names a `resourceVersion` that has passed, or fields of others.
    pub async fn patch(&self, name: &str, patch: &Patch, options: &PatchOptions) -> Result<K, Error> {
        let mut query = Query::default();
        options.query(&mut query);
        let path = format!("{}{}", self.path(name, options.subresource), query.as_str());
        let mut call = Call::new(Method::PATCH, path).json(patch.body())?;
        call.content_type = patch.content_type();
        self.object(call).await
    }

    /// Asks for an object's deletion; it may go on existing until its finalizers are done.
    ///
    /// # Errors
    /// [`Error::NotFound`], or [`Error::Conflict`] when a precondition does not hold.
    pub async fn delete(&self, name: &str, options: &DeleteOptions) -> Result<(), Error> {
        let call = Call::new(Method::DELETE, self.path(name, None)).json(options)?;
        self.answer(call).await.map(drop)
    }

    /// As [`Api::delete`], for one that may be gone or replaced already: true when it was asked for.
    ///
    /// # Errors
    /// As [`Api::delete`], except for absence and preconditions.
    pub async fn delete_if_there(&self, name: &str, options: &DeleteOptions) -> Result<bool, Error> {
        match self.delete(name, options).await {
            Ok(()) => Ok(true),
            Err(Error::NotFound(_) | Error::Conflict(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Asks for the deletion of everything that is listed.
    ///
    /// # Errors
    /// The first refusal; others may have been deleted before it.
    pub async fn delete_collection(&self, list: &ListOptions, options: &DeleteOptions) -> Result<(), Error> {
        let mut query = Query::default();
        list.query(&mut query);
        let call = Call::new(Method::DELETE, format!("{}{}", self.base, query.as_str()));
        self.answer(call.json(options)?).await.map(drop)
    }

    /// Opens a watch. Use [`crate::Watcher`] to follow a resource for ever.
    ///
    /// # Errors
    /// [`Error::Expired`] when the revision is too old; the same may come as the first event.
    pub async fn watch(&self, options: &WatchOptions) -> Result<WatchStream<K>, Error> {
        let mut query = Query::default();
        options.query(&mut query);
        let call = Call::new(Method::GET, format!("{}{}", self.base, query.as_str()));
        let what = call.what();
        let response = self.send(call).await?;
        Ok(WatchStream::new(response.into_body(), what))
    }

    /// A container's log; a followed one ends when the container does.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the container has not started or does not exist.
    pub async fn logs(&self, pod: &str, options: &LogOptions) -> Result<LogStream, Error> {
        let mut query = Query::default();
        options.query(&mut query);
        let path = format!("{}{}", self.path(pod, Some("log")), query.as_str());
        Ok(self.send(Call::new(Method::GET, path)).await?.into_body())
    }

    fn path(&self, name: &str, subresource: Option<&str>) -> String {
        let mut path = String::with_capacity(self.base.len() + name.len() + 12);
        path.push_str(&self.base);
        path.push('/');
        escape(name, &mut path);
        if let Some(subresource) = subresource {
            path.push('/');
            path.push_str(subresource);
        }
        path
    }

    async fn object<T: serde::de::DeserializeOwned>(&self, call: Call) -> Result<T, Error> {
        let what = call.what();
        let bytes = self.answer(call).await?;
        serde_json::from_slice(&bytes).map_err(|source| Error::Decode { what, source })
    }

    async fn answer(&self, call: Call) -> Result<Bytes, Error> {
        let what = call.what();
        let whole = async {
            let response = self.send(call).await?;
            collect(response.into_body(), &what).await
        };
        match tokio::time::timeout(ANSWER_DEADLINE, whole).await {
            Ok(answer) => answer,
            Err(_) => Err(Error::Deadline { what, seconds: ANSWER_DEADLINE.as_secs() }),
        }
    }

    /// Sends and sorts out refusals; the body of an accepted request is not read yet.
    async fn send(&self, call: Call) -> Result<Response, Error> {
        let what = call.what();
        let request = call.build()?;
        let response = match tokio::time::timeout(ANSWER_DEADLINE, self.client.send(request)).await {
            Ok(response) => response?,
            Err(_) => return Err(Error::Deadline { what, seconds: ANSWER_DEADLINE.as_secs() }),
        };
        if response.status().is_success() {
            return Ok(response);
        }
        let code = response.status();
        let body = collect(response.into_body(), &what).await.unwrap_or_default();
        Err(Error::refused(what, code, status_of(code, &body)))
    }
}

impl<K: Object> Api<K> {
    /// Creates an object; the answer is the object as stored.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`], or [`Error::Invalid`].
    pub async fn create(&self, object: &K) -> Result<K, Error> {
        self.create_with(object, &WriteOptions::default()).await
    }

    /// As [`Api::create`], with options.
    ///
    /// # Errors
    /// As [`Api::create`].
    pub async fn create_with(&self, object: &K, options: &WriteOptions) -> Result<K, Error> {
        let mut query = Query::default();
        options.query(&mut query);
        let call = Call::new(Method::POST, format!("{}{}", self.base, query.as_str()));
        self.object(call.json(object)?).await
    }

    /// Replaces an object; its `resourceVersion`, when there, is a precondition.
    ///
    /// # Errors
    /// [`Error::Conflict`] when it changed meanwhile.
    pub async fn update(&self, name: &str, object: &K) -> Result<K, Error> {
        self.object(Call::new(Method::PUT, self.path(name, None)).json(object)?).await
    }

    /// Replaces the finalizers in the spec of a Namespace, of which the last one's removal lets it go.
    ///
    /// # Errors
    /// [`Error::Conflict`] when it changed meanwhile.
    pub async fn finalize(&self, name: &str, object: &K) -> Result<K, Error> {
        self.object(Call::new(Method::PUT, self.path(name, Some("finalize"))).json(object)?).await
    }

    /// Replaces the status of an object; its `resourceVersion`, when there, is a precondition.
    ///
    /// # Errors
    /// [`Error::Conflict`] when it changed meanwhile.
    pub async fn update_status(&self, name: &str, object: &K) -> Result<K, Error> {
        self.object(Call::new(Method::PUT, self.path(name, Some("status"))).json(object)?).await
    }
}

/// One request under construction.
struct Call {
    method: Method,
    target: String,
    body: Bytes,
    content_type: &'static str,
}

impl Call {
    fn new(method: Method, target: String) -> Self {
        Self { method, target, body: Bytes::new(), content_type: "application/json" }
    }

    fn json<T: serde::Serialize>(mut self, body: &T) -> Result<Self, Error> {
        let what = self.what();
        self.body = serde_json::to_vec(body).map_err(|source| Error::Decode { what, source })?.into();
        Ok(self)
    }

    fn what(&self) -> String {
        format!("{} {}", self.method, self.target)
    }

    fn build(self) -> Result<Request, Error> {
        let what = self.what();
        let mut builder = http::Request::builder()
            .method(self.method)
            .uri(self.target)
            .header(http::header::ACCEPT, "application/json");
        if !self.body.is_empty() {
            builder = builder.header(http::header::CONTENT_TYPE, self.content_type);
        }
        builder.body(self.body).map_err(|source| Error::Request { what, source })
    }
}

async fn collect(mut body: Body, what: &str) -> Result<Bytes, Error> {
    let failed = |source| Error::Transport { what: what.to_owned(), source };
    let Some(first) = body.next().await.transpose().map_err(failed)? else { return Ok(Bytes::new()) };
    let Some(second) = body.next().await.transpose().map_err(failed)? else { return Ok(first) };
    let mut whole = BytesMut::from(first);
    whole.extend_from_slice(&second);
    while let Some(part) = body.next().await.transpose().map_err(failed)? {
        whole.extend_from_slice(&part);
    }
    Ok(whole.freeze())
}

/// The server's `Status`, or one made of what else it answered.
fn status_of(code: StatusCode, body: &[u8]) -> Status {
    serde_json::from_slice(body).unwrap_or_else(|_| Status {
        code: Some(i32::from(code.as_u16())),
        message: Some(format!("{code}: {}", String::from_utf8_lossy(&body[..body.len().min(1024)]))),
        status: Some("Failure".to_owned()),
        ..Status::default()
    })
}
