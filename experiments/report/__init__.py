"""Pictures, tables and pages that all systems share."""
