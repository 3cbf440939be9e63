"""What whoever runs the program can watch: counts for Prometheus, and a log in lines of JSON."""
