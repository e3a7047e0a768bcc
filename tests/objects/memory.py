"""Object store in memory, with pauses and failures at every operation."""

import threading
from collections.abc import Callable
from itertools import count

from sweeps.objects.store import Entry, Object


class MemoryStore:
    """Objects of one URL; ``before`` and ``after`` are called at every operation.

    Both get the name of the operation and that of the object, and may raise: ``before`` an
    operation has no effect then, ``after`` it has.
    """

    url = "s3://memory/sweep"

    def __init__(self):
        self.objects, self._tags, self._lock = {}, count(), threading.RLock()
        self.before = self.after = lambda verb, name: None

    def create(self, name, content):
        return self._do("create", name, lambda: self._create(name, content))

    def replace(self, name, content, *, tag):
        return self._do("replace", name, lambda: self._replace(name, content, tag))

    def get(self, name):
        return self._do("get", name, lambda: self.objects.get(name))

    def list(self, prefix=""):
        return iter(self._do("list", prefix, lambda: self._listed(prefix)))

    def delete(self, *names):
        for name in names:
            self._do("delete", name, lambda name=name: self.objects.pop(name, None))

    def _do(self, verb, name, operation: Callable):
        self.before(verb, name)
        with self._lock:
            result = operation()
        self.after(verb, name)
        return result

    def _create(self, name, content):
        if name in self.objects:
            return self.objects[name].content == content
        self._put(name, content)
        return True

    def _replace(self, name, content, tag):
        present = self.objects.get(name)
        if (present.tag if present else None) != tag:
            return present.tag if present and present.content == content else None
        return self._put(name, content)

    def _put(self, name, content):
        self.objects[name] = Object(content=content, tag=str(next(self._tags)))
        return self.objects[name].tag

    def _listed(self, prefix):
        return [
            Entry(name=name, size=len(found.content), tag=found.tag)
            for name, found in sorted(self.objects.items())
            if name.startswith(prefix)
        ]
