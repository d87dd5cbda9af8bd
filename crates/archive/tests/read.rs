//! Reading and following logs, as the Pod `log` subresource needs it.

use std::path::PathBuf;

use archive::record::Stream;
use archive::{LogKey, LogStore, LogStream, LogWriter, ReadOptions};
use futures_util::StreamExt as _;
use types::ClusterId;

const TIMES: [&str; 4] =
    ["2026-01-01T00:00:01Z", "2026-01-01T00:00:02Z", "2026-01-01T00:00:03Z", "2026-01-01T00:00:04Z"];

fn key() -> LogKey {
    LogKey {
        cluster: ClusterId::root(),
        namespace: "default".to_owned(),
        pod: "hello-pod".to_owned(),
        pod_uid: "uid".to_owned(),
        container: "step-hello".to_owned(),
    }
}

struct Fixture {
    _directory: tempfile::TempDir,
    store: LogStore,
    path: PathBuf,
}

fn fixture() -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    let store = LogStore::open(directory.path()).unwrap();
    let path = store.path(&key()).unwrap();
    Fixture { _directory: directory, store, path }
}

fn write(writer: &mut LogWriter, text: &str, time: &str) {
    writer.write(Stream::Stdout, text.as_bytes(), time.parse().unwrap()).unwrap();
}

async fn text(mut stream: LogStream) -> String {
    let mut out = Vec::new();
    while let Some(part) = stream.next().await {
        out.extend_from_slice(&part.unwrap());
    }
    String::from_utf8(out).unwrap()
}

#[tokio::test]
async fn options_choose_what_is_shown() {
    let fixture = fixture();
    let mut writer = LogWriter::create(&fixture.path).unwrap();
    for (line, time) in ["one\n", "two\n", "three\n", "four"].iter().zip(TIMES) {
        write(&mut writer, line, time);
    }
    writer.end(TIMES[3].parse().unwrap()).unwrap();

    let options = ReadOptions::default;
    let since = TIMES[2].parse().ok();
    for (options, expected) in [
        (options(), "one\ntwo\nthree\nfour"),
        (ReadOptions { follow: true, ..options() }, "one\ntwo\nthree\nfour"),
        (ReadOptions { tail_lines: Some(0), ..options() }, ""),
        (ReadOptions { tail_lines: Some(1), ..options() }, "four"),
        (ReadOptions { tail_lines: Some(2), ..options() }, "three\nfour"),
        (ReadOptions { tail_lines: Some(9), ..options() }, "one\ntwo\nthree\nfour"),
        (ReadOptions { since, ..options() }, "three\nfour"),
        (ReadOptions { limit_bytes: Some(6), ..options() }, "one\ntw"),
        (
            ReadOptions { timestamps: true, tail_lines: Some(1), ..options() },
            "2026-01-01T00:00:04.000000000Z four",
        ),
    ] {
        let stream = fixture.store.read(&key(), options.clone()).unwrap();
        assert_eq!(text(stream).await, expected, "{options:?}");
    }
}

#[tokio::test]
async fn a_long_log_is_tailed_from_its_end() {
    let fixture = fixture();
    let mut writer = LogWriter::create(&fixture.path).unwrap();
    for number in 0..20_000 {
        write(&mut writer, &format!("line {number}\n"), TIMES[0]);
    }
    let options = ReadOptions { tail_lines: Some(10_000), ..ReadOptions::default() };
    let shown = text(fixture.store.read(&key(), options).unwrap()).await;
    assert_eq!(shown.lines().count(), 10_000);
    assert!(shown.starts_with("line 10000\n") && shown.ends_with("line 19999\n"));
}

#[tokio::test]
async fn a_follower_may_come_before_the_log_and_sees_all_of_it() {
    let fixture = fixture();
    let options = ReadOptions { follow: true, ..ReadOptions::default() };
    let mut stream = fixture.store.read(&key(), options).unwrap();
    let mut seen = String::new();
    let writing = async {
        tokio::task::yield_now().await;
        let mut writer = LogWriter::create(&fixture.path).unwrap();
        for (line, time) in ["one\n", "tw", "o\n"].iter().zip(TIMES) {
            write(&mut writer, line, time);
            tokio::task::yield_now().await;
        }
        writer.end(TIMES[3].parse().unwrap()).unwrap();
    };
    let reading = async {
        while let Some(part) = stream.next().await {
            seen.push_str(std::str::from_utf8(&part.unwrap()).unwrap());
        }
    };
    tokio::join!(writing, reading);
    assert_eq!(seen, "one\ntwo\n");
}

#[tokio::test]
async fn a_log_that_does_not_exist_is_an_error_unless_followed() {
    let fixture = fixture();
    let Err(error) = fixture.store.read(&key(), ReadOptions::default()) else { panic!("it was read") };
    assert_eq!(error.to_string(), "there is no log of container `step-hello` of Pod `hello-pod`");
}
