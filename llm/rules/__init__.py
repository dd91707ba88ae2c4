"""An honest composer, not a model: what it writes it was given, and the same wish gives the same text."""
