"""Every option of aspera.conf has a test that sees its effect: a new one without a test fails here."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from asperacentral.config_table import NOT_IN_EFFECT, OPTIONS

SEEN: dict[str, str] = {
    "address": "tests.test_options:test_soap_is_served_at_the_given_address",
    "port": "tests.test_options:test_soap_is_served_at_the_given_port",
    "backlog": "tests.test_options:test_backlogs_are_those_of_the_listening_ports",
    "schema_validation": "tests.test_daemon:test_strict_schema_validation_refuses_what_is_otherwise_skipped",
    "raw_options": "tests.e2e.test_options:"
    "test_an_order_may_hand_over_raw_options_where_the_option_allows_it",
    "mgmt_backlog": "tests.test_options:test_backlogs_are_those_of_the_listening_ports",
    "mgmt_port": "tests.test_options:test_transfer_processes_report_at_the_given_port",
    "persistent_store": "tests.test_daemon:"
    "test_with_the_store_disabled_all_works_but_the_reliable_query_and_nothing_is_kept",
    "persistent_store_path": "tests.test_options:test_the_store_is_where_the_option_says",
    "persistent_store_max_age": "tests.test_daemon:"
    "test_a_hangup_changes_what_can_change_and_names_what_needs_a_restart",
    "persistent_store_on_error": "tests.test_daemon:"
    "test_a_store_that_cannot_be_written_ends_the_daemon_where_the_option_says_exit",
    "event_buffer_capacity": "tests.e2e.test_options:"
    "test_a_buffer_that_drops_loses_records_of_files_while_the_store_is_stuck_and_nothing_else",
    "event_buffer_overrun": "tests.e2e.test_options:"
    "test_a_buffer_that_drops_loses_records_of_files_while_the_store_is_stuck_and_nothing_else",
    "compact_on_startup": "tests.test_options:"
    "test_unused_space_is_given_back_at_the_start_if_the_option_says_so",
    "files_per_session": "tests.e2e.test_options:"
    "test_empty_files_and_those_already_there_are_recorded_if_the_options_say_so",
    "file_errors": "tests.e2e.test_options:test_skipped_and_failed_files_are_recorded_as_the_options_say",
    "ignore_empty_files": "tests.e2e.test_options:"
    "test_empty_files_and_those_already_there_are_recorded_if_the_options_say_so",
    "ignore_skipped_files": "tests.e2e.test_options:"
    "test_skipped_and_failed_files_are_recorded_as_the_options_say",
    "ignore_no_transfer_files": "tests.e2e.test_options:"
    "test_empty_files_and_those_already_there_are_recorded_if_the_options_say_so",
    "db_synchronous": "tests.test_options:"
    "test_the_disk_is_waited_for_as_the_option_says_but_always_for_what_is_acknowledged",
    "db_journal": "tests.test_options:test_the_journal_is_kept_as_the_option_says",
    "validation_timeout": "tests.e2e.test_validation:test_two_validators_share_the_files_and_those_of_a_silent_one",
    "post_transfer_validation": "tests.e2e.test_options:"
    "test_whole_files_wait_for_a_validator_if_the_option_says_so",
    "level": "tests.test_cli:test_the_level_of_the_configuration_counts_without_d",
    "directory": "tests.test_options:test_logs_are_written_where_and_as_large_and_as_many_as_the_options_say",
    "log_size": "tests.test_options:test_logs_are_written_where_and_as_large_and_as_many_as_the_options_say",
    "log_count": "tests.test_options:test_logs_are_written_where_and_as_large_and_as_many_as_the_options_say",
    "host_key_policy": "tests.e2e.test_options:test_a_host_that_is_not_known_is_met_as_the_options_say",
    "known_hosts": "tests.e2e.test_options:test_a_host_that_is_not_known_is_met_as_the_options_say",
    "ascp_path": "tests.test_options:"
    "test_another_transfer_process_is_started_and_after_a_restart_waited_for_as_long_as_the_options_say",
    "max_body": "tests.test_options:test_a_request_larger_than_the_option_allows_is_refused",
    "observer_allow": "tests.test_daemon:"
    "test_a_hangup_changes_what_can_change_and_names_what_needs_a_restart",
    "metrics": "tests.test_options:test_metrics_are_for_whom_the_options_say",
    "page_server": "tests.browser.page.test_demo:test_from_the_address_to_files_sent_received_and_watched",
    "console": "tests.test_options:test_the_console_is_served_to_its_users_where_the_option_says",
    "web_names": "tests.test_options:test_pages_may_be_opened_by_the_names_that_the_option_lists",
    "web_users": "tests.test_options:test_metrics_are_for_whom_the_options_say",
    "certificate": "tests.gateway.test_v3:test_only_pages_of_the_origins_that_are_named_may_ask",
    "docroot": "tests.gateway.test_options:test_users_without_a_docroot_have_a_folder_in_that_of_the_option",
    "folders": "tests.gateway.test_v3:test_with_its_limits_and_its_page_it_is_as_the_beta_was",
    "most_files": "tests.gateway.test_v3:test_with_its_limits_and_its_page_it_is_as_the_beta_was",
    "page_port": "tests.gateway.test_v3:test_with_its_limits_and_its_page_it_is_as_the_beta_was",
    "idle_timeout": "tests.gateway.test_options:"
    "test_a_client_that_sends_nothing_is_dropped_when_the_option_says",
    "key": "tests.gateway.test_options:test_a_key_may_be_in_a_file_of_its_own",
    "link_lifetime": "tests.gateway.test_options:test_links_are_good_as_long_and_as_often_as_the_options_say",
    "link_reuse": "tests.gateway.test_options:test_links_are_good_as_long_and_as_often_as_the_options_say",
    "version": "tests.gateway.test_options:"
    "test_the_version_that_is_announced_is_that_of_the_option_and_all_are_served",
    "origins": "tests.gateway.test_v3:test_only_pages_of_the_origins_that_are_named_may_ask",
    "staging": "tests.gateway.test_options:test_staging_is_in_the_given_folder_which_is_emptied_at_the_start",
    "staging_size": "tests.gateway.test_transfer_server:"
    "test_one_file_that_is_larger_than_the_room_is_refused",
    "transfer_key": "tests.gateway.test_transfer_server:"
    "test_an_upload_goes_on_to_the_server_and_leaves_nothing_here",
    "transfer_servers": "tests.gateway.test_transfer_server:test_a_server_that_is_not_named_is_not_reached",
    "users": "tests.gateway.test_options:test_users_without_a_docroot_have_a_folder_in_that_of_the_option",
    "adoption_patience": "tests.test_options:"
    "test_another_transfer_process_is_started_and_after_a_restart_waited_for_as_long_as_the_options_say",
}
"""Option -> module and name of a test that sets it and sees what it does."""

ELEMENTS = [option.element for options in OPTIONS.values() for option in options]


def test_every_option_in_effect_has_a_test_and_no_other() -> None:
    assert sorted(SEEN) == sorted(set(ELEMENTS) - set(NOT_IN_EFFECT))


@pytest.mark.parametrize("option", SEEN)
def test_the_test_is_there_and_its_module_speaks_of_the_option(option: str) -> None:
    module_name, _, name = SEEN[option].partition(":")
    module = import_module(module_name)
    assert name.startswith("test_")
    assert callable(getattr(module, name))
    assert module.__file__
    assert option in Path(module.__file__).read_text("utf-8")
