"""The Lua scripts, each one atomic step on one key: what an agent's hash holds, and how it changes.

Fields: `version`, `incarnation`, `revision`; `record`, with its end in `rest` when it is large (`ops` says why);
`marks`, of the last commits' tokens, 8 bytes each; `committed_ms`; `snapshots`, "version:committed_ms:size " for each
of the `snap:<version>` (and `snap:<version>:rest`) fields, oldest first; the settings `ttl_ms`, `snapshot_limit`,
`snapshot_ms` (0: no limit); `lease_owner`, `lease_ends_ms`, `lease_fence`. Times are the server's. A hash without
`version` is a lease alone, not a record, and expires with the lease.

Lua takes time for every byte it is given, so a large record is not. COMMIT without its last argument takes the old
record out when it agrees (and first looks whether it may), and the next command of the same transaction, HSETNX, puts
the new one in. When it refuses, the old record is still there and HSETNX does nothing; where there was none, an empty
one stands in its way, and expires like a lease alone.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from dmem_agents.store.base import MARK_BYTES, MARKS_KEPT


@dataclass(frozen=True)
class Script:
    """A script and its name on the server."""

    written: str

    @cached_property
    def text(self) -> bytes:
        """What EVAL is given, without indents: the server hashes every byte of it, every time."""
        return re.sub(r"\n\s+", "\n", self.written).encode()

    @cached_property
    def sha(self) -> str:
        """What EVALSHA calls it."""
        return hashlib.sha1(self.text, usedforsecurity=False).hexdigest()


_NOW = """
local key = KEYS[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""

COMMIT: Final = Script(
    _NOW
    + f"""
local wanted, incarnation, seen, new, revision, mark, fence, settings, rest, record = unpack(ARGV)
local found = redis.call('HMGET', key, 'version', 'incarnation', 'marks', 'lease_fence', 'lease_ends_ms',
  'committed_ms', 'snapshots', 'ttl_ms', 'snapshot_limit', 'snapshot_ms', 'revision')
local version, marks, lease_ends = found[1], found[3] or '', tonumber(found[5]) or 0
local function refuse(...)
  if not record and redis.call('HSETNX', key, 'record', '') == 1 and redis.call('HLEN', key) == 1 then
    redis.call('HSET', key, 'lease_owner', '')
    redis.call('PEXPIRE', key, 100)
  end
  return {{...}}
end
local at = string.find(marks, mark, 1, true)
while at and at % {MARK_BYTES} ~= 1 do at = string.find(marks, mark, at + 1, true) end
if at then
  redis.call('HSET', key, 'marks', marks)  -- nothing new, but replicas must have confirmed it for WAIT to count them
  local later = (#marks - at + 1) / {MARK_BYTES} - 1
  return refuse(1, string.format('%.0f', version - later), found[2], later == 0 and found[11] or '')
end
if wanted == '' then
  if version or found[2] or redis.call('HSTRLEN', key, 'record') > 0 then return refuse(0, version) end
elseif version ~= wanted or found[2] ~= incarnation or (found[11] or '') ~= seen then
  return refuse(0, version)
end
if fence ~= '' and (found[4] ~= fence or lease_ends <= now) then return refuse(2) end

local changed = {{'version', new, 'incarnation', incarnation, 'revision', revision,
  'committed_ms', now, 'marks', string.sub(marks .. mark, -{MARK_BYTES * MARKS_KEPT})}}
local dropped = {{}}
local function change(name, value) changed[#changed + 1] = name; changed[#changed + 1] = value end
local function drop(name) dropped[#dropped + 1] = name end
if record then change('record', record) else drop('record') end

local ttl, limit, max_age = found[8], found[9], found[10]
if settings ~= '' then
  local asked = {{string.match(settings, '(%d*) (%d*) (%d*)')}}
  for i, name in ipairs({{'ttl_ms', 'snapshot_limit', 'snapshot_ms'}}) do
    if asked[i] ~= '' then change(name, asked[i]) else asked[i] = found[7 + i] end
  end
  ttl, limit, max_age = unpack(asked, 1, 3)
end
ttl, limit, max_age = tonumber(ttl) or 0, tonumber(limit) or 0, tonumber(max_age) or 0

if found[7] or limit > 0 then
  local snapshots = {{}}
  for v, ms, size in string.gmatch(found[7] or '', '(%d+):(%d+):(%d+)') do
    snapshots[#snapshots + 1] = {{v, ms, size}}
  end
  if limit > 0 and version then
    local before = redis.call('HMGET', key, 'record', 'rest')
    change('snap:' .. version, before[1])
    if before[2] then change('snap:' .. version .. ':rest', before[2]) end
    snapshots[#snapshots + 1] = {{version, found[6] or '0', #before[1] + #(before[2] or '')}}
  end
  local first, kept = math.max(1, #snapshots - limit + 1), {{}}
  while max_age > 0 and first <= #snapshots and tonumber(snapshots[first][2]) < now - max_age do first = first + 1 end
  for i, snapshot in ipairs(snapshots) do
    if i < first then
      drop('snap:' .. snapshot[1])
      drop('snap:' .. snapshot[1] .. ':rest')
    else
      kept[#kept + 1] = table.concat(snapshot, ':') .. ' '
    end
  end
  if #snapshots > 0 then change('snapshots', table.concat(kept)) end
end

if rest == '' then drop('rest') else change('rest', rest) end
if not record then redis.call('HDEL', key, '') end
redis.call('HSET', key, unpack(changed))
if #dropped > 0 then redis.call('HDEL', key, unpack(dropped)) end
if ttl > 0 then
  redis.call('PEXPIRE', key, string.format('%.0f', math.max(ttl, lease_ends - now)))
else
  redis.call('PERSIST', key)
end
return 1
"""
)

LOAD_AND_REFRESH: Final = Script(
    _NOW
    + """
local found = redis.call('HMGET', key, 'version', 'incarnation', 'revision', 'record', 'rest', 'ttl_ms',
  'lease_ends_ms')
local ttl = tonumber(found[6]) or 0
if found[1] and ttl > 0 then
  redis.call('PEXPIRE', key, string.format('%.0f', math.max(ttl, (tonumber(found[7]) or 0) - now)))
end
return {found[1], found[2], found[3], found[4], found[5]}
"""
)

DELETE: Final = Script("""
local existed = redis.call('HEXISTS', KEYS[1], 'version')
redis.call('UNLINK', KEYS[1])
return existed
""")

ACQUIRE: Final = Script(
    _NOW
    + """
local owner, ttl = ARGV[1], tonumber(ARGV[2])
local lease = redis.call('HMGET', key, 'lease_owner', 'lease_ends_ms', 'lease_fence', 'version')
local held = lease[1] and (tonumber(lease[2]) or 0) > now
if held and lease[1] ~= owner then return '' end
local fence = lease[3]
if not held or not fence then
  local microseconds = time[1] * 1000000 + time[2]
  fence = string.format('%.0f', math.max(microseconds, (tonumber(fence) or 0) + 1))
end
local ends = string.format('%.0f', now + ttl)
redis.call('HSET', key, 'lease_owner', owner, 'lease_ends_ms', ends, 'lease_fence', fence)
local left = redis.call('PTTL', key)
if not lease[4] or (left >= 0 and left < ttl) then redis.call('PEXPIRE', key, ARGV[2]) end
return fence
"""
)

RELEASE: Final = Script("""
if redis.call('HGET', KEYS[1], 'lease_owner') == ARGV[1] then
  redis.call('HDEL', KEYS[1], 'lease_owner', 'lease_ends_ms')
  if redis.call('HEXISTS', KEYS[1], 'version') == 0 then
    redis.call('HDEL', KEYS[1], 'lease_fence')
    if redis.call('HSTRLEN', KEYS[1], 'record') == 0 then redis.call('HDEL', KEYS[1], 'record') end
  end
end
return 0
""")
