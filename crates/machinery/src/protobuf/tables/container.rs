//! Containers of Pods and what is in them. Source: the protobuf definitions of `k8s.io/api`.
//! Invariant: names and numbers are those of the protocol, which never change once published.

use super::objects::LOCAL_OBJECT_REFERENCE;
use crate::protobuf::shape::messages;

messages! {
    OBJECT_FIELD_SELECTOR: 1 apiVersion text, 2 fieldPath text=0;

    RESOURCE_FIELD_SELECTOR: 1 containerName text, 2 resource text=0, 3 divisor quantity;

    CONTAINER_PORT: 1 name text, 2 hostPort int, 3 containerPort int=0, 4 protocol text, 5 hostIP text;

    CONFIG_MAP_KEY_SELECTOR: 1 inline (LOCAL_OBJECT_REFERENCE), 2 key text=0, 3 optional bool=0;

    SECRET_KEY_SELECTOR: 1 inline (LOCAL_OBJECT_REFERENCE), 2 key text=0, 3 optional bool=0;

    FILE_KEY_SELECTOR: 1 volumeName text=0, 2 path text=0, 3 key text=0, 4 optional bool=0;

    ENV_VAR_SOURCE: 1 fieldRef OBJECT_FIELD_SELECTOR, 2 resourceFieldRef RESOURCE_FIELD_SELECTOR,
        3 configMapKeyRef CONFIG_MAP_KEY_SELECTOR, 4 secretKeyRef SECRET_KEY_SELECTOR,
        5 fileKeyRef FILE_KEY_SELECTOR;

    ENV_VAR: 1 name text=0, 2 value text, 3 valueFrom ENV_VAR_SOURCE;

    RESOURCE_CLAIM: 1 name text=0, 2 request text;

    RESOURCE_REQUIREMENTS: 1 limits {quantity}, 2 requests {quantity}, 3 claims [RESOURCE_CLAIM];

    VOLUME_MOUNT: 1 name text=0, 2 readOnly bool, 3 mountPath text=0, 4 subPath text,
        5 mountPropagation text=0, 6 subPathExpr text, 7 recursiveReadOnly text=0, 8 bindMountOptions [text];

    EXEC_ACTION: 1 command [text];

    HTTP_HEADER: 1 name text=0, 2 value text=0;

    HTTP_GET_ACTION: 1 path text, 2 port int_or_string, 3 host text, 4 scheme text,
        5 httpHeaders [HTTP_HEADER], 6 protocol text=0;

    TCP_SOCKET_ACTION: 1 port int_or_string, 2 host text;

    GRPC_ACTION: 1 port int=0, 2 service text=0, 3 mode text=0;

    PROBE_HANDLER: 1 exec EXEC_ACTION, 2 httpGet HTTP_GET_ACTION, 3 tcpSocket TCP_SOCKET_ACTION,
        4 grpc GRPC_ACTION;

    PROBE: 1 inline (PROBE_HANDLER), 2 initialDelaySeconds int, 3 timeoutSeconds int, 4 periodSeconds int,
        5 successThreshold int, 6 failureThreshold int, 7 terminationGracePeriodSeconds int=0;

    SLEEP_ACTION: 1 seconds int=0;

    LIFECYCLE_HANDLER: 1 exec EXEC_ACTION, 2 httpGet HTTP_GET_ACTION, 3 tcpSocket TCP_SOCKET_ACTION,
        4 sleep SLEEP_ACTION;

    LIFECYCLE: 1 postStart LIFECYCLE_HANDLER, 2 preStop LIFECYCLE_HANDLER, 3 stopSignal text=0;

    CAPABILITIES: 1 add [text], 2 drop [text];

    SE_LINUX_OPTIONS: 1 user text, 2 role text, 3 type text, 4 level text;

    WINDOWS_SECURITY_CONTEXT_OPTIONS: 1 gmsaCredentialSpecName text=0, 2 gmsaCredentialSpec text=0,
        3 runAsUserName text=0, 4 hostProcess bool=0;

    SECCOMP_PROFILE: 1 type text=0, 2 localhostProfile text=0;

    APP_ARMOR_PROFILE: 1 type text=0, 2 localhostProfile text=0;

    SECURITY_CONTEXT: 1 capabilities CAPABILITIES, 2 privileged bool=0, 3 seLinuxOptions SE_LINUX_OPTIONS,
        4 runAsUser int=0, 5 runAsNonRoot bool=0, 6 readOnlyRootFilesystem bool=0,
        7 allowPrivilegeEscalation bool=0, 8 runAsGroup int=0, 9 procMount text=0,
        10 windowsOptions WINDOWS_SECURITY_CONTEXT_OPTIONS, 11 seccompProfile SECCOMP_PROFILE,
        12 appArmorProfile APP_ARMOR_PROFILE;

    CONFIG_MAP_ENV_SOURCE: 1 inline (LOCAL_OBJECT_REFERENCE), 2 optional bool=0;

    SECRET_ENV_SOURCE: 1 inline (LOCAL_OBJECT_REFERENCE), 2 optional bool=0;

    ENV_FROM_SOURCE: 1 prefix text, 2 configMapRef CONFIG_MAP_ENV_SOURCE, 3 secretRef SECRET_ENV_SOURCE;

    VOLUME_DEVICE: 1 name text=0, 2 devicePath text=0;

    CONTAINER_RESIZE_POLICY: 1 resourceName text=0, 2 restartPolicy text=0;

    CONTAINER_RESTART_RULE_ON_EXIT_CODES: 1 operator text, 2 values [int];

    CONTAINER_RESTART_RULE: 1 action text, 2 exitCodes CONTAINER_RESTART_RULE_ON_EXIT_CODES;

    CONTAINER: 1 name text=0, 2 image text, 3 command [text], 4 args [text], 5 workingDir text,
        6 ports [CONTAINER_PORT], 7 env [ENV_VAR], 8 resources RESOURCE_REQUIREMENTS,
        9 volumeMounts [VOLUME_MOUNT], 10 livenessProbe PROBE, 11 readinessProbe PROBE,
        12 lifecycle LIFECYCLE, 13 terminationMessagePath text, 14 imagePullPolicy text,
        15 securityContext SECURITY_CONTEXT, 16 stdin bool, 17 stdinOnce bool, 18 tty bool,
        19 envFrom [ENV_FROM_SOURCE], 20 terminationMessagePolicy text, 21 volumeDevices [VOLUME_DEVICE],
        22 startupProbe PROBE, 23 resizePolicy [CONTAINER_RESIZE_POLICY], 24 restartPolicy text=0,
        25 restartPolicyRules [CONTAINER_RESTART_RULE];

    EPHEMERAL_CONTAINER: 1 inline (CONTAINER), 2 targetContainerName text;
}
