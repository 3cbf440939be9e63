"""What `make docs` adds to mkdocs; mkdocs.yml names both."""
