//! The small served kinds: namespaces, configuration, accounts, events, claims, leases, bindings. Pods are in
//! [`super::pod`]. Source: the protobuf definitions of `k8s.io/api`.
//! Invariant: names and numbers are those of the protocol, which never change once published.

use super::meta::{LABEL_SELECTOR, OBJECT_META};
use crate::protobuf::shape::messages;

messages! {
    NAMESPACE_SPEC: 1 finalizers [text];

    NAMESPACE_CONDITION: 1 type text=0, 2 status text=0, 4 lastTransitionTime time, 5 reason text,
        6 message text;

    NAMESPACE_STATUS: 1 phase text, 2 conditions [NAMESPACE_CONDITION];

    NAMESPACE: 1 metadata OBJECT_META, 2 spec NAMESPACE_SPEC, 3 status NAMESPACE_STATUS;

    CONFIG_MAP: 1 metadata OBJECT_META, 2 data {text}, 3 binaryData {bytes}, 4 immutable bool=0;

    SECRET: 1 metadata OBJECT_META, 2 data {bytes}, 3 type text, 4 stringData {text}, 5 immutable bool=0;

    OBJECT_REFERENCE: 1 kind text, 2 namespace text, 3 name text, 4 uid text, 5 apiVersion text,
        6 resourceVersion text, 7 fieldPath text;

    LOCAL_OBJECT_REFERENCE: 1 name text;

    SERVICE_ACCOUNT: 1 metadata OBJECT_META, 2 secrets [OBJECT_REFERENCE],
        3 imagePullSecrets [LOCAL_OBJECT_REFERENCE], 4 automountServiceAccountToken bool=0;

    EVENT_SOURCE: 1 component text, 2 host text;

    EVENT_SERIES: 1 count int, 2 lastObservedTime micro_time;

    EVENT: 1 metadata OBJECT_META, 2 involvedObject OBJECT_REFERENCE, 3 reason text, 4 message text,
        5 source EVENT_SOURCE, 6 firstTimestamp time, 7 lastTimestamp time, 8 count int, 9 type text,
        10 eventTime micro_time, 11 series EVENT_SERIES, 12 action text, 13 related OBJECT_REFERENCE,
        14 reportingComponent text=0, 15 reportingInstance text=0;

    VOLUME_RESOURCE_REQUIREMENTS: 1 limits {quantity}, 2 requests {quantity};

    TYPED_LOCAL_OBJECT_REFERENCE: 1 apiGroup text=0, 2 kind text=0, 3 name text=0;

    TYPED_OBJECT_REFERENCE: 1 apiGroup text=0, 2 kind text=0, 3 name text=0, 4 namespace text=0;

    PERSISTENT_VOLUME_CLAIM_SPEC: 1 accessModes [text], 2 resources VOLUME_RESOURCE_REQUIREMENTS,
        3 volumeName text, 4 selector LABEL_SELECTOR, 5 storageClassName text=0, 6 volumeMode text=0,
        7 dataSource TYPED_LOCAL_OBJECT_REFERENCE, 8 dataSourceRef TYPED_OBJECT_REFERENCE,
        9 volumeAttributesClassName text=0;

    PERSISTENT_VOLUME_CLAIM_CONDITION: 1 type text=0, 2 status text=0, 3 lastProbeTime time,
        4 lastTransitionTime time, 5 reason text, 6 message text;

    MODIFY_VOLUME_STATUS: 1 targetVolumeAttributesClassName text, 2 status text=0;

    VOLUME_HEALTH_CONDITION: 1 status text=0, 2 reason text=0, 3 message text;

    VOLUME_HEALTH_STATUS: 1 healthConditions [VOLUME_HEALTH_CONDITION], 2 lastTransitionTime time;

    PERSISTENT_VOLUME_CLAIM_STATUS: 1 phase text, 2 accessModes [text], 3 capacity {quantity},
        4 conditions [PERSISTENT_VOLUME_CLAIM_CONDITION], 5 allocatedResources {quantity},
        7 allocatedResourceStatuses {text}, 8 currentVolumeAttributesClassName text=0,
        9 modifyVolumeStatus MODIFY_VOLUME_STATUS, 10 healthStatus VOLUME_HEALTH_STATUS;

    PERSISTENT_VOLUME_CLAIM: 1 metadata OBJECT_META, 2 spec PERSISTENT_VOLUME_CLAIM_SPEC,
        3 status PERSISTENT_VOLUME_CLAIM_STATUS;

    BINDING: 1 metadata OBJECT_META, 2 target OBJECT_REFERENCE;

    EVENTS_EVENT_SERIES: 1 count int=0, 2 lastObservedTime micro_time;

    EVENTS_EVENT: 1 metadata OBJECT_META, 2 eventTime micro_time, 3 series EVENTS_EVENT_SERIES,
        4 reportingController text, 5 reportingInstance text, 6 action text, 7 reason text,
        8 regarding OBJECT_REFERENCE, 9 related OBJECT_REFERENCE, 10 note text, 11 type text,
        12 deprecatedSource EVENT_SOURCE, 13 deprecatedFirstTimestamp time, 14 deprecatedLastTimestamp time,
        15 deprecatedCount int;

    LEASE_SPEC: 1 holderIdentity text=0, 2 leaseDurationSeconds int=0, 3 acquireTime micro_time,
        4 renewTime micro_time, 5 leaseTransitions int=0, 6 strategy text=0, 7 preferredHolder text=0;

    LEASE: 1 metadata OBJECT_META, 2 spec LEASE_SPEC;
}
