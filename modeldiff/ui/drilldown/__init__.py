"""The drill-downs behind a cell, as views."""
