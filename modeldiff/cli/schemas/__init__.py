"""The JSON schemas of the documents that the command line prints."""
