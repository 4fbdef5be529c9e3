"""The contract that every stage keeps: bundles, images, inference, labels, run directories, statistics, files."""
