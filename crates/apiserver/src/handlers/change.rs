//! Changes of one object: read, change, admit, write if nobody else did meanwhile, else once more.
//! Invariant: a change that changes nothing writes nothing.

use bytes::Bytes;
use http::{Response, StatusCode};
use machinery::apply::{self, Writer};
use machinery::meta;
use machinery::status::{MODIFIED, Reason, StatusError};
use serde_json::Value;
use store::{Entry, Expect};

use super::{create, input, output};
use crate::body::Body;
use crate::encode::Stored;
use crate::registry::{Change, Written};
use crate::respond::Refusal;
use crate::router::{Call, Place};
use crate::strategy::{self, Part};
use crate::{errors, tenancy};

/// How often a change is tried anew when others write the same object. Each failure is another's success.
const ATTEMPTS_MAX: usize = 64;

/// The object as it stands.
pub(super) struct Current {
    pub(super) entry: Entry,
    /// In the stored version, without what is added on read.
    pub(super) stored: Value,
}

impl Current {
    fn of(entry: Entry) -> Result<Self, StatusError> {
        let stored =
            serde_json::from_slice(&entry.value).map_err(|error| errors::internal(&error.to_string()))?;
        Ok(Self { entry, stored })
    }
}

/// What a change wants the object to be.
pub(super) struct Wanted {
    /// In the request's version, pruned and defaulted.
    pub(super) object: Value,
    /// Whether its managed fields are right already.
    pub(super) managed: bool,
}

/// Changes an object by a function of what it is.
pub(super) async fn change(
    call: &Call<'_>,
    place: &Place<'_>,
    part: Part,
    make: &(dyn Fn(&Current) -> Result<Wanted, Refusal> + Sync),
) -> Result<Response<Body>, Refusal> {
    let gone = || StatusError::not_found(&place.kind().resource, place.name());
    let mut entry = call.inner.registry.get(&place.grant, place.kind()).await?.ok_or_else(gone)?;
    for _ in 0..ATTEMPTS_MAX {
        let current = Current::of(entry)?;
        let wanted = make(&current)?;
        check_preconditions(place, &current, &wanted.object)?;
        let new = prepare(call, place, part, &current, wanted)?;
        match write(call, place, &current, new).await? {
            Step::Done(response) => return Ok(response),
            Step::Overtaken(Some(other)) => entry = other,
            Step::Overtaken(None) => return Err(gone().into()),
        }
    }
    Err(StatusError::conflict(&place.kind().resource, place.name(), MODIFIED).into())
}

enum Step {
    Done(Response<Body>),
    Overtaken(Option<Entry>),
}

/// The resource version and the uid that the client wrote must be those of the object.
fn check_preconditions(place: &Place<'_>, current: &Current, object: &Value) -> Result<(), StatusError> {
    let conflict = |why: &str| StatusError::conflict(&place.kind().resource, place.name(), why);
    let version = meta::resource_version(object);
    if !version.is_empty() && version != "0" && version != current.entry.modified.to_string() {
        if types::Revision::parse(version).is_err() {
            return Err(StatusError::new(
                Reason::Invalid,
                format!(
                    "metadata.resourceVersion: Invalid value: {version:?}: must be the number that the server gave"
                ),
            ));
        }
        return Err(conflict(MODIFIED));
    }
    let (uid, is) = (meta::uid(object), meta::uid(&current.stored));
    if !uid.is_empty() && uid != is {
        return Err(conflict(&format!(
            "Precondition failed: UID in precondition: {uid}, UID in object meta: {is}"
        )));
    }
    Ok(())
}

/// The whole new object in the stored version, admitted.
fn prepare(
    call: &Call<'_>,
    place: &Place<'_>,
    part: Part,
    current: &Current,
    wanted: Wanted,
) -> Result<Value, Refusal> {
    let kind = place.kind();
    let old = &current.stored;
    let mut new = strategy::carry_over(kind, part, place.served.stored_form(wanted.object)?, old);
    (kind.storage.default)(&mut new);
    if kind.is(tenancy::TENANCY_GROUP, "workspaces") {
        tenancy::keep_placement(&mut new, old);
    }
    if new == *old {
        return Ok(new);
    }
    let name = place.name();
    let mut wrong = meta::validate(&new, create::name_rule(kind), kind.row.namespaced);
    wrong.extend(meta::validate_update(&new, old));
    if !wrong.is_empty() {
        return Err(errors::invalid(kind, name, &wrong).into());
    }
    if meta::spec_changed(old, &new, true) {
        // What did not change is not refused again.
        let schema = place.served.schema()?;
        let wrong = if place.served.is_stored_form() {
            schema.validate(&new)
        } else {
            schema.validate(&place.served.served_form(new.clone())?)
        };
        if !wrong.is_empty() {
            return Err(errors::invalid(kind, name, &wrong).into());
        }
    }
    if part == Part::Main && meta::spec_changed(old, &new, false) {
        create::rules(kind, &new, Some(old))?;
    }
    if !wanted.managed {
        let time = call.inner.now_seconds();
        let writer = input::writer(call, place, part.subresource(), &time)?;
        track(place, Some(old), &mut new, &writer)?;
    }
    Ok(new)
}

/// Records who owns which field after a write. Both objects are in the stored version.
pub(super) fn track(
    place: &Place<'_>,
    old: Option<&Value>,
    new: &mut Value,
    writer: &Writer<'_>,
) -> Result<(), StatusError> {
    let served = place.served;
    if served.is_stored_form() {
        apply::track_update(served.kind, old, new, writer);
        return Ok(());
    }
    let old = old.map(|old| served.served_form(old.clone())).transpose()?;
    let mut view = served.served_form(new.clone())?;
    apply::track_update(served.kind, old.as_ref(), &mut view, writer);
    match meta::remove(&mut view, &["metadata", "managedFields"]) {
        Some(managed) => meta::set(new, &["metadata", "managedFields"], managed),
        None => drop(meta::remove(new, &["metadata", "managedFields"])),
    }
    Ok(())
}

async fn write(call: &Call<'_>, place: &Place<'_>, current: &Current, new: Value) -> Result<Step, Refusal> {
    let entry = &current.entry;
    if new == current.stored {
        return Ok(Step::Done(output::entry(call, place, StatusCode::OK, entry)?));
    }
    let value = Bytes::from(serde_json::to_vec(&new).map_err(|error| errors::internal(&error.to_string()))?);
    let goes = strategy::may_go(place.kind(), &new);
    if call.query.dry_run()? {
        let response = output::dry(call, place, StatusCode::OK, &value, Some(entry.modified))?;
        return Ok(Step::Done(response));
    }
    let change = Change {
        name: place.name().to_owned(),
        expect: Expect::ModifiedAt(entry.modified),
        value: (!goes).then(|| value.clone()),
        also_expect: Vec::new(),
        also: Vec::new(),
    };
    match call.inner.registry.commit(&place.grant, place.kind(), change).await? {
        Written::At(revision) => {
            if goes {
                super::delete::after(call, place);
            }
            let cluster = place.cluster().map_or("", |cluster| cluster.as_str());
            let item = Stored { value: &value, revision, cluster };
            Ok(Step::Done(output::stored(call, place, StatusCode::OK, item)?))
        }
        Written::Other(other) => Ok(Step::Overtaken(other)),
        Written::OtherKey => Err(errors::internal("a change depended on another object").into()),
    }
}
