"""The operator's side of an update: keys, and the signed repository that devices fetch releases from."""
