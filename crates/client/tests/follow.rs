//! A watcher against a scripted server: what it asks for, and what it makes of the answers.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use client::{
    Body, BoxFuture, Client, Dynamic, Error, Followed, Request, ResourceType, Response, Transport,
    TransportError, Watcher, WatcherOptions,
};

/// A status code and the parts of a body; an `Err` breaks the connection.
type Answer = (u16, Vec<Result<String, &'static str>>);

/// Answers requests from a list and notes them.
#[derive(Default)]
struct Script {
    answers: Mutex<VecDeque<Answer>>,
    asked: Mutex<Vec<String>>,
}

impl Transport for Script {
    fn call(&self, request: Request) -> BoxFuture<'_, Result<Response, TransportError>> {
        self.asked.lock().unwrap().push(request.uri().to_string());
        let answer = self.answers.lock().unwrap().pop_front();
        Box::pin(async move {
            let Some((code, parts)) = answer else {
                return Err(TransportError { what: "the script is over".to_owned(), source: None });
            };
            let parts = parts.into_iter().map(|part| match part {
                Ok(text) => Ok(Bytes::from(text)),
                Err(what) => Err(TransportError { what: what.to_owned(), source: None }),
            });
            let body: Body = Box::pin(futures_util::stream::iter(parts.collect::<Vec<_>>()));
            Ok(http::Response::builder().status(code).body(body).unwrap())
        })
    }
}

fn object(name: &str, version: u32) -> String {
    format!(r#"{{"metadata":{{"name":"{name}","resourceVersion":"{version}"}}}}"#)
}

fn list(version: u32, next: &str, items: &[String]) -> String {
    let items = items.join(",");
    format!(r#"{{"metadata":{{"resourceVersion":"{version}","continue":"{next}"}},"items":[{items}]}}"#)
}

fn frame(kind: &str, object: &str) -> String {
    format!("{{\"type\":\"{kind}\",\"object\":{object}}}\n")
}

/// Runs a watcher until the script is over and renders what it told and asked.
async fn run(answers: Vec<(u16, Vec<Result<String, &'static str>>)>) -> String {
    let script = Arc::new(Script { answers: Mutex::new(answers.into()), ..Script::default() });
    let transport: Arc<dyn Transport> = script.clone();
    let api = Client::new(transport).all_clusters().resource(ResourceType::of_static("", "v1", "pods"), None);
    let mut watcher: Watcher<Dynamic> =
        Watcher::new(api, WatcherOptions { page: 2, ..WatcherOptions::default() });
    let mut told = String::new();
    loop {
        let name = |object: Dynamic| object.0["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        match watcher.next().await {
            Ok(Followed::Restarted) => told.push_str("restarted\n"),
            Ok(Followed::Complete) => told.push_str("complete\n"),
            Ok(Followed::Existing(it)) => writeln!(told, "existing {}", name(it)).unwrap(),
            Ok(Followed::Created(it)) => writeln!(told, "created {}", name(it)).unwrap(),
            Ok(Followed::Changed(it)) => writeln!(told, "changed {}", name(it)).unwrap(),
            Ok(Followed::Gone(it)) => writeln!(told, "gone {}", name(it)).unwrap(),
            Err(Error::Transport { source, .. }) if source.what == "the script is over" => break,
            Err(Error::Expired(_)) => told.push_str("expired\n"),
            Err(Error::Transport { .. }) => told.push_str("broken\n"),
            Err(error) => writeln!(told, "error {error}").unwrap(),
        }
    }
    for asked in script.asked.lock().unwrap().iter() {
        writeln!(told, "asked {}", asked.trim_start_matches("/clusters/*/api/v1/pods")).unwrap();
    }
    told
}

#[tokio::test(start_paused = true)]
async fn it_lists_by_pages_and_watches_from_the_snapshot() {
    let told = run(vec![
        (200, vec![Ok(list(7, "next", &[object("a", 1), object("b", 2)]))]),
        (200, vec![Ok(list(7, "", &[object("c", 3)]))]),
        (200, vec![Ok(frame("ADDED", &object("d", 8)) + &frame("DELETED", &object("a", 9)))]),
    ])
    .await;
    assert_eq!(
        told,
        "restarted\nexisting a\nexisting b\nexisting c\ncomplete\ncreated d\ngone a\n\
         asked ?limit=2\nasked ?limit=2&continue=next\n\
         asked ?watch=1&resourceVersion=7&allowWatchBookmarks=true&timeoutSeconds=300\n\
         asked ?watch=1&resourceVersion=9&allowWatchBookmarks=true&timeoutSeconds=300\n"
    );
}

#[tokio::test(start_paused = true)]
async fn a_broken_watch_goes_on_after_its_last_frame_even_when_frames_arrive_in_pieces() {
    let whole = frame("MODIFIED", &object("a", 8)) + &frame("BOOKMARK", &object("", 11));
    let (one, two) = whole.split_at(17);
    let told = run(vec![
        (200, vec![Ok(list(7, "", &[]))]),
        (200, vec![Ok(one.to_owned()), Ok(two.to_owned()), Err("cut")]),
        (200, vec![Ok(frame("MODIFIED", &object("a", 12)))]),
    ])
    .await;
    assert!(told.starts_with("restarted\ncomplete\nchanged a\nbroken\nchanged a\n"), "{told}");
    assert!(told.contains("resourceVersion=11&") && told.contains("resourceVersion=12&"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn when_history_is_gone_it_lists_again() {
    let expired = r#"{"kind":"Status","code":410,"reason":"Expired","message":"too old"}"#;
    let told = run(vec![
        (200, vec![Ok(list(7, "", &[object("a", 1)]))]),
        (200, vec![Ok(frame("ERROR", expired))]),
        (200, vec![Ok(list(20, "", &[object("b", 15)]))]),
        (410, vec![Ok(expired.to_owned())]),
        (200, vec![Ok(list(30, "", &[]))]),
    ])
    .await;
    let expected = "restarted\nexisting a\ncomplete\nexpired\nrestarted\nexisting b\ncomplete\nexpired\n\
                    restarted\ncomplete\n";
    assert!(told.starts_with(expected), "{told}");
}
