"""Commands that go on until they are stopped: the app, and the process that measures for it."""
