"""Where files are: a folder of this machine, a repository at the Hub, a config alone."""
