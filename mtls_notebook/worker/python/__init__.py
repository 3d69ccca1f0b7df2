"""Python workers: a cell on a private loop, the module `workers` that it imports, and its bodies and redirects."""
