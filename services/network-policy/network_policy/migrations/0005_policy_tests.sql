-- The policy tests that are kept with a workspace, and how each stood at the last look.
ALTER TABLE workspace
    ADD COLUMN policy_tests jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN policy_test_results jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN policy_tests_observed_at timestamptz;
