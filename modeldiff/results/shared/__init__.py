"""What a team shares in an object store: results, drill-downs, and the journals of diffs that run.

This machine's cache comes first, and the store after it. Nothing here waits for a store that does
not answer: whoever asks goes on with what this machine has.
"""
