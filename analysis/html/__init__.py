"""Report of a sweep as one self-contained page of HTML."""
