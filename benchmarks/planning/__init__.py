"""What a diff past this machine takes: rates measured here, work read from headers, a simulation of
machines, and a check of it against real runs."""
