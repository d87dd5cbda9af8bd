//! What all objects share: `ObjectMeta`, selectors, `DeleteOptions`, and the messages behind times, quantities and
//! `IntOrString`. Source: the protobuf definitions of `k8s.io/apimachinery`.
//! Invariant: names and numbers are those of the protocol, which never change once published.

use crate::protobuf::shape::messages;

messages! {
    TIMESTAMP: 1 seconds int=0, 2 nanos int=0;

    QUANTITY: 1 string text;

    INT_OR_STRING: 1 type int=0, 2 intVal int=0, 3 strVal text=0;

    OWNER_REFERENCE: 1 kind text=0, 3 name text=0, 4 uid text=0, 5 apiVersion text=0, 6 controller bool=0,
        7 blockOwnerDeletion bool=0;

    MANAGED_FIELDS_ENTRY: 1 manager text, 2 operation text, 3 apiVersion text, 4 time time,
        6 fieldsType text, 7 fieldsV1 fields_v1, 8 subresource text;

    OBJECT_META: 1 name text, 2 generateName text, 3 namespace text, 4 selfLink text, 5 uid text,
        6 resourceVersion text, 7 generation int, 8 creationTimestamp time, 9 deletionTimestamp time,
        10 deletionGracePeriodSeconds int=0, 11 labels {text}, 12 annotations {text},
        13 ownerReferences [OWNER_REFERENCE], 14 finalizers [text], 17 managedFields [MANAGED_FIELDS_ENTRY];

    LABEL_SELECTOR_REQUIREMENT: 1 key text=0, 2 operator text=0, 3 values [text];

    LABEL_SELECTOR: 1 matchLabels {text}, 2 matchExpressions [LABEL_SELECTOR_REQUIREMENT];

    PRECONDITIONS: 1 uid text=0, 2 resourceVersion text=0;

    DELETE_OPTIONS: 1 gracePeriodSeconds int=0, 2 preconditions PRECONDITIONS, 3 orphanDependents bool=0,
        4 propagationPolicy text=0, 5 dryRun [text],
        6 ignoreStoreReadErrorWithClusterBreakingPotential bool=0;
}
