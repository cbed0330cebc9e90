"""One file a job library, all behind `pytest_jobs.harness.records.bridge.Bridge`."""
