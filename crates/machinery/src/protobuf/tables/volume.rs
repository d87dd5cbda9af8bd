//! Volumes of Pods, of every kind a client can write. Source: the protobuf definitions of `k8s.io/api`.
//! Invariant: names and numbers are those of the protocol, which never change once published.

use super::container::{OBJECT_FIELD_SELECTOR, RESOURCE_FIELD_SELECTOR};
use super::meta::{LABEL_SELECTOR, OBJECT_META};
use super::objects::{LOCAL_OBJECT_REFERENCE, PERSISTENT_VOLUME_CLAIM_SPEC};
use crate::protobuf::shape::messages;

messages! {
    HOST_PATH_VOLUME_SOURCE: 1 path text=0, 2 type text=0;

    EMPTY_DIR_VOLUME_SOURCE: 1 medium text, 2 sizeLimit quantity, 3 mode int=0;

    GCE_PERSISTENT_DISK_VOLUME_SOURCE: 1 pdName text=0, 2 fsType text, 3 partition int, 4 readOnly bool;

    AWS_ELASTIC_BLOCK_STORE_VOLUME_SOURCE: 1 volumeID text=0, 2 fsType text, 3 partition int,
        4 readOnly bool;

    GIT_REPO_VOLUME_SOURCE: 1 repository text=0, 2 revision text, 3 directory text;

    KEY_TO_PATH: 1 key text=0, 2 path text=0, 3 mode int=0, 4 user int=0;

    SECRET_VOLUME_SOURCE: 1 secretName text, 2 items [KEY_TO_PATH], 3 defaultMode int=0, 4 optional bool=0,
        5 defaultUser int=0;

    NFS_VOLUME_SOURCE: 1 server text=0, 2 path text=0, 3 readOnly bool;

    ISCSI_VOLUME_SOURCE: 1 targetPortal text=0, 2 iqn text=0, 3 lun int=0, 4 iscsiInterface text,
        5 fsType text, 6 readOnly bool, 7 portals [text], 8 chapAuthDiscovery bool,
        10 secretRef LOCAL_OBJECT_REFERENCE, 11 chapAuthSession bool, 12 initiatorName text=0;

    GLUSTERFS_VOLUME_SOURCE: 1 endpoints text=0, 2 path text=0, 3 readOnly bool;

    PERSISTENT_VOLUME_CLAIM_VOLUME_SOURCE: 1 claimName text=0, 2 readOnly bool;

    RBD_VOLUME_SOURCE: 1 monitors [text], 2 image text=0, 3 fsType text, 4 pool text, 5 user text,
        6 keyring text, 7 secretRef LOCAL_OBJECT_REFERENCE, 8 readOnly bool;

    FLEX_VOLUME_SOURCE: 1 driver text=0, 2 fsType text, 3 secretRef LOCAL_OBJECT_REFERENCE, 4 readOnly bool,
        5 options {text};

    CINDER_VOLUME_SOURCE: 1 volumeID text=0, 2 fsType text, 3 readOnly bool,
        4 secretRef LOCAL_OBJECT_REFERENCE;

    CEPH_FS_VOLUME_SOURCE: 1 monitors [text], 2 path text, 3 user text, 4 secretFile text,
        5 secretRef LOCAL_OBJECT_REFERENCE, 6 readOnly bool;

    FLOCKER_VOLUME_SOURCE: 1 datasetName text, 2 datasetUUID text;

    DOWNWARD_API_VOLUME_FILE: 1 path text=0, 2 fieldRef OBJECT_FIELD_SELECTOR,
        3 resourceFieldRef RESOURCE_FIELD_SELECTOR, 4 mode int=0, 5 user int=0;

    DOWNWARD_API_VOLUME_SOURCE: 1 items [DOWNWARD_API_VOLUME_FILE], 2 defaultMode int=0, 3 defaultUser int=0;

    FC_VOLUME_SOURCE: 1 targetWWNs [text], 2 lun int=0, 3 fsType text, 4 readOnly bool, 5 wwids [text];

    AZURE_FILE_VOLUME_SOURCE: 1 secretName text=0, 2 shareName text=0, 3 readOnly bool;

    CONFIG_MAP_VOLUME_SOURCE: 1 inline (LOCAL_OBJECT_REFERENCE), 2 items [KEY_TO_PATH], 3 defaultMode int=0,
        4 optional bool=0, 5 defaultUser int=0;

    VSPHERE_VIRTUAL_DISK_VOLUME_SOURCE: 1 volumePath text=0, 2 fsType text, 3 storagePolicyName text,
        4 storagePolicyID text;

    QUOBYTE_VOLUME_SOURCE: 1 registry text=0, 2 volume text=0, 3 readOnly bool, 4 user text, 5 group text,
        6 tenant text;

    AZURE_DISK_VOLUME_SOURCE: 1 diskName text=0, 2 diskURI text=0, 3 cachingMode text=0, 4 fsType text=0,
        5 readOnly bool=0, 6 kind text=0;

    PHOTON_PERSISTENT_DISK_VOLUME_SOURCE: 1 pdID text=0, 2 fsType text;

    PORTWORX_VOLUME_SOURCE: 1 volumeID text=0, 2 fsType text, 3 readOnly bool;

    SCALE_IO_VOLUME_SOURCE: 1 gateway text=0, 2 system text=0, 3 secretRef LOCAL_OBJECT_REFERENCE,
        4 sslEnabled bool, 5 protectionDomain text, 6 storagePool text, 7 storageMode text,
        8 volumeName text, 9 fsType text, 10 readOnly bool;

    SECRET_PROJECTION: 1 inline (LOCAL_OBJECT_REFERENCE), 2 items [KEY_TO_PATH], 4 optional bool=0;

    DOWNWARD_API_PROJECTION: 1 items [DOWNWARD_API_VOLUME_FILE];

    CONFIG_MAP_PROJECTION: 1 inline (LOCAL_OBJECT_REFERENCE), 2 items [KEY_TO_PATH], 4 optional bool=0;

    SERVICE_ACCOUNT_TOKEN_PROJECTION: 1 audience text, 2 expirationSeconds int=0, 3 path text=0,
        4 user int=0;

    CLUSTER_TRUST_BUNDLE_PROJECTION: 1 name text=0, 2 signerName text=0, 3 labelSelector LABEL_SELECTOR,
        4 path text=0, 5 optional bool=0, 6 user int=0;

    POD_CERTIFICATE_PROJECTION: 1 signerName text, 2 keyType text, 3 maxExpirationSeconds int=0,
        4 credentialBundlePath text, 5 keyPath text, 6 certificateChainPath text, 7 userAnnotations {text},
        8 user int=0;

    VOLUME_PROJECTION: 1 secret SECRET_PROJECTION, 2 downwardAPI DOWNWARD_API_PROJECTION,
        3 configMap CONFIG_MAP_PROJECTION, 4 serviceAccountToken SERVICE_ACCOUNT_TOKEN_PROJECTION,
        5 clusterTrustBundle CLUSTER_TRUST_BUNDLE_PROJECTION, 6 podCertificate POD_CERTIFICATE_PROJECTION;

    PROJECTED_VOLUME_SOURCE: 1 sources [VOLUME_PROJECTION], 2 defaultMode int=0, 3 defaultUser int=0;

    STORAGE_OS_VOLUME_SOURCE: 1 volumeName text, 2 volumeNamespace text, 3 fsType text, 4 readOnly bool,
        5 secretRef LOCAL_OBJECT_REFERENCE;

    CSI_VOLUME_SOURCE: 1 driver text=0, 2 readOnly bool=0, 3 fsType text=0, 4 volumeAttributes {text},
        5 nodePublishSecretRef LOCAL_OBJECT_REFERENCE;

    PERSISTENT_VOLUME_CLAIM_TEMPLATE: 1 metadata OBJECT_META, 2 spec PERSISTENT_VOLUME_CLAIM_SPEC;

    EPHEMERAL_VOLUME_SOURCE: 1 volumeClaimTemplate PERSISTENT_VOLUME_CLAIM_TEMPLATE;

    IMAGE_VOLUME_SOURCE: 1 reference text, 2 pullPolicy text;

    VOLUME_SOURCE: 1 hostPath HOST_PATH_VOLUME_SOURCE, 2 emptyDir EMPTY_DIR_VOLUME_SOURCE,
        3 gcePersistentDisk GCE_PERSISTENT_DISK_VOLUME_SOURCE,
        4 awsElasticBlockStore AWS_ELASTIC_BLOCK_STORE_VOLUME_SOURCE, 5 gitRepo GIT_REPO_VOLUME_SOURCE,
        6 secret SECRET_VOLUME_SOURCE, 7 nfs NFS_VOLUME_SOURCE, 8 iscsi ISCSI_VOLUME_SOURCE,
        9 glusterfs GLUSTERFS_VOLUME_SOURCE, 10 persistentVolumeClaim PERSISTENT_VOLUME_CLAIM_VOLUME_SOURCE,
        11 rbd RBD_VOLUME_SOURCE, 12 flexVolume FLEX_VOLUME_SOURCE, 13 cinder CINDER_VOLUME_SOURCE,
        14 cephfs CEPH_FS_VOLUME_SOURCE, 15 flocker FLOCKER_VOLUME_SOURCE,
        16 downwardAPI DOWNWARD_API_VOLUME_SOURCE, 17 fc FC_VOLUME_SOURCE,
        18 azureFile AZURE_FILE_VOLUME_SOURCE, 19 configMap CONFIG_MAP_VOLUME_SOURCE,
        20 vsphereVolume VSPHERE_VIRTUAL_DISK_VOLUME_SOURCE, 21 quobyte QUOBYTE_VOLUME_SOURCE,
        22 azureDisk AZURE_DISK_VOLUME_SOURCE, 23 photonPersistentDisk PHOTON_PERSISTENT_DISK_VOLUME_SOURCE,
        24 portworxVolume PORTWORX_VOLUME_SOURCE, 25 scaleIO SCALE_IO_VOLUME_SOURCE,
        26 projected PROJECTED_VOLUME_SOURCE, 27 storageos STORAGE_OS_VOLUME_SOURCE,
        28 csi CSI_VOLUME_SOURCE, 29 ephemeral EPHEMERAL_VOLUME_SOURCE, 30 image IMAGE_VOLUME_SOURCE;

    VOLUME: 1 name text=0, 2 inline (VOLUME_SOURCE);
}
