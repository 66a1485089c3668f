"""The app: a Textual face over `runs`. It never imports torch."""
