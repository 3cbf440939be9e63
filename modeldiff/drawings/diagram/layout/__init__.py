"""Where the diagram's boxes and lines stand."""
