"""What is kept on disk: results, drill-downs and the journal of a diff that runs."""
