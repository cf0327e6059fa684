-- Who is where, over all workers. Kept is what each worker said, so that what a dead one said can be taken back;
-- told is only what that changes: the first worker that has somebody in a room, the last one that had.
--   online:<user>   the workers with a socket of theirs, "w1,w2"
--   present:<room>  field <user>: the workers with a socket of theirs in the room, a blank, and their card
--   held:<worker>   what that worker said, "<room> <user>" each
-- Keys are made from names in here, so all of it has to be in one Redis (or one slot).
-- Before this text stand ORIGIN, HOLDERS, LARGE (people from which a room is only counted) and MEETING (the kinds
-- of rooms in which people are told of each other).
local counted = {}

local function tell(room, letter, payload)
  redis.call('PUBLISH', 'room:' .. room, 'p' .. ORIGIN .. string.char(#letter) .. letter .. payload)
end

local function meets(room)
  return MEETING[string.match(room, '^[^:]*')]
end

local function without(workers, worker)
  local left = {}
  for each in string.gmatch(workers, '[^,]+') do
    if each ~= worker then left[#left + 1] = each end
  end
  return table.concat(left, ',')
end

local function come_online(worker, user)
  local workers = redis.call('GET', 'online:' .. user)
  if not workers then
    redis.call('SET', 'online:' .. user, worker)
    tell('online:' .. user, '+', '')
  elseif not string.find(workers, worker, 1, true) then
    redis.call('SET', 'online:' .. user, workers .. ',' .. worker)
  end
end

local function go_offline(worker, user, lost)
  local workers = redis.call('GET', 'online:' .. user)
  if not workers then
    if lost then tell('online:' .. user, '-', '') end
    return
  end
  if not string.find(workers, worker, 1, true) then return end
  local left = without(workers, worker)
  if left ~= '' then
    redis.call('SET', 'online:' .. user, left)
  else
    redis.call('DEL', 'online:' .. user)
    tell('online:' .. user, '-', '')
  end
end

-- `again`: it was told before, and only Redis has forgotten it.
local function enter(worker, room, user, card, again)
  local key = 'present:' .. room
  local known = redis.call('HGET', key, user)
  if known then
    local workers = string.match(known, '^%S*')
    if not string.find(workers, worker, 1, true) then
      redis.call('HSET', key, user, workers .. ',' .. worker .. ' ' .. card)
    end
    return
  end
  redis.call('HSET', key, user, worker .. ' ' .. card)
  if not meets(room) then return end
  if again or redis.call('HLEN', key) > LARGE then
    counted[room] = true
  else
    tell(room, 'j', '["' .. user .. '",' .. card .. ']')
  end
end

local function part(worker, room, user, lost)
  local key = 'present:' .. room
  local known = redis.call('HGET', key, user)
  if known then
    local workers, card = string.match(known, '^(%S*) (.*)$')
    if not string.find(workers, worker, 1, true) then return end
    local left = without(workers, worker)
    if left ~= '' then
      redis.call('HSET', key, user, left .. ' ' .. card)
      return
    end
    redis.call('HDEL', key, user)
  elseif not lost then
    return
  end
  if not meets(room) then return end
  if redis.call('HLEN', key) >= LARGE then
    counted[room] = true
  else
    tell(room, 'l', '["' .. user .. '"]')
  end
end

local function arrive(worker, room, user, card, again)
  redis.call('SADD', 'held:' .. worker, room .. ' ' .. user)
  if card == '' then come_online(worker, user) else enter(worker, room, user, card, again) end
end

local function leave(worker, room, user, lost)
  redis.call('SREM', 'held:' .. worker, room .. ' ' .. user)
  if room == 'user:' .. user then go_offline(worker, user, lost) else part(worker, room, user, lost) end
end

-- ARGV: 'say', the worker, and for each change: how, room, user, card (empty for somebody's own room).
-- How: '+' is here, '*' is here and it was told before, '-' is here no more, '!' likewise, and Redis may have
-- forgotten that they were.
local function say()
  local worker = ARGV[2]
  redis.call('SADD', HOLDERS, worker)
  for place = 3, #ARGV, 4 do
    local how, room, user = ARGV[place], ARGV[place + 1], ARGV[place + 2]
    if how == '+' or how == '*' then
      arrive(worker, room, user, ARGV[place + 3], how == '*')
    else
      leave(worker, room, user, how == '!')
    end
  end
  return 0
end

-- ARGV: 'sweep', the worker that asks, most entries to take. Takes back what one dead worker said; gives how many
-- entries it took, 0 where no worker is dead that said anything.
local function sweep()
  for _, worker in ipairs(redis.call('SMEMBERS', HOLDERS)) do
    if worker ~= ARGV[2] and redis.call('EXISTS', 'worker:' .. worker, 'lingers:' .. worker) == 0 then
      local taken = redis.call('SPOP', 'held:' .. worker, ARGV[3])
      if #taken == 0 then
        redis.call('SREM', HOLDERS, worker)
      else
        for _, entry in ipairs(taken) do
          local room, user = string.match(entry, '^(.*) (%S+)$')
          leave(worker, room, user, false)
        end
        return #taken
      end
    end
  end
  return 0
end

local answer
if ARGV[1] == 'say' then answer = say() else answer = sweep() end
for room in pairs(counted) do tell(room, 'c', '') end
return answer
