"""When a photograph or clip was taken, as its file states it: never the time of the file, never now."""
