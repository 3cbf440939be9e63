"""What the viewer operates: choosers, the progress of jobs, downloads."""
