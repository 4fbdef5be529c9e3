"""The measured figures of the project and their tables in the documents."""
