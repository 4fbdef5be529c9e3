"""What the store keeps safe on a disk that wears out: pictures, their deletion, and the checksums of rows."""
