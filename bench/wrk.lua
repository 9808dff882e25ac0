-- SPDX-License-Identifier: MIT
-- What wrk sends: wrk -s wrk.lua URL -- get TARGETS_FILE USER_AGENT | deposit | mix USER_AGENT
-- mix: a deposit, then the installer for its code, and so on.

local requests = {}
local codes = {}
local next_request = 0
local agent = ""

local function deposits()
  local made = {}
  for i = 1, 1000 do
    -- As in deposit_values.h: 150 bytes of values, the fingerprint not counted.
    local body = string.format(
      '{"connect_url":"https://rport.example.com:443/path-of-a-tenant/0123456789abcdef0123456789abcdef0",' ..
      '"fingerprint":"2a:c4:79:04:80:ba:7c:60:05:e5:2c:49:6d:74:56:24",' ..
      '"client_id":"client-of-an-example%010d","password":"correct-horse-battery-staple-0123456789a"}', i)
    made[i] = wrk.format("POST", "/", {["Content-Type"] = "application/json"}, body)
  end
  return made
end

local function get(target)
  return wrk.format("GET", target, {["User-Agent"] = agent, ["Accept"] = "*/*"})
end

function init(args)
  if args[1] == "get" then
    agent = args[3]
    for target in io.lines(args[2]) do
      requests[#requests + 1] = get(target)
    end
    -- In random order: what was deposited in one go, asked for in that order, would be kind to the caches.
    math.randomseed(20260101)
    for i = #requests, 2, -1 do
      local j = math.random(i)
      requests[i], requests[j] = requests[j], requests[i]
    end
    return
  end
  requests = deposits()
  if args[1] ~= "mix" then return end
  agent = args[2]
  response = function(status, headers, body)
    local code = status == 200 and body:match('^{"pairing_code":"(%w+)"')
    if code then codes[#codes + 1] = code end
  end
end

function request()
  local code = table.remove(codes)
  if code then return get("/" .. code) end
  next_request = next_request % #requests + 1
  return requests[next_request]
end
