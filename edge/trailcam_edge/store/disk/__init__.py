"""What the store keeps safe on a disk that wears out: pictures, and the checksums of rows."""
