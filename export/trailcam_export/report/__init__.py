"""The drift report: JSON, HTML and JUnit."""
