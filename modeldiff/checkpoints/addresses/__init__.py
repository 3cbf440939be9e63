"""How what lies elsewhere is written: a repository of the Hub, an object store, a web address."""
