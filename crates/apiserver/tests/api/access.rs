//! Who may do what: everything of the table is tried without rights, and with them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use apiserver::Service;
use bytes::Bytes;
use expect_test::expect_file;
use http::Request;
use policy::Identity;

use crate::world::{World, admin};

/// Method and URL of every route that the table makes, and of the fixed ones.
fn routes() -> Vec<(&'static str, String)> {
    let mut routes: Vec<(&'static str, String)> = [
        "/",
        "/livez",
        "/readyz",
        "/healthz",
        "/version",
        "/api",
        "/apis",
        "/api/v1",
        "/apis/tekton.dev",
        "/apis/tekton.dev/v1",
        "/openapi/v2",
        "/openapi/v3",
        "/openapi/v3/apis/tekton.dev/v1",
    ]
    .map(|path| ("GET", path.to_owned()))
    .into();
    for row in api::resources() {
        for version in row.versions {
            let root = if row.group.is_empty() {
                format!("/clusters/root/api/{}", version.name)
            } else {
                format!("/clusters/root/apis/{}/{}", row.group, version.name)
            };
            let collection = if row.namespaced {
                format!("{root}/namespaces/default/{}", row.plural)
            } else {
                format!("{root}/{}", row.plural)
            };
            if row.namespaced {
                routes.push(("GET", format!("{root}/{}", row.plural)));
            }
            for method in ["GET", "POST", "DELETE"] {
                routes.push((method, collection.clone()));
            }
            let object = format!("{collection}/x");
            for method in ["GET", "PUT", "PATCH", "DELETE"] {
                routes.push((method, object.clone()));
            }
            routes.push(("GET", format!("{object}?watch=true")));
            if row.status_subresource {
                for method in ["GET", "PUT", "PATCH"] {
                    routes.push((method, format!("{object}/status")));
                }
            }
        }
    }
    routes.push(("GET", "/clusters/root/api/v1/namespaces/default/pods/x/log".to_owned()));
    routes.push(("POST", "/clusters/root/api/v1/namespaces/default/pods/x/binding".to_owned()));
    routes.push(("PUT", "/clusters/root/api/v1/namespaces/x/finalize".to_owned()));
    routes
}

async fn code(service: &Service, who: &Identity, method: &str, path: &str) -> u16 {
    let request = Request::builder().method(method).uri(path).body(Bytes::new()).unwrap();
    service.handle(who, request).await.status().as_u16()
}

/// A new route appears in this file, with what strangers get there, or the test fails.
#[tokio::test]
async fn every_route_was_tried_without_rights() {
    let world = World::new();
    let stranger = Identity { user: "stranger".to_owned(), groups: vec!["system:authenticated".to_owned()] };
    let mut text = String::from("anonymous stranger route\n");
    for (method, path) in routes() {
        let nobody = code(&world.service, &Identity::anonymous(), method, &path).await;
        let stranger = code(&world.service, &stranger, method, &path).await;
        let open = !path.starts_with("/clusters");
        assert!(open || (nobody == 403 && stranger == 403), "{method} {path} is open: {nobody} {stranger}");
        let _ = writeln!(text, "{nobody} {stranger} {method} {path}");
    }
    expect_file!["routes.golden"].assert_eq(&text);
}

/// Absent things look to strangers as forbidden ones do.
#[tokio::test]
async fn strangers_cannot_tell_what_exists() {
    let world = World::new();
    for path in [
        "/clusters/root:none/api/v1/namespaces",
        "/clusters/0123456789abcdef/api/v1/namespaces",
        "/clusters/root/apis/none.example/v1/things",
        "/clusters/*/api/v1/configmaps",
    ] {
        assert_eq!(code(&world.service, &Identity::anonymous(), "GET", path).await, 403, "{path}");
    }
    let path = "/clusters/root:none/apis";
    assert_eq!(code(&world.service, &Identity::anonymous(), "GET", path).await, 200, "{path}");
}

/// Role, resource and verb: who is allowed, for everything in the table.
#[tokio::test]
async fn roles_may_do_what_the_golden_says() {
    let roles = [
        ("system:masters", admin()),
        ("authenticated", Identity { user: "u".to_owned(), groups: vec!["system:authenticated".to_owned()] }),
        ("anonymous", Identity::anonymous()),
    ];
    let verbs = [
        policy::Verb::Get,
        policy::Verb::List,
        policy::Verb::Watch,
        policy::Verb::Create,
        policy::Verb::Update,
        policy::Verb::Patch,
        policy::Verb::Delete,
        policy::Verb::DeleteCollection,
    ];
    let mut text = String::new();
    for (role, identity) in &roles {
        for row in api::resources() {
            let mut allowed: BTreeMap<&str, bool> = BTreeMap::new();
            for verb in verbs {
                let target = policy::Target {
                    scope: policy::Scope::Cluster(types::ClusterId::root()),
                    resource: types::GroupResource {
                        group: row.group.to_owned(),
                        resource: row.plural.to_owned(),
                    },
                    subresource: String::new(),
                    namespace: if row.namespaced { "default".to_owned() } else { String::new() },
                    name: String::new(),
                };
                let attributes = policy::Attributes { verb, target };
                allowed.insert(verb.as_str(), policy::allow(identity, attributes).is_ok());
            }
            let yes: Vec<&str> = allowed.iter().filter(|(_, yes)| **yes).map(|(verb, _)| *verb).collect();
            let yes = if yes.is_empty() { "nothing".to_owned() } else { yes.join(",") };
            let name = if row.group.is_empty() {
                row.plural.to_owned()
            } else {
                format!("{}.{}", row.plural, row.group)
            };
            let _ = writeln!(text, "{role} {name} {yes}");
        }
    }
    expect_file!["roles.golden"].assert_eq(&text);
}
