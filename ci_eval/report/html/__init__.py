"""The report as one file for a browser: it fetches nothing, and nothing in it runs but the script that it names."""
