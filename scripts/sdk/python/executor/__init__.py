"""The modules of mayfly_sandbox under the names that programs for the original executor service import."""
