"""Widgets of the app: each shows plain data that a screen hands it, and reads no catalogue."""
