"""The process: command line, HTTP, settings. Knows no SQL."""
