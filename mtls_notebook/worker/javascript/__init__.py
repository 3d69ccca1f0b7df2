"""JavaScript and TypeScript workers: workerd as a process, the bridge to it, and what it reports in our words."""
