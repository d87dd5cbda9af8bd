//! All cases by name.

mod lifecycle;
mod steps;
mod together;
mod volumes;

use std::future::Future;
use std::pin::Pin;

type Case = fn() -> Pin<Box<dyn Future<Output = ()>>>;

macro_rules! cases {
    ($($module:ident: $($name:ident),+ $(,)?;)+) => {
        pub(crate) const CASES: &[(&str, Case)] = &[$($((stringify!($name), || Box::pin($module::$name()))),+),+];
    };
}

cases! {
    lifecycle:
        a_deleted_pod_gets_its_time_and_is_removed,
        a_pod_that_ignores_sigterm_is_killed_after_its_time,
        a_pod_that_vanishes_is_killed_at_once,
        a_running_pod_survives_a_crash_of_the_service,
        a_pod_that_ended_without_the_service_is_reported,
        a_pod_whose_shim_was_killed_fails_with_words,
        pods_of_a_service_that_kills_end_with_it,
        a_pod_over_its_deadline_fails,
        what_is_missing_is_named_and_waited_for,
        an_image_that_cannot_be_pulled_backs_off,
        pods_wait_for_a_place;
    together:
        containers_run_at_once_and_one_failure_fails_the_pod,
        a_failed_container_is_restarted,
        a_command_that_does_not_exist_is_a_start_error,
        a_termination_message_is_read,
        a_container_out_of_memory_is_told_apart;
    volumes:
        volumes_hold_what_the_pod_says,
        a_claim_outlives_pods_and_ends_with_its_object,
        sub_paths_stay_inside_of_their_volume,
        users_and_groups_are_as_asked;
    steps:
        a_step_runs_and_its_log_and_status_tell,
        steps_run_in_order_and_hand_results_on,
        a_failing_step_skips_the_rest,
        a_tolerated_failure_does_not,
        a_step_is_killed_at_its_time_limit,
        the_machine_itself_is_an_image,
        output_is_copied_to_files,
        a_step_waits_for_its_when,
        many_pods_in_a_row_are_quick;
}
