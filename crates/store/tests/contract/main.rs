//! The contract of a store, run on every implementation: one sentence each, in `sentences`, and a random history
//! against a naive model, in `model`. What only files can do wrong is in `restart`.
//! Invariant: a sentence knows [`store::Store`] only; a place says how an implementation is opened.

mod crash;
mod full;
mod model;
mod place;
mod restart;
mod sentences;

/// Makes one test of every sentence for one implementation.
macro_rules! contract {
    ($name:ident, $place:expr) => {
        mod $name {
            use crate::place::*;
            crate::contract!(@each $place;
                an_empty_store_stands_above_revision_one
                a_write_is_read_back_with_its_revisions
                a_transaction_has_one_revision_and_the_next_has_one_more
                a_precondition_that_does_not_hold_refuses_everything_and_shows_what_stands_there
                a_transaction_that_changes_nothing_gets_no_revision_of_its_own
                a_key_that_is_created_again_begins_anew
                a_range_is_ordered_and_keeps_to_its_prefix
                a_range_with_a_limit_goes_on_where_it_stopped
                a_range_of_the_past_shows_the_past
                pages_of_one_snapshot_do_not_see_what_is_written_meanwhile
                a_revision_that_did_not_happen_cannot_be_read
                a_watch_hands_out_its_scope_in_order_with_before_and_after
                a_watch_begins_after_the_revision_it_is_given
                a_watch_that_waits_is_woken
                a_watch_that_is_not_read_reads_on_where_it_was
                a_transaction_is_handed_out_whole
                progress_follows_the_store_on_a_quiet_scope
                giving_up_a_wait_loses_nothing
                what_was_compacted_can_neither_be_read_nor_watched
                a_watch_that_missed_compacted_events_is_told
                a_quiet_watch_survives_compaction
                writers_that_race_for_a_key_never_lose_an_update
                a_range_is_one_moment_however_many_write
                a_closed_store_refuses_everything
            );

            #[tokio::test]
            async fn a_random_history_is_what_a_naive_model_says() {
                for seed in 0..crate::model::SEEDS {
                    crate::model::run(&$place, seed).await;
                }
            }
        }
    };
    (@each $place:expr; $($sentence:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $sentence() {
                let place = $place;
                crate::sentences::$sentence(place.open()).await;
            }
        )*
    };
}
use contract;

contract!(memory, Memory);
contract!(embedded, Embedded::roomy());
contract!(embedded_in_tiny_bounds, Embedded::tiny());
