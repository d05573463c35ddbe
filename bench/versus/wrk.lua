-- Sends the requests of the file BODIES (JSON, one a line) one after the other, with the API keys
-- of KEYS (separated by spaces) in turn, and prints one line of JSON at the end.
local requests, position = {}, 0

function init(args)
  local keys, bodies = {}, {}
  for key in os.getenv("KEYS"):gmatch("%S+") do keys[#keys + 1] = key end
  for body in io.lines(os.getenv("BODIES")) do bodies[#bodies + 1] = body end
  for number = 1, math.max(#bodies, #keys) do
    local headers = {["Content-Type"] = "application/json", ["Accept"] = "application/json"}
    if #keys > 0 then headers["Authorization"] = "Bearer " .. keys[1 + number % #keys] end
    local body = bodies[1 + number % #bodies]
    requests[number] = wrk.format("POST", "/graphql", headers, body)
  end
end

function request()
  position = position % #requests + 1
  return requests[position]
end

function done(summary, latency, _)
  local errors = summary.errors
  local failed = errors.status + errors.connect + errors.read + errors.write + errors.timeout
  local form = 'RESULT {"requests":%d,"seconds":%.6f,"bytes":%d,"failed":%d,"p50":%.3f,"p99":%.3f}\n'
  io.write(string.format(form, summary.requests, summary.duration / 1e6, summary.bytes, failed,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
