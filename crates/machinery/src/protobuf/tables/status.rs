//! The status of Pods. Source: the protobuf definitions of `k8s.io/api`.
//! Invariant: names and numbers are those of the protocol, which never change once published.

use super::container::RESOURCE_REQUIREMENTS;
use super::objects::VOLUME_HEALTH_CONDITION;
use crate::protobuf::shape::messages;

messages! {
    POD_CONDITION: 1 type text=0, 2 status text=0, 3 lastProbeTime time, 4 lastTransitionTime time,
        5 reason text, 6 message text, 7 observedGeneration int;

    CONTAINER_STATE_WAITING: 1 reason text, 2 message text;

    CONTAINER_STATE_RUNNING: 1 startedAt time;

    CONTAINER_STATE_TERMINATED: 1 exitCode int=0, 2 signal int, 3 reason text, 4 message text,
        5 startedAt time, 6 finishedAt time, 7 containerID text;

    CONTAINER_STATE: 1 waiting CONTAINER_STATE_WAITING, 2 running CONTAINER_STATE_RUNNING,
        3 terminated CONTAINER_STATE_TERMINATED;

    IMAGE_VOLUME_STATUS: 1 imageRef text;

    VOLUME_STATUS: 1 image IMAGE_VOLUME_STATUS;

    VOLUME_MOUNT_STATUS: 1 name text=0, 2 mountPath text=0, 3 readOnly bool, 4 recursiveReadOnly text=0,
        5 volumeStatus VOLUME_STATUS;

    LINUX_CONTAINER_USER: 1 uid int=0, 2 gid int=0, 3 supplementalGroups [int];

    CONTAINER_USER: 1 linux LINUX_CONTAINER_USER;

    RESOURCE_HEALTH: 1 resourceID text=0, 2 health text, 6 message text=0;

    RESOURCE_STATUS: 1 name text=0, 2 resources [RESOURCE_HEALTH];

    CONTAINER_STATUS: 1 name text=0, 2 state CONTAINER_STATE, 3 lastState CONTAINER_STATE, 4 ready bool=0,
        5 restartCount int=0, 6 image text=0, 7 imageID text=0, 8 containerID text, 9 started bool=0,
        10 allocatedResources {quantity}, 11 resources RESOURCE_REQUIREMENTS,
        12 volumeMounts [VOLUME_MOUNT_STATUS], 13 user CONTAINER_USER,
        14 allocatedResourcesStatus [RESOURCE_STATUS], 15 stopSignal text=0;

    POD_IP: 1 ip text=0;

    POD_RESOURCE_CLAIM_STATUS: 1 name text=0, 2 resourceClaimName text=0;

    HOST_IP: 1 ip text=0;

    CONTAINER_EXTENDED_RESOURCE_REQUEST: 1 containerName text=0, 2 resourceName text=0, 3 requestName text=0;

    POD_EXTENDED_RESOURCE_CLAIM_STATUS: 1 requestMappings [CONTAINER_EXTENDED_RESOURCE_REQUEST],
        2 resourceClaimName text=0;

    NODE_ALLOCATABLE_MAPPED_RESOURCES: 1 name text=0, 2 quantity quantity;

    NODE_ALLOCATABLE_OVERHEAD_RESOURCES: 1 name text=0, 2 perPod quantity, 3 perContainer quantity;

    NODE_ALLOCATABLE_RESOURCE_CLAIM_STATUS: 1 resourceClaimName text=0, 2 containers [text],
        4 mapping [NODE_ALLOCATABLE_MAPPED_RESOURCES], 5 overhead [NODE_ALLOCATABLE_OVERHEAD_RESOURCES];

    POD_VOLUME_HEALTH: 1 name text=0, 2 healthConditions [VOLUME_HEALTH_CONDITION],
        3 lastTransitionTime time;

    POD_STATUS: 1 phase text, 2 conditions [POD_CONDITION], 3 message text, 4 reason text, 5 hostIP text,
        6 podIP text, 7 startTime time, 8 containerStatuses [CONTAINER_STATUS], 9 qosClass text,
        10 initContainerStatuses [CONTAINER_STATUS], 11 nominatedNodeName text, 12 podIPs [POD_IP],
        13 ephemeralContainerStatuses [CONTAINER_STATUS], 14 resize text,
        15 resourceClaimStatuses [POD_RESOURCE_CLAIM_STATUS], 16 hostIPs [HOST_IP],
        17 observedGeneration int, 18 extendedResourceClaimStatus POD_EXTENDED_RESOURCE_CLAIM_STATUS,
        19 allocatedResources {quantity}, 20 resources RESOURCE_REQUIREMENTS,
        21 nodeAllocatableResourceClaimStatuses [NODE_ALLOCATABLE_RESOURCE_CLAIM_STATUS],
        22 volumeHealth [POD_VOLUME_HEALTH];
}
