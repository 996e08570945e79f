"""How we talk to vendors: the project's only HTTP client, strict JSON, and errors grouped by what to do."""
