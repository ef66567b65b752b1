"""The cache: entries of several kinds, each under a digest of the facts that determine it.

    <cache>/<kind>/<key>.json     a value, with its sha256
    <cache>/<kind>/<key>/         files, with their sha256 in about.json
    <cache>/<kind>/.<key>.part    a folder that is being written; renamed when complete
    <cache>/<kind>/.<key>.lock    held by the one process that writes an entry

A cache may be read-only or another user's: using an entry needs only read access. A damaged
entry counts as missing. A value that cannot be stored is silently skipped,
since it only saves time. A folder that cannot be written is an error.
"""

from hundredfold.cache._location import CacheError, location, writing
from hundredfold.cache._sealed import discard
from hundredfold.cache._store import Entry, Store

__all__ = ["CacheError", "Entry", "Store", "discard", "location", "writing"]
