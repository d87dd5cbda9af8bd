//! What starts, what is skipped and how it ends, for small graphs.

use expect_test::expect;

use super::story::{check, check_at};

#[test]
fn roots_start_at_once_and_the_rest_waits() {
    check(
        "a -> b; c",
        &expect![[r#"
        create TaskRun run-a
        create TaskRun run-c
        status Unknown Running: Tasks Completed: 0 (Failed: 0, Cancelled 0), Incomplete: 3, Skipped: 0
        again at 11:00
    "#]],
    );
    check(
        "a -> b; c; a: Succeeded; c: Running",
        &expect![[r#"
        create TaskRun run-b
        status Unknown Running: Tasks Completed: 1 (Failed: 0, Cancelled 0), Incomplete: 2, Skipped: 0
        again at 11:00
    "#]],
    );
    check(
        "a -> c; b -> c; a: Succeeded; b: Running",
        &expect![[r#"
        status Unknown Running: Tasks Completed: 1 (Failed: 0, Cancelled 0), Incomplete: 2, Skipped: 0
        again at 11:00
    "#]],
    );
}

#[test]
fn all_succeeded_is_success() {
    check(
        "a -> b; a: Succeeded; b: Succeeded",
        &expect![[r#"
        status True Succeeded: Tasks Completed: 2 (Failed: 0, Cancelled 0), Skipped: 0
    "#]],
    );
}

#[test]
fn a_failed_task_stops_what_has_not_started() {
    check(
        "a -> b; c; a: Failed; c: Running",
        &expect![[r#"
        status Unknown PipelineRunStopping: Tasks Completed: 1 (Failed: 1, Cancelled 0), Incomplete: 1, Skipped: 1
        skipped b: PipelineRun was stopping
        again at 11:00
    "#]],
    );
    check(
        "a -> b; c -> d; a: Failed; c: Succeeded",
        &expect![[r#"
        status False Failed: Tasks Completed: 2 (Failed: 1, Cancelled 0), Skipped: 2
        skipped b: PipelineRun was stopping
        skipped d: PipelineRun was stopping
    "#]],
    );
}

#[test]
fn failed_task_skips_dependents_and_still_runs_finally() {
    check(
        "a -> b; finally c; a: Failed",
        &expect![[r#"
        create TaskRun run-c
        status Unknown Running: Tasks Completed: 1 (Failed: 1, Cancelled 0), Incomplete: 1, Skipped: 1
        skipped b: PipelineRun was stopping
        again at 11:00
    "#]],
    );
    check(
        "a -> b; finally c; a: Failed; c: Running",
        &expect![[r#"
        status Unknown Running: Tasks Completed: 1 (Failed: 1, Cancelled 0), Incomplete: 1, Skipped: 1
        skipped b: PipelineRun was stopping
        again at 11:00
    "#]],
    );
    check(
        "a -> b; finally c; a: Failed; c: Succeeded",
        &expect![[r#"
        status False Failed: Tasks Completed: 2 (Failed: 1, Cancelled 0), Skipped: 1
        skipped b: PipelineRun was stopping
    "#]],
    );
}

#[test]
fn finally_waits_for_running_tasks() {
    check(
        "a; b; finally c; a: Failed; b: Running",
        &expect![[r#"
        status Unknown Running: Tasks Completed: 1 (Failed: 1, Cancelled 0), Incomplete: 2, Skipped: 0
        again at 11:00
    "#]],
    );
}

#[test]
fn a_task_that_may_fail_does_not_stop_others() {
    check(
        "a -> b; a may fail; a: Failed",
        &expect![[r#"
        create TaskRun run-b
        status Unknown Running: Tasks Completed: 1 (Failed: 0, Cancelled 0), Incomplete: 1, Skipped: 0
        again at 11:00
    "#]],
    );
    check(
        "a -> b; a may fail; a: Failed; b: Succeeded",
        &expect![[r#"
        status True Succeeded: Tasks Completed: 2 (Failed: 1 (Ignored: 1), Cancelled 0), Skipped: 0
    "#]],
    );
}

#[test]
fn a_result_reference_is_an_edge_and_becomes_a_value() {
    check(
        "b uses a.r; a",
        &expect![[r#"
        create TaskRun run-a
        status Unknown Running: Tasks Completed: 0 (Failed: 0, Cancelled 0), Incomplete: 2, Skipped: 0
        again at 11:00
    "#]],
    );
    check(
        "b uses a.r; a: Succeeded r=42",
        &expect![[r#"
        create TaskRun run-b r="42"
        status Unknown Running: Tasks Completed: 1 (Failed: 0, Cancelled 0), Incomplete: 1, Skipped: 0
        again at 11:00
    "#]],
    );
    check(
        "b uses a.r[*]; c uses a.r[1]; a: Succeeded r=[\"x\",\"y\"]",
        &expect![[r#"
        create TaskRun run-b r=["x","y"]
        create TaskRun run-c r="y"
        status Unknown Running: Tasks Completed: 1 (Failed: 0, Cancelled 0), Incomplete: 2, Skipped: 0
        again at 11:00
    "#]],
    );
}

#[test]
fn a_result_that_was_not_written_fails_the_run() {
    check(
        "b uses a.r; c; finally f; a: Succeeded",
        &expect![[r#"
        create TaskRun run-f
        status Unknown Running: Tasks Completed: 1 (Failed: 0, Cancelled 0), Incomplete: 1, Skipped: 1
        skipped c: PipelineRun was stopping
        again at 11:00
    "#]],
    );
    check(
        "b uses a.r; a may fail; a: Failed",
        &expect![[r#"
        status False PipelineValidationFailed: Tasks Completed: 1 (Failed: 1 (Ignored: 1), Cancelled 0), Skipped: 0, Failed Validation: 1 (Invalid task result reference: Could not find result with name r for pipeline task a)
    "#]],
    );
    check(
        "b uses a.r; a may fail; b may fail; a: Failed",
        &expect![[r#"
        status True Completed: Tasks Completed: 1 (Failed: 1 (Ignored: 1), Cancelled 0), Skipped: 1
        skipped b: Results were missing
    "#]],
    );
    check(
        "b uses a.r[5]; a: Succeeded r=[\"x\"]",
        &expect![[r#"
        status False PipelineValidationFailed: [User error] PipelineRun ns/run can't be Run; couldn't resolve all references: array Result Index 5 for Task a Result r is out of bound of size 1
    "#]],
    );
}

#[test]
fn when_decides_just_before_the_start() {
    check(
        "a when x in x y; b when x in y; c when x notin x",
        &expect![[r#"
        create TaskRun run-a
        status Unknown Running: Tasks Completed: 0 (Failed: 0, Cancelled 0), Incomplete: 1, Skipped: 2
        skipped b: When Expressions evaluated to false
        skipped c: When Expressions evaluated to false
        again at 11:00
    "#]],
    );
    check(
        "b when $(tasks.a.results.r) in yes; a: Succeeded r=yes",
        &expect![[r#"
        create TaskRun run-b
        status Unknown Running: Tasks Completed: 1 (Failed: 0, Cancelled 0), Incomplete: 1, Skipped: 0
        again at 11:00
    "#]],
    );
    check(
        "b when $(tasks.a.results.r) in yes; a: Succeeded r=no",
        &expect![[r#"
        status True Completed: Tasks Completed: 1 (Failed: 0, Cancelled 0), Skipped: 1
        skipped b: When Expressions evaluated to false
    "#]],
    );
}

#[test]
fn what_follows_a_task_skipped_by_when_goes_on_unless_it_needs_its_results() {
    check(
        "a when x in y; a -> b; b -> c",
        &expect![[r#"
        create TaskRun run-b
        status Unknown Running: Tasks Completed: 0 (Failed: 0, Cancelled 0), Incomplete: 2, Skipped: 1
        skipped a: When Expressions evaluated to false
        again at 11:00
    "#]],
    );
    check(
        "a when x in y; b uses a.r; b -> c",
        &expect![[r#"
        status True Completed: Tasks Completed: 0 (Failed: 0, Cancelled 0), Skipped: 3
        skipped a: When Expressions evaluated to false
        skipped b: Results were missing
        skipped c: Parent Tasks were skipped
    "#]],
    );
}

#[test]
fn final_tasks_know_how_the_others_ended() {
    check(
        "a; b; finally f, g; f when $(tasks.a.status) in Failed; g when $(tasks.status) in Succeeded; a: Failed; b: Succeeded",
        &expect![[r#"
            create TaskRun run-f
            status Unknown Running: Tasks Completed: 2 (Failed: 1, Cancelled 0), Incomplete: 1, Skipped: 1
            skipped g: When Expressions evaluated to false
            again at 11:00
        "#]],
    );
    check(
        "a; finally f; f when $(tasks.a.reason) in StepFailed; a: Failed",
        &expect![[r#"
        create TaskRun run-f
        status Unknown Running: Tasks Completed: 1 (Failed: 1, Cancelled 0), Incomplete: 1, Skipped: 0
        again at 11:00
    "#]],
    );
    check(
        "a; b when x in y; finally f; f when $(tasks.status) in Completed; a: Succeeded",
        &expect![[r#"
        create TaskRun run-f
        status Unknown Running: Tasks Completed: 1 (Failed: 0, Cancelled 0), Incomplete: 1, Skipped: 1
        skipped b: When Expressions evaluated to false
        again at 11:00
    "#]],
    );
}

#[test]
fn a_final_task_without_its_results_is_skipped() {
    check(
        "a; finally f, g; f uses a.r; a: Failed",
        &expect![[r#"
        create TaskRun run-g
        status Unknown Running: Tasks Completed: 1 (Failed: 1, Cancelled 0), Incomplete: 1, Skipped: 1
        skipped f: Results were missing
        again at 11:00
    "#]],
    );
    check(
        "a; finally f; f uses a.r; a: Failed r=kept",
        &expect![[r#"
        create TaskRun run-f r="kept"
        status Unknown Running: Tasks Completed: 1 (Failed: 1, Cancelled 0), Incomplete: 1, Skipped: 0
        again at 11:00
    "#]],
    );
}

#[test]
fn results_of_the_run_come_from_its_tasks() {
    check(
        "a; b; result out = $(tasks.a.results.r)-$(tasks.b.results.s); result list = $(tasks.a.results.l[*]); a: Succeeded r=1 l=[\"x\"]; b: Succeeded s=2",
        &expect![[r#"
            status True Succeeded: Tasks Completed: 2 (Failed: 0, Cancelled 0), Skipped: 0
            result out = "1-2"
            result list = ["x"]
        "#]],
    );
    check(
        "a; result out = $(tasks.a.results.r); a: Failed",
        &expect![[r#"
        status False Failed: Tasks Completed: 1 (Failed: 1, Cancelled 0), Skipped: 0
    "#]],
    );
    check(
        "a; result out = $(tasks.a.results.r); a: Failed r=kept",
        &expect![[r#"
        status False Failed: Tasks Completed: 1 (Failed: 1, Cancelled 0), Skipped: 0
        result out = "kept"
    "#]],
    );
    check(
        "a; result out = $(tasks.a.results.r); a: Succeeded",
        &expect![[r#"
        status False CouldntGetPipelineResult: Failed to get PipelineResult from TaskRun Results for PipelineRun run: invalid pipelineresults [out], the referenced results don't exist
    "#]],
    );
}

#[test]
fn a_cancelled_run_ends_when_its_tasks_have() {
    check(
        "a; b; finally f; a: Running; b: Succeeded; asked Cancelled",
        &expect![[r#"
        cancel TaskRun run-a: cancelled
        status Unknown PipelineRunStopping: PipelineRun "run" was cancelled
    "#]],
    );
    check(
        "a; b; finally f; a: Cancelled; b: Succeeded; asked Cancelled",
        &expect![[r#"
        status False Cancelled: PipelineRun "run" was cancelled
    "#]],
    );
    check(
        "a; asked Cancelled",
        &expect![[r#"
        status False Cancelled: PipelineRun "run" was cancelled
    "#]],
    );
}

#[test]
fn a_run_cancelled_gracefully_runs_finally() {
    check(
        "a -> b; finally f; a: Running; asked CancelledRunFinally",
        &expect![[r#"
        cancel TaskRun run-a: cancelled
        status Unknown CancelledRunningFinally: Tasks Completed: 0 (Failed: 0, Cancelled 0), Incomplete: 2, Skipped: 1
        skipped b: PipelineRun was gracefully cancelled
        again at 11:00
    "#]],
    );
    check(
        "a -> b; finally f; a: Cancelled; asked CancelledRunFinally",
        &expect![[r#"
        create TaskRun run-f
        status Unknown CancelledRunningFinally: Tasks Completed: 1 (Failed: 0, Cancelled 1), Incomplete: 1, Skipped: 1
        skipped b: PipelineRun was stopping
        again at 11:00
    "#]],
    );
    check(
        "a -> b; finally f; a: Cancelled; f: Succeeded; asked CancelledRunFinally",
        &expect![[r#"
        status False Cancelled: PipelineRun "run" was cancelled
        skipped b: PipelineRun was stopping
    "#]],
    );
}

#[test]
fn a_stopped_run_lets_running_tasks_finish_and_runs_finally() {
    check(
        "a -> b; finally f; a: Running; asked StoppedRunFinally",
        &expect![[r#"
        status Unknown StoppedRunningFinally: Tasks Completed: 0 (Failed: 0, Cancelled 0), Incomplete: 2, Skipped: 1
        skipped b: PipelineRun was gracefully stopped
        again at 11:00
    "#]],
    );
    check(
        "a -> b; finally f; a: Succeeded; asked StoppedRunFinally",
        &expect![[r#"
        create TaskRun run-f
        status Unknown StoppedRunningFinally: Tasks Completed: 1 (Failed: 0, Cancelled 0), Incomplete: 1, Skipped: 1
        skipped b: PipelineRun was gracefully stopped
        again at 11:00
    "#]],
    );
    check(
        "a -> b; finally f; a: Succeeded; f: Succeeded; asked StoppedRunFinally",
        &expect![[r#"
        status False Cancelled: PipelineRun "run" was cancelled
        skipped b: PipelineRun was gracefully stopped
    "#]],
    );
    check(
        "a -> b; a: Succeeded; asked StoppedRunFinally",
        &expect![[r#"
        status False Cancelled: PipelineRun "run" was cancelled
        skipped b: PipelineRun was gracefully stopped
    "#]],
    );
}

#[test]
fn a_task_cancelled_by_hand_stops_the_run() {
    check(
        "a -> b; c; a: Cancelled; c: Running",
        &expect![[r#"
        status Unknown PipelineRunStopping: Tasks Completed: 1 (Failed: 0, Cancelled 1), Incomplete: 1, Skipped: 1
        skipped b: PipelineRun was stopping
        again at 11:00
    "#]],
    );
    check(
        "a -> b; a: Cancelled",
        &expect![[r#"
        status False Cancelled: Tasks Completed: 1 (Failed: 0, Cancelled 1), Skipped: 1
        skipped b: PipelineRun was stopping
    "#]],
    );
}

#[test]
fn the_limit_of_the_run_ends_everything() {
    check_at(
        "a -> b; finally f; a: Running",
        60,
        &expect![[r#"
        cancel TaskRun run-a: timed out
        status Unknown PipelineRunStopping: Tasks Completed: 0 (Failed: 0, Cancelled 0), Incomplete: 3, Skipped: 0
    "#]],
    );
    check_at(
        "a -> b; finally f; a: TimedOut",
        61,
        &expect![[r#"
        status False PipelineRunTimeout: PipelineRun "run" failed to finish within "1h0m0s"
        skipped b: PipelineRun was stopping
        skipped f: PipelineRun timeout has been reached
    "#]],
    );
    check_at(
        "a: Running; limit 0s",
        9_999,
        &expect![[r#"
        status Unknown Running: Tasks Completed: 0 (Failed: 0, Cancelled 0), Incomplete: 1, Skipped: 0
    "#]],
    );
}

#[test]
fn the_limit_of_the_tasks_leaves_time_for_finally() {
    check_at(
        "a -> b; finally f; a: Running; limit tasks 10m; limit 30m",
        10,
        &expect![[r#"
        cancel TaskRun run-a: timed out
        status Unknown PipelineRunTimeoutRunningFinally: Tasks Completed: 0 (Failed: 0, Cancelled 0), Incomplete: 3, Skipped: 0
        again at 10:30
    "#]],
    );
    check_at(
        "a -> b; finally f; a: TimedOut; limit tasks 10m; limit 30m",
        11,
        &expect![[r#"
        create TaskRun run-f
        status Unknown PipelineRunTimeoutRunningFinally: Tasks Completed: 1 (Failed: 1, Cancelled 0), Incomplete: 1, Skipped: 1
        skipped b: PipelineRun was stopping
        again at 10:30
    "#]],
    );
    check_at(
        "a -> b; finally f; a: TimedOut; f: Succeeded; limit tasks 10m; limit 30m",
        12,
        &expect![[r#"
        status False PipelineRunTimeout: PipelineRun "run" failed due to tasks failed to finish within "10m0s"
        skipped b: PipelineRun was stopping
    "#]],
    );
    check_at(
        "a -> b; a: TimedOut; limit tasks 10m; limit 30m",
        11,
        &expect![[r#"
        status False PipelineRunTimeout: PipelineRun "run" failed due to tasks failed to finish within "10m0s"
        skipped b: PipelineRun was stopping
    "#]],
    );
    check_at(
        "a; finally f; a: Succeeded; f: Succeeded; limit tasks 10m; limit 30m",
        12,
        &expect![[r#"
        status True Succeeded: Tasks Completed: 2 (Failed: 0, Cancelled 0), Skipped: 0
    "#]],
    );
}

#[test]
fn a_task_that_comes_too_late_is_skipped() {
    check_at(
        "a -> b; a: Succeeded; limit tasks 10m; limit 30m",
        11,
        &expect![[r#"
        status False PipelineRunTimeout: PipelineRun "run" failed due to tasks failed to finish within "10m0s"
        skipped b: PipelineRun Tasks timeout has been reached
    "#]],
    );
}

#[test]
fn a_pending_run_waits() {
    check(
        "a; asked PipelineRunPending",
        &expect![[r#"
        status Unknown PipelineRunPending: PipelineRun "run" is pending
    "#]],
    );
}

#[test]
fn a_graph_that_is_none_fails_the_run() {
    check(
        "a -> b; b -> a",
        &expect![[r#"
        status False PipelineInvalidGraph: [User error] PipelineRun ns/run's Pipeline DAG is invalid: cycle detected; task "a" depends on "b"
    "#]],
    );
    check(
        "a -> b; b uses nope.r",
        &expect![[r#"
        status False PipelineInvalidGraph: [User error] PipelineRun ns/run's Pipeline DAG is invalid: couldn't add link between b and nope: task b depends on nope but nope wasn't present in Pipeline
    "#]],
    );
}
