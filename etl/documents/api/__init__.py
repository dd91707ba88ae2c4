"""Routes of documents: tasks, rules, projects, tables, mounts."""
