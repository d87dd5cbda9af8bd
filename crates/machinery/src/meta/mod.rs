//! Object metadata as every verb needs it: reading and writing fields, names, what counts as a change.
//! Works on `Value`; typed metadata is `k8s-openapi`'s. Never decides who may write what.
//! Invariant: a reader never panics on a malformed object; a field of the wrong type reads as absent.
//! Start at [`fields`] for access, [`names`] for what a name may be, [`validate`] for whole-metadata checks.

mod fields;
mod names;
mod validate;

pub use fields::{
    OwnerReference, annotation, annotations, api_version, finalizers, get, kind, labels, list, name,
    namespace, owner_references, remove, resource_version, set, set_annotation, set_label, spec_changed,
    text, uid,
};
pub use names::{
    GENERATED_SUFFIX_LEN, NameRule, dns1123_label, dns1123_subdomain, generated_name, label_value,
    qualified_name,
};
pub use validate::{ANNOTATIONS_BYTES_MAX, validate, validate_update};
