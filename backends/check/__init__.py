"""The check before dispatch: every circuit against an independent answer."""
