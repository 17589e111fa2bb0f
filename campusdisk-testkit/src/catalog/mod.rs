//! The conformance cases of the catalog seam: one list, mounted whole by every catalog.

#![expect(
    clippy::expect_used,
    reason = "a conformance case fails by panicking, as tests do"
)]

#[doc(hidden)]
pub mod blobs;
#[doc(hidden)]
pub mod bulk;
#[doc(hidden)]
pub mod counters;
mod desk;
#[doc(hidden)]
pub mod directory;
#[doc(hidden)]
pub mod listings;
#[doc(hidden)]
pub mod names;
#[doc(hidden)]
pub mod numbers;
#[doc(hidden)]
pub mod records;
mod samples;
#[doc(hidden)]
pub mod sets;
#[doc(hidden)]
pub mod uploads;

/// Makes a module with one test for each case of the catalog's contract.
///
/// The second argument is an async function that opens an empty catalog: it returns an `Arc<dyn Catalog>` and whatever
/// has to live as long (a temporary folder, say). A case's name begins with the number of the line of the
/// [contract](campusdisk_core::catalog::Catalog) it shows. The crate that mounts it needs tokio with `macros` and
/// `rt-multi-thread`.
///
/// # Example: the catalog in memory
/// ```
/// use std::sync::Arc;
/// use campusdisk_core::catalog::Catalog;
/// use campusdisk_core::memory::MemoryCatalog;
///
/// async fn memory() -> (Arc<dyn Catalog>, ()) {
///     (Arc::new(MemoryCatalog::new()), ())
/// }
///
/// campusdisk_testkit::catalog_conformance!(memory_catalog, memory);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! catalog_conformance {
    ($module:ident, $open:ident) => {
        $crate::catalog_conformance! { @mount $module, $open,
            sets: [
                c1_every_kind_of_record_reads_as_it_was_put,
                c1_putting_a_record_again_replaces_it,
                c1_deleting_what_is_not_there_changes_nothing,
                c1_a_set_is_applied_whole_or_not_at_all,
                c1_changes_are_applied_in_order_and_see_the_ones_before,
                c2_the_same_set_twice_applies_once,
                c2_the_same_set_from_many_tasks_applies_once,
                c2_a_failed_set_leaves_its_id_unused,
                c2_ids_are_forgotten_only_when_told,
                c3_each_expectation_fails_with_its_own_kind,
                c3_every_kind_of_record_can_be_expected,
                c3_a_failed_set_does_not_hurt_its_neighbours,
                c4_a_dropped_commit_is_applied_whole_or_not_at_all,
                c5_a_read_after_the_answer_sees_the_changes,
                m2_reads_go_on_while_sets_are_committed,
                c3_a_lease_changes_hands_once,
                c3_two_moves_at_once_are_one_move,
                c8_facts_about_the_installation_are_replaced_by_version,
                c8_a_membership_takes_the_newest_role,
                c2_ids_of_one_moment_are_distinct_ids,
            ],
            names: [
                c6_many_tasks_creating_one_name_make_one,
                c6_case_makes_another_name,
                c6_another_normal_form_is_the_same_name,
                c6_names_with_marks_of_sql_are_plain_names,
                c6_a_name_is_taken_only_in_its_own_folder,
                c6_a_trashed_sibling_frees_its_name,
                c6_restoring_to_a_taken_name_is_refused,
                c6_moving_to_a_folder_that_has_the_name_is_refused,
                c6_renaming_takes_the_new_name_and_frees_the_old,
                c6_two_names_are_not_swapped_by_the_way_through_one,
                c6_an_account_has_one_personal_drive,
                c6_a_share_token_opens_one_share,
                c6_a_client_has_one_ticket_in_a_share,
                c6_an_event_is_in_the_outbox_once,
            ],
            counters: [
                c7_every_counter_counts_up_and_down,
                c7_no_counter_goes_below_zero,
                c7_at_most_is_a_limit_that_can_be_reached,
                c7_no_counter_exceeds_63_bits,
                c7_a_counter_of_no_record_is_not_found,
                c7_a_quota_holds_under_fifty_racing_adds,
                c7_used_and_reserved_bytes_share_the_quota,
                c7_less_is_always_allowed_also_over_quota,
                c7_a_quota_of_63_bits_is_a_quota,
                c7_a_quota_bounds_nothing_but_bytes_of_a_drive,
                c7_racing_downloads_stop_at_the_limit,
                c8_putting_a_record_leaves_its_counters,
                c8_inserting_a_record_takes_its_counters,
            ],
            blobs: [
                c9_attaching_makes_a_leased_blob_live,
                c9_a_blob_put_and_attached_in_one_set_is_live,
                c9_what_a_set_does_between_putting_and_attaching_a_blob_counts,
                c9_attaching_what_is_condemned_or_gone_is_a_conflict,
                c9_detaching_leaves_a_blob_live_and_stops_at_zero,
                c9_a_lease_protects_until_it_is_over,
                c9_condemning_needs_a_blob_without_references,
                c9_of_sweep_and_writer_one_wins,
                c8_putting_a_blob_leaves_its_references,
                m1_the_sweep_reads_what_is_due,
                m1_blobs_of_a_store_come_page_by_page,
            ],
            uploads: [
                c9_extending_appends_and_attaches_each_piece,
                c9_extending_keeps_tail_and_hashes,
                c9_extending_with_a_condemned_blob_changes_nothing,
                c3_only_the_writer_of_the_epoch_extends_at_the_offset,
                c3_of_writers_at_one_offset_one_wins,
                c3_of_writer_and_takeover_one_wins,
                c8_putting_an_upload_leaves_its_extents,
                c8_extents_go_with_their_upload_or_content,
                c8_putting_a_content_replaces_its_extents,
                m1_unfinished_uploads_of_an_account_come_page_by_page,
                m1_uploads_whose_time_is_over_come_with_their_extents,
            ],
            bulk: [
                c1_purging_takes_all_that_hung_on_the_tree,
                c1_purging_in_batches_never_cuts_a_branch,
                c1_purging_keeps_contents_that_others_share,
                c1_purging_counts_every_version_and_every_extent,
                c1_purging_a_wide_folder_takes_the_batches_it_says,
                c1_purging_takes_what_was_trashed_before_inside,
                c1_purging_what_is_not_trashed_does_nothing,
                c1_ending_shares_takes_those_of_a_node_and_of_what_lies_below_it,
                c7_rehoming_passes_nodes_versions_and_usage_on,
                c7_rehoming_keeps_within_the_quota_of_the_new_drive,
                c7_a_recount_sets_the_counters_right,
                c1_bulk_changes_answer_in_their_order,
            ],
            listings: [
                m1_pages_of_children_hold_every_row_once_in_order,
                m1_a_page_of_no_rows_has_none,
                m1_rows_that_stay_are_seen_while_others_come_and_go,
                m1_a_path_leads_from_the_root_to_the_node,
                m1_a_node_comes_with_its_path_and_its_content,
                m1_a_search_finds_parts_of_names_in_any_case,
                m1_a_search_matches_the_folded_name_only,
                m1_a_search_leaves_out_what_lies_in_the_trash,
                m1_pages_of_a_search_hold_every_row_once_in_order,
                m1_the_trash_comes_latest_first_page_by_page,
            ],
            directory: [
                m1_drives_come_page_by_page,
                m1_a_drive_is_listed_once_with_the_highest_role,
                m1_members_are_ordered_by_subject,
                m1_versions_come_newest_first_page_by_page,
                m1_a_content_is_found_by_its_hash_where_one_may_look,
                m1_the_crc32_of_many_contents_is_read_at_once,
                m1_contents_without_a_hash_come_page_by_page,
                m1_contents_in_a_store_come_page_by_page_and_are_summed_up,
                m1_the_versions_of_a_content_are_found_in_any_drive,
                m1_stores_with_blobs_are_named_once,
                m1_shares_of_a_maker_come_newest_first_page_by_page,
                m1_shares_of_one_node_are_told_apart,
                m1_events_come_in_the_order_of_their_commits,
                m1_racing_events_of_one_account_keep_their_order,
                m1_what_was_never_put_is_not_there,
            ],
            records: [
                m1_downloads_come_latest_first_page_by_page,
                m1_downloads_are_told_apart_by_account_node_and_time,
                c1_many_downloads_put_at_once_are_as_they_were_put_last,
                c1_forgetting_downloads_takes_the_oldest_first,
            ],
            numbers: [
                m3_a_number_that_no_catalog_keeps_is_found_nowhere,
                c3_a_number_that_no_catalog_keeps_is_never_the_expected_one,
                c8_a_record_with_a_number_that_no_catalog_keeps_is_refused,
            ],
        }
    };
    (@mount $module:ident, $open:ident, $($group:ident: [$($case:ident),* $(,)?]),* $(,)?) => {
        mod $module {
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    let (catalog, _kept) = super::$open().await;
                    $crate::catalog::$group::$case(catalog).await;
                }
            )*)*
        }
    };
}
