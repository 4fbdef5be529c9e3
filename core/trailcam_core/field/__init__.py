"""What training, export and benchmarks share about field cameras: cut-outs, and figures of views of the test split."""
