"""SHOW: Streamlit glue. What is drawn comes from the floors below; here it meets page and URL."""
