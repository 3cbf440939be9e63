"""What the options of several commands are, and what ``--help`` says beside them."""
