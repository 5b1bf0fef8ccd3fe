"""Where circuits run: samplers, transpiling, device snapshots, the pre-flight check."""
