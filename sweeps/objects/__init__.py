"""Storage on an object store: objects created once, replaced by tag, and the log made of them."""
