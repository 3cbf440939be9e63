"""What a team shares in an object store: results, drill-downs, and the journals of diffs that run.

This machine's cache comes first, and the store after it. Of a store that does not answer whoever
asks first waits for some seconds; then all go on with what this machine has.
"""
