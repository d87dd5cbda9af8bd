//! The rows of Task, Pipeline, TaskRun and PipelineRun.

use super::{defaults, v1, v1beta1, validation};
use crate::columns::{AGE, path};
use crate::schema;
use crate::table::{Column, Resource, Version, unchanged};

/// The group of Tekton's own kinds.
pub(super) const GROUP: &str = "tekton.dev";
/// The categories of all of Tekton's kinds.
pub(super) const CATEGORIES: &[&str] = &["tekton", "tekton-pipelines"];

/// The columns of runs.
pub(super) const RUN_COLUMNS: &[Column] = &[
    path(
        "Succeeded",
        "string",
        ".status.conditions[?(@.type==\"Succeeded\")].status",
        "`True`, `False`, or `Unknown` while the run goes on.",
    ),
    path("Reason", "string", ".status.conditions[?(@.type==\"Succeeded\")].reason", "Why, as one word."),
    path("StartTime", "date", ".status.startTime", "When the run started."),
    path("CompletionTime", "date", ".status.completionTime", "When the run ended."),
];

pub(crate) const TASK: Resource = Resource {
    group: GROUP,
    plural: "tasks",
    singular: "task",
    kind: "Task",
    short_names: &[],
    categories: CATEGORIES,
    namespaced: true,
    versions: &[
        Version {
            name: "v1",
            schema: schema::of::<v1::Task>,
            to_storage: unchanged,
            from_storage: unchanged,
            deprecation_warning: None,
        },
        Version {
            name: "v1beta1",
            schema: v1beta1::schema::task,
            to_storage: v1beta1::convert::task_to_v1,
            from_storage: v1beta1::convert::task_from_v1,
            deprecation_warning: None,
        },
    ],
    storage_version: "v1",
    stored_with: None,
    status_subresource: true,
    builtin: false,
    columns: &[AGE],
    selectable_fields: &[],
    default: defaults::task,
    validate: validation::task,
};

pub(crate) const PIPELINE: Resource = Resource {
    plural: "pipelines",
    singular: "pipeline",
    kind: "Pipeline",
    versions: &[
        Version {
            name: "v1",
            schema: schema::of::<v1::Pipeline>,
            to_storage: unchanged,
            from_storage: unchanged,
            deprecation_warning: None,
        },
        Version {
            name: "v1beta1",
            schema: v1beta1::schema::pipeline,
            to_storage: v1beta1::convert::pipeline_to_v1,
            from_storage: v1beta1::convert::pipeline_from_v1,
            deprecation_warning: None,
        },
    ],
    default: defaults::pipeline,
    validate: validation::pipeline,
    ..TASK
};

pub(crate) const TASK_RUN: Resource = Resource {
    plural: "taskruns",
    singular: "taskrun",
    kind: "TaskRun",
    short_names: &["tr", "trs"],
    versions: &[
        Version {
            name: "v1",
            schema: schema::of::<v1::TaskRun>,
            to_storage: unchanged,
            from_storage: unchanged,
            deprecation_warning: None,
        },
        Version {
            name: "v1beta1",
            schema: v1beta1::schema::task_run,
            to_storage: v1beta1::convert::task_run_to_v1,
            from_storage: v1beta1::convert::task_run_from_v1,
            deprecation_warning: None,
        },
    ],
    columns: RUN_COLUMNS,
    default: defaults::task_run,
    validate: validation::task_run,
    ..TASK
};

pub(crate) const PIPELINE_RUN: Resource = Resource {
    plural: "pipelineruns",
    singular: "pipelinerun",
    kind: "PipelineRun",
    short_names: &["pr", "prs"],
    versions: &[
        Version {
            name: "v1",
            schema: schema::of::<v1::PipelineRun>,
            to_storage: unchanged,
            from_storage: unchanged,
            deprecation_warning: None,
        },
        Version {
            name: "v1beta1",
            schema: v1beta1::schema::pipeline_run,
            to_storage: v1beta1::convert::pipeline_run_to_v1,
            from_storage: v1beta1::convert::pipeline_run_from_v1,
            deprecation_warning: None,
        },
    ],
    default: defaults::pipeline_run,
    validate: validation::pipeline_run,
    ..TASK_RUN
};
