"""The Lua scripts, each one atomic step on one key: what an agent's hash holds, and how it changes.

Fields: `version`, `incarnation`, `record`; `marks`, of the last commits' tokens, 8 bytes each; `committed_ms`;
`snapshots`, "version:committed_ms:size " for each of the `snap:<version>` fields, oldest first; the settings
`ttl_ms`, `snapshot_limit`, `snapshot_ms` (0: no limit); `lease_owner`, `lease_ends_ms`, `lease_fence`. Times are
the server's. A hash without `version` is a lease alone, not a record, and expires with the lease.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from dmem_agents.store.base import MARK_BYTES, MARKS_KEPT


@dataclass(frozen=True)
class Script:
    """A script and its name on the server."""

    text: str

    @cached_property
    def sha(self) -> str:
        """What EVALSHA calls it."""
        return hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


_NOW = """
local key = KEYS[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""

COMMIT: Final = Script(
    _NOW
    + f"""
local wanted_version, wanted_incarnation, mark, fence = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local found = redis.call('HMGET', key, 'version', 'incarnation', 'marks', 'lease_fence', 'lease_ends_ms',
  'committed_ms', 'snapshots', 'ttl_ms', 'snapshot_limit', 'snapshot_ms')
local version, marks, lease_ends = found[1], found[3] or '', tonumber(found[5]) or 0
local last = #marks - {MARK_BYTES - 1}
for at = last, 1, -{MARK_BYTES} do
  if string.sub(marks, at, at + {MARK_BYTES - 1}) == mark then
    return {{1, string.format('%.0f', version - (last - at) / {MARK_BYTES}), found[2]}}
  end
end
if wanted_version == '' then
  if version or found[2] or redis.call('HEXISTS', key, 'record') == 1 then return {{0, version}} end
elseif version ~= wanted_version or found[2] ~= wanted_incarnation then
  return {{0, version}}
end
if fence ~= '' and (found[4] ~= fence or lease_ends <= now) then return {{2}} end

local changed = {{'version', ARGV[5], 'incarnation', ARGV[6], 'record', ARGV[7], 'committed_ms', now,
  'marks', string.sub(marks .. mark, -{MARK_BYTES * MARKS_KEPT})}}
local settings = {{}}
for i, name in ipairs({{'ttl_ms', 'snapshot_limit', 'snapshot_ms'}}) do
  if ARGV[7 + i] ~= '' then
    changed[#changed + 1] = name
    changed[#changed + 1] = ARGV[7 + i]
    settings[i] = tonumber(ARGV[7 + i])
  else
    settings[i] = tonumber(found[7 + i]) or 0
  end
end
local ttl, limit, max_age = settings[1], settings[2], settings[3]

local snapshots = {{}}
for v, ms, size in string.gmatch(found[7] or '', '(%d+):(%d+):(%d+)') do
  snapshots[#snapshots + 1] = {{v, ms, size}}
end
if limit > 0 and version then
  local before = redis.call('HGET', key, 'record')
  changed[#changed + 1] = 'snap:' .. version
  changed[#changed + 1] = before
  snapshots[#snapshots + 1] = {{version, found[6] or '0', #before}}
end
local first, dropped = math.max(1, #snapshots - limit + 1), {{}}
while max_age > 0 and first <= #snapshots and tonumber(snapshots[first][2]) < now - max_age do first = first + 1 end
for i = 1, first - 1 do dropped[i] = 'snap:' .. snapshots[i][1] end
local kept = {{}}
for i = first, #snapshots do kept[#kept + 1] = table.concat(snapshots[i], ':') .. ' ' end
if #snapshots > 0 then
  changed[#changed + 1] = 'snapshots'
  changed[#changed + 1] = table.concat(kept)
end

redis.call('HSET', key, unpack(changed))
if #dropped > 0 then redis.call('HDEL', key, unpack(dropped)) end
if ttl > 0 then
  redis.call('PEXPIRE', key, string.format('%.0f', math.max(ttl, lease_ends - now)))
else
  redis.call('PERSIST', key)
end
return {{1, ARGV[5], ARGV[6]}}
"""
)

LOAD_AND_REFRESH: Final = Script(
    _NOW
    + """
local found = redis.call('HMGET', key, 'version', 'incarnation', 'record', 'ttl_ms', 'lease_ends_ms')
local ttl = tonumber(found[4]) or 0
if found[1] and ttl > 0 then
  redis.call('PEXPIRE', key, string.format('%.0f', math.max(ttl, (tonumber(found[5]) or 0) - now)))
end
return {found[1], found[2], found[3]}
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
  if redis.call('HEXISTS', KEYS[1], 'version') == 0 then redis.call('HDEL', KEYS[1], 'lease_fence') end
end
return 0
""")
