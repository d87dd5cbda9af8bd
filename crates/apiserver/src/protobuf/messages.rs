//! The fields of the messages that are read, by number. Source: `generated.proto` of `k8s.io/api` and
//! `k8s.io/apimachinery`.

/// A message.
pub(super) struct Message {
    pub(super) name: &'static str,
    pub(super) fields: &'static [Field],
}

/// A field of a message.
pub(super) struct Field {
    pub(super) number: u32,
    /// The name in JSON.
    pub(super) name: &'static str,
    pub(super) kind: Type,
    pub(super) shape: Shape,
}

/// What a field holds.
pub(super) enum Type {
    Text,
    /// Bytes, which are base 64 in JSON.
    Base64,
    Integer,
    Flag,
    /// A time with so many digits after the seconds.
    Time {
        digits: usize,
    },
    Quantity,
    /// A message that holds JSON text.
    Json,
    Message(&'static Message),
}

/// How often a field occurs.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    /// Once; empty means absent.
    Plain,
    /// Once or not at all.
    Pointer,
    List,
    Map,
}

/// The message of a kind, if it is read.
pub(super) fn of_kind(api_version: &str, kind: &str) -> Option<&'static Message> {
    Some(match (api_version, kind) {
        ("v1", "Namespace") => &NAMESPACE,
        ("v1", "ConfigMap") => &CONFIG_MAP,
        ("v1", "Secret") => &SECRET,
        ("v1", "ServiceAccount") => &SERVICE_ACCOUNT,
        ("v1", "Event") => &EVENT,
        ("v1", "PersistentVolumeClaim") => &CLAIM,
        ("v1", "Binding") => &BINDING,
        ("coordination.k8s.io/v1", "Lease") => &LEASE,
        (_, "DeleteOptions") => &DELETE_OPTIONS,
        _ => return None,
    })
}

const fn field(number: u32, name: &'static str, kind: Type, shape: Shape) -> Field {
    Field { number, name, kind, shape }
}

const fn text(number: u32, name: &'static str) -> Field {
    field(number, name, Type::Text, Shape::Plain)
}

const fn maybe_text(number: u32, name: &'static str) -> Field {
    field(number, name, Type::Text, Shape::Pointer)
}

const fn maybe_flag(number: u32, name: &'static str) -> Field {
    field(number, name, Type::Flag, Shape::Pointer)
}

const fn maybe_integer(number: u32, name: &'static str) -> Field {
    field(number, name, Type::Integer, Shape::Pointer)
}

const fn texts(number: u32, name: &'static str) -> Field {
    field(number, name, Type::Text, Shape::List)
}

const fn text_map(number: u32, name: &'static str) -> Field {
    field(number, name, Type::Text, Shape::Map)
}

const fn part(number: u32, name: &'static str, message: &'static Message) -> Field {
    field(number, name, Type::Message(message), Shape::Plain)
}

const fn parts(number: u32, name: &'static str, message: &'static Message) -> Field {
    field(number, name, Type::Message(message), Shape::List)
}

const fn time(number: u32, name: &'static str) -> Field {
    field(number, name, Type::Time { digits: 0 }, Shape::Plain)
}

const fn micro_time(number: u32, name: &'static str) -> Field {
    field(number, name, Type::Time { digits: 6 }, Shape::Plain)
}

static METADATA: Message = Message {
    name: "ObjectMeta",
    fields: &[
        text(1, "name"),
        text(2, "generateName"),
        text(3, "namespace"),
        text(4, "selfLink"),
        text(5, "uid"),
        text(6, "resourceVersion"),
        field(7, "generation", Type::Integer, Shape::Plain),
        time(8, "creationTimestamp"),
        time(9, "deletionTimestamp"),
        maybe_integer(10, "deletionGracePeriodSeconds"),
        text_map(11, "labels"),
        text_map(12, "annotations"),
        parts(13, "ownerReferences", &OWNER_REFERENCE),
        texts(14, "finalizers"),
        parts(17, "managedFields", &MANAGED_FIELDS),
    ],
};

static OWNER_REFERENCE: Message = Message {
    name: "OwnerReference",
    fields: &[
        text(1, "kind"),
        text(3, "name"),
        text(4, "uid"),
        text(5, "apiVersion"),
        maybe_flag(6, "controller"),
        maybe_flag(7, "blockOwnerDeletion"),
    ],
};

static MANAGED_FIELDS: Message = Message {
    name: "ManagedFieldsEntry",
    fields: &[
        text(1, "manager"),
        text(2, "operation"),
        text(3, "apiVersion"),
        time(4, "time"),
        text(6, "fieldsType"),
        field(7, "fieldsV1", Type::Json, Shape::Pointer),
        text(8, "subresource"),
    ],
};

static NAMESPACE: Message = Message {
    name: "Namespace",
    fields: &[
        part(1, "metadata", &METADATA),
        part(2, "spec", &NAMESPACE_SPEC),
        part(3, "status", &NAMESPACE_STATUS),
    ],
};

static NAMESPACE_SPEC: Message = Message { name: "NamespaceSpec", fields: &[texts(1, "finalizers")] };

static NAMESPACE_STATUS: Message = Message {
    name: "NamespaceStatus",
    fields: &[text(1, "phase"), parts(2, "conditions", &NAMESPACE_CONDITION)],
};

static NAMESPACE_CONDITION: Message = Message {
    name: "NamespaceCondition",
    fields: &[
        text(1, "type"),
        text(2, "status"),
        time(4, "lastTransitionTime"),
        text(5, "reason"),
        text(6, "message"),
    ],
};

static CONFIG_MAP: Message = Message {
    name: "ConfigMap",
    fields: &[
        part(1, "metadata", &METADATA),
        text_map(2, "data"),
        field(3, "binaryData", Type::Base64, Shape::Map),
        maybe_flag(4, "immutable"),
    ],
};

static SECRET: Message = Message {
    name: "Secret",
    fields: &[
        part(1, "metadata", &METADATA),
        field(2, "data", Type::Base64, Shape::Map),
        text(3, "type"),
        text_map(4, "stringData"),
        maybe_flag(5, "immutable"),
    ],
};

static SERVICE_ACCOUNT: Message = Message {
    name: "ServiceAccount",
    fields: &[
        part(1, "metadata", &METADATA),
        parts(2, "secrets", &OBJECT_REFERENCE),
        parts(3, "imagePullSecrets", &LOCAL_REFERENCE),
        maybe_flag(4, "automountServiceAccountToken"),
    ],
};

static LOCAL_REFERENCE: Message = Message { name: "LocalObjectReference", fields: &[text(1, "name")] };

static OBJECT_REFERENCE: Message = Message {
    name: "ObjectReference",
    fields: &[
        text(1, "kind"),
        text(2, "namespace"),
        text(3, "name"),
        text(4, "uid"),
        text(5, "apiVersion"),
        text(6, "resourceVersion"),
        text(7, "fieldPath"),
    ],
};

static EVENT: Message = Message {
    name: "Event",
    fields: &[
        part(1, "metadata", &METADATA),
        part(2, "involvedObject", &OBJECT_REFERENCE),
        text(3, "reason"),
        text(4, "message"),
        part(5, "source", &EVENT_SOURCE),
        time(6, "firstTimestamp"),
        time(7, "lastTimestamp"),
        field(8, "count", Type::Integer, Shape::Plain),
        text(9, "type"),
        micro_time(10, "eventTime"),
        part(11, "series", &EVENT_SERIES),
        text(12, "action"),
        part(13, "related", &OBJECT_REFERENCE),
        text(14, "reportingComponent"),
        text(15, "reportingInstance"),
    ],
};

static EVENT_SOURCE: Message =
    Message { name: "EventSource", fields: &[text(1, "component"), text(2, "host")] };

static EVENT_SERIES: Message = Message {
    name: "EventSeries",
    fields: &[field(1, "count", Type::Integer, Shape::Plain), micro_time(2, "lastObservedTime")],
};

static CLAIM: Message = Message {
    name: "PersistentVolumeClaim",
    fields: &[part(1, "metadata", &METADATA), part(2, "spec", &CLAIM_SPEC), part(3, "status", &CLAIM_STATUS)],
};

static CLAIM_SPEC: Message = Message {
    name: "PersistentVolumeClaimSpec",
    fields: &[
        texts(1, "accessModes"),
        part(2, "resources", &CLAIM_RESOURCES),
        text(3, "volumeName"),
        field(4, "selector", Type::Message(&LABEL_SELECTOR), Shape::Pointer),
        maybe_text(5, "storageClassName"),
        maybe_text(6, "volumeMode"),
    ],
};

static CLAIM_RESOURCES: Message = Message {
    name: "VolumeResourceRequirements",
    fields: &[
        field(1, "limits", Type::Quantity, Shape::Map),
        field(2, "requests", Type::Quantity, Shape::Map),
    ],
};

static CLAIM_STATUS: Message = Message {
    name: "PersistentVolumeClaimStatus",
    fields: &[text(1, "phase"), texts(2, "accessModes"), field(3, "capacity", Type::Quantity, Shape::Map)],
};

static LABEL_SELECTOR: Message = Message {
    name: "LabelSelector",
    fields: &[text_map(1, "matchLabels"), parts(2, "matchExpressions", &LABEL_REQUIREMENT)],
};

static LABEL_REQUIREMENT: Message = Message {
    name: "LabelSelectorRequirement",
    fields: &[text(1, "key"), text(2, "operator"), texts(3, "values")],
};

static BINDING: Message = Message {
    name: "Binding",
    fields: &[part(1, "metadata", &METADATA), part(2, "target", &OBJECT_REFERENCE)],
};

static LEASE: Message =
    Message { name: "Lease", fields: &[part(1, "metadata", &METADATA), part(2, "spec", &LEASE_SPEC)] };

static LEASE_SPEC: Message = Message {
    name: "LeaseSpec",
    fields: &[
        maybe_text(1, "holderIdentity"),
        maybe_integer(2, "leaseDurationSeconds"),
        micro_time(3, "acquireTime"),
        micro_time(4, "renewTime"),
        maybe_integer(5, "leaseTransitions"),
        maybe_text(6, "strategy"),
        maybe_text(7, "preferredHolder"),
    ],
};

static DELETE_OPTIONS: Message = Message {
    name: "DeleteOptions",
    fields: &[
        maybe_integer(1, "gracePeriodSeconds"),
        part(2, "preconditions", &PRECONDITIONS),
        maybe_flag(3, "orphanDependents"),
        maybe_text(4, "propagationPolicy"),
        texts(5, "dryRun"),
    ],
};

static PRECONDITIONS: Message =
    Message { name: "Preconditions", fields: &[maybe_text(1, "uid"), maybe_text(2, "resourceVersion")] };
