//! Pods and their specification, except containers and volumes. Source: the protobuf definitions of `k8s.io/api`.
//! Invariant: names and numbers are those of the protocol, which never change once published.

use super::container::{
    APP_ARMOR_PROFILE, CONTAINER, EPHEMERAL_CONTAINER, RESOURCE_REQUIREMENTS, SE_LINUX_OPTIONS,
    SECCOMP_PROFILE, WINDOWS_SECURITY_CONTEXT_OPTIONS,
};
use super::meta::{LABEL_SELECTOR, OBJECT_META};
use super::objects::LOCAL_OBJECT_REFERENCE;
use super::status::POD_STATUS;
use super::volume::VOLUME;
use crate::protobuf::shape::messages;

messages! {
    SYSCTL: 1 name text=0, 2 value text=0;

    POD_SECURITY_CONTEXT: 1 seLinuxOptions SE_LINUX_OPTIONS, 2 runAsUser int=0, 3 runAsNonRoot bool=0,
        4 supplementalGroups [int], 5 fsGroup int=0, 6 runAsGroup int=0, 7 sysctls [SYSCTL],
        8 windowsOptions WINDOWS_SECURITY_CONTEXT_OPTIONS, 9 fsGroupChangePolicy text=0,
        10 seccompProfile SECCOMP_PROFILE, 11 appArmorProfile APP_ARMOR_PROFILE,
        12 supplementalGroupsPolicy text=0, 13 seLinuxChangePolicy text=0;

    NODE_SELECTOR_REQUIREMENT: 1 key text=0, 2 operator text=0, 3 values [text];

    NODE_SELECTOR_TERM: 1 matchExpressions [NODE_SELECTOR_REQUIREMENT],
        2 matchFields [NODE_SELECTOR_REQUIREMENT];

    NODE_SELECTOR: 1 nodeSelectorTerms [NODE_SELECTOR_TERM];

    PREFERRED_SCHEDULING_TERM: 1 weight int=0, 2 preference NODE_SELECTOR_TERM;

    NODE_AFFINITY: 1 requiredDuringSchedulingIgnoredDuringExecution NODE_SELECTOR,
        2 preferredDuringSchedulingIgnoredDuringExecution [PREFERRED_SCHEDULING_TERM];

    POD_AFFINITY_TERM: 1 labelSelector LABEL_SELECTOR, 2 namespaces [text], 3 topologyKey text=0,
        4 namespaceSelector LABEL_SELECTOR, 5 matchLabelKeys [text], 6 mismatchLabelKeys [text];

    WEIGHTED_POD_AFFINITY_TERM: 1 weight int=0, 2 podAffinityTerm POD_AFFINITY_TERM;

    POD_AFFINITY: 1 requiredDuringSchedulingIgnoredDuringExecution [POD_AFFINITY_TERM],
        2 preferredDuringSchedulingIgnoredDuringExecution [WEIGHTED_POD_AFFINITY_TERM];

    POD_ANTI_AFFINITY: 1 requiredDuringSchedulingIgnoredDuringExecution [POD_AFFINITY_TERM],
        2 preferredDuringSchedulingIgnoredDuringExecution [WEIGHTED_POD_AFFINITY_TERM];

    AFFINITY: 1 nodeAffinity NODE_AFFINITY, 2 podAffinity POD_AFFINITY, 3 podAntiAffinity POD_ANTI_AFFINITY;

    TOLERATION: 1 key text, 2 operator text, 3 value text, 4 effect text, 5 tolerationSeconds int=0;

    HOST_ALIAS: 1 ip text=0, 2 hostnames [text];

    POD_DNS_CONFIG_OPTION: 1 name text, 2 value text=0;

    POD_DNS_CONFIG: 1 nameservers [text], 2 searches [text], 3 options [POD_DNS_CONFIG_OPTION];

    POD_READINESS_GATE: 1 conditionType text=0;

    TOPOLOGY_SPREAD_CONSTRAINT: 1 maxSkew int=0, 2 topologyKey text=0, 3 whenUnsatisfiable text=0,
        4 labelSelector LABEL_SELECTOR, 5 minDomains int=0, 6 nodeAffinityPolicy text=0,
        7 nodeTaintsPolicy text=0, 8 matchLabelKeys [text];

    POD_OS: 1 name text=0;

    POD_SCHEDULING_GATE: 1 name text=0;

    POD_RESOURCE_CLAIM: 1 name text=0, 3 resourceClaimName text=0, 4 resourceClaimTemplateName text=0;

    POD_SCHEDULING_GROUP: 1 podGroupName text=0;

    EVICTION_RESPONDER: 1 name text=0, 2 priority int=0;

    POD_SPEC: 1 volumes [VOLUME], 2 containers [CONTAINER], 3 restartPolicy text,
        4 terminationGracePeriodSeconds int=0, 5 activeDeadlineSeconds int=0, 6 dnsPolicy text,
        7 nodeSelector {text}, 8 serviceAccountName text, 9 serviceAccount text, 10 nodeName text,
        11 hostNetwork bool, 12 hostPID bool, 13 hostIPC bool, 14 securityContext POD_SECURITY_CONTEXT,
        15 imagePullSecrets [LOCAL_OBJECT_REFERENCE], 16 hostname text, 17 subdomain text,
        18 affinity AFFINITY, 19 schedulerName text, 20 initContainers [CONTAINER],
        21 automountServiceAccountToken bool=0, 22 tolerations [TOLERATION], 23 hostAliases [HOST_ALIAS],
        24 priorityClassName text, 25 priority int=0, 26 dnsConfig POD_DNS_CONFIG,
        27 shareProcessNamespace bool=0, 28 readinessGates [POD_READINESS_GATE], 29 runtimeClassName text=0,
        30 enableServiceLinks bool=0, 31 preemptionPolicy text=0, 32 overhead {quantity},
        33 topologySpreadConstraints [TOPOLOGY_SPREAD_CONSTRAINT],
        34 ephemeralContainers [EPHEMERAL_CONTAINER], 35 setHostnameAsFQDN bool=0, 36 os POD_OS,
        37 hostUsers bool=0, 38 schedulingGates [POD_SCHEDULING_GATE],
        39 resourceClaims [POD_RESOURCE_CLAIM], 40 resources RESOURCE_REQUIREMENTS,
        41 hostnameOverride text=0, 43 schedulingGroup POD_SCHEDULING_GROUP,
        44 evictionResponders [EVICTION_RESPONDER];

    POD: 1 metadata OBJECT_META, 2 spec POD_SPEC, 3 status POD_STATUS;
}
