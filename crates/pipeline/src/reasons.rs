//! Words that the conditions of runs use. They are Tekton's own, and clients compare them.
//! Source: Tekton's `TaskRunReason` and `PipelineRunReason`.

/// Reasons of TaskRuns.
pub(crate) mod task_run {
    pub(crate) const STARTED: &str = "Started";
    pub(crate) const RUNNING: &str = "Running";
    pub(crate) const POD_PENDING: &str = "Pending";
    pub(crate) const PENDING: &str = "TaskRunPending";
    pub(crate) const SUCCEEDED: &str = "Succeeded";
    pub(crate) const FAILED: &str = "Failed";
    pub(crate) const TO_BE_RETRIED: &str = "ToBeRetried";
    pub(crate) const CANCELLED: &str = "TaskRunCancelled";
    pub(crate) const TIMED_OUT: &str = "TaskRunTimeout";
    pub(crate) const IMAGE_PULL_FAILED: &str = "TaskRunImagePullFailed";
    pub(crate) const PULL_IMAGE_FAILED: &str = "PullImageFailed";
    pub(crate) const CREATE_CONTAINER_CONFIG_ERROR: &str = "CreateContainerConfigError";
    pub(crate) const POD_CREATION_FAILED: &str = "PodCreationFailed";
    pub(crate) const POD_ADMISSION_FAILED: &str = "PodAdmissionFailed";
    pub(crate) const POD_EVICTED: &str = "PodEvicted";
    pub(crate) const EXCEEDED_NODE_RESOURCES: &str = "ExceededNodeResources";
    pub(crate) const EXCEEDED_RESOURCE_QUOTA: &str = "ExceededResourceQuota";
    pub(crate) const RESOLUTION_FAILED: &str = "TaskRunResolutionFailed";
    pub(crate) const VALIDATION_FAILED: &str = "TaskRunValidationFailed";
    pub(crate) const INVALID_PARAM_VALUE: &str = "InvalidParamValue";
    pub(crate) const STEP_OOM: &str = "StepOOM";
    pub(crate) const STEP_FAILED: &str = "StepFailed";
    pub(crate) const FAILURE_IGNORED: &str = "FailureIgnored";
    pub(crate) const COULD_NOT_CREATE_PVC: &str = "CouldntCreateWorkspacePVC";
}

/// Reasons of PipelineRuns.
pub(crate) mod pipeline_run {
    pub(crate) const STARTED: &str = "Started";
    pub(crate) const RUNNING: &str = "Running";
    pub(crate) const SUCCEEDED: &str = "Succeeded";
    pub(crate) const COMPLETED: &str = "Completed";
    pub(crate) const FAILED: &str = "Failed";
    pub(crate) const CANCELLED: &str = "Cancelled";
    pub(crate) const PENDING: &str = "PipelineRunPending";
    pub(crate) const TIMED_OUT: &str = "PipelineRunTimeout";
    pub(crate) const STOPPING: &str = "PipelineRunStopping";
    pub(crate) const TIMED_OUT_RUNNING_FINALLY: &str = "PipelineRunTimeoutRunningFinally";
    pub(crate) const CANCELLED_RUNNING_FINALLY: &str = "CancelledRunningFinally";
    pub(crate) const STOPPED_RUNNING_FINALLY: &str = "StoppedRunningFinally";
    pub(crate) const COULD_NOT_GET_PIPELINE: &str = "CouldntGetPipeline";
    pub(crate) const COULD_NOT_GET_TASK: &str = "CouldntGetTask";
    pub(crate) const COULD_NOT_GET_RESULT: &str = "CouldntGetPipelineResult";
    pub(crate) const INVALID_WORKSPACE_BINDINGS: &str = "InvalidWorkspaceBindings";
    pub(crate) const INVALID_TASK_RUN_SPECS: &str = "InvalidTaskRunSpecs";
    pub(crate) const PARAMETER_TYPE_MISMATCH: &str = "ParameterTypeMismatch";
    pub(crate) const OBJECT_PARAMETER_MISS_KEYS: &str = "ObjectParameterMissKeys";
    pub(crate) const PARAM_ARRAY_INDEXING_INVALID: &str = "ParamArrayIndexingInvalid";
    pub(crate) const PARAMETER_MISSING: &str = "ParameterMissing";
    pub(crate) const VALIDATION_FAILED: &str = "PipelineValidationFailed";
    pub(crate) const INVALID_GRAPH: &str = "PipelineInvalidGraph";
    pub(crate) const INVALID_TASK_RESULT_REFERENCE: &str = "InvalidTaskResultReference";
    pub(crate) const INVALID_PIPELINE_RESULT_REFERENCE: &str = "InvalidPipelineResultReference";
    pub(crate) const REQUIRED_WORKSPACE_MARKED_OPTIONAL: &str = "RequiredWorkspaceMarkedOptional";
    pub(crate) const COULD_NOT_CANCEL: &str = "PipelineRunCouldntCancel";
    pub(crate) const CREATE_RUN_FAILED: &str = "CreateRunFailed";
    pub(crate) const INVALID_PARAM_VALUE: &str = "InvalidParamValue";
    pub(crate) const COULD_NOT_CREATE_PVC: &str = "CouldntCreateWorkspacePVC";
}
