"""What is computed once and kept: entries of one kind, each under a digest of what decides it.

    <cache>/<kind>/<key>.json     a value, sealed with its sha256
    <cache>/<kind>/<key>/         files, sealed with their sha256 in about.json
    <cache>/<kind>/.<key>.part    a folder that is being written; renamed when it is whole
    <cache>/<kind>/.<key>.lock    held by the one process that writes an entry

An entry that can be read is used without writing anything, so a cache may be read-only or
another user's. A damaged entry counts as none. Values only save time: where they cannot be
stored, nothing is said. Folders are needed, so a failure to write one is an error.
"""

from hundredfold.cache._location import CacheError, location, writing
from hundredfold.cache._store import Entry, Store

__all__ = ["CacheError", "Entry", "Store", "location", "writing"]
