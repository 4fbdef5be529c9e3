"""The rows that people get: what a picture's record holds, and the files that hold the rows."""
