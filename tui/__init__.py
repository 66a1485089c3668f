"""The app: a Textual face over `runs`. It never imports torch."""

import os

# Milliseconds after which esc is the key and not the beginning of another one; Textual reads it when it is
# imported. Its own 100 are felt, and sequences come in one piece over SSH too.
os.environ.setdefault("ESCDELAY", "50")
