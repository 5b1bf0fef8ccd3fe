"""Where circuits run: samplers, transpiling, device snapshots, the validation gate."""
