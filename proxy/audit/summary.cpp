// `egret audit summary`: counts by sandbox, decision, reason and host; bytes; secrets used.
#include <algorithm>
#include <map>
#include <ostream>
#include <vector>

#include "proxy/audit/chain.h"
#include "proxy/audit/line_source.h"
#include "proxy/audit/read_record.h"
#include "proxy/audit/reader.h"

namespace egret {
namespace {

using Json = nlohmann::ordered_json;

// An agent can name any number of hosts: past this many different ones they count as one.
constexpr std::size_t names_max = 10'000;
constexpr std::size_t hosts_shown = 20;
constexpr const char* others = "(others)";

struct Tally {
  std::uint64_t allowed = 0, denied = 0, up = 0, down = 0;
};
using Tallies = std::map<std::string, Tally>;
using Counts = std::map<std::string, std::uint64_t>;

template <class Map>
typename Map::mapped_type& entry(Map& map, const std::string& name) {
  const auto found = map.find(name);
  if (found != map.end()) return found->second;
  return map[map.size() < names_max ? name : others];
}

struct Summary {
  std::size_t records = 0;
  std::string first, last;
  std::uint64_t requests = 0, connections = 0, names = 0, alarms = 0;
  Tally all;
  Tallies sandboxes, hosts;
  Counts reasons, secrets;
  void add(const ReadRecord& record);
};

void count(Tally& tally, bool allowed) {
  ++(allowed ? tally.allowed : tally.denied);
}

void Summary::add(const ReadRecord& record) {
  ++records;
  const std::string time = record.text("time");
  if (first.empty() || time < first) first = time;
  last = std::max(last, time);
  const std::string event = record.text("event");
  if (event == "gate") return;
  Tally& sandbox = entry(sandboxes, record.text("sandbox"));
  for (Tally* tally : {&all, &sandbox}) {
    tally->up += record.number("bytes", "up");
    tally->down += record.number("bytes", "down");
  }
  if (event == "response" || record.has("end")) return;
  if (event == "dns") {
    ++names;
  } else {
    ++(event == "request" ? requests : connections);
  }
  if (record.has("alarm")) ++alarms;
  const bool allowed = record.is("decision", "allow");
  if (!allowed) ++entry(reasons, record.text("reason"));
  if (event == "dns") return;  // the request that follows has the decision that counts
  count(all, allowed);
  count(sandbox, allowed);
  const std::string host = record.text("target", "host");
  if (!host.empty()) count(entry(hosts, host), allowed);
  const auto used = record.json().find("secrets");
  if (used == record.json().end() || !used->is_array()) return;
  for (const auto& use : *used) {
    if (use.is_object() && use.contains("name") && use["name"].is_string()) {
      ++entry(secrets, use["name"].get<std::string>());
    }
  }
}

Json json_of(const Tallies& tallies, bool bytes) {
  Json out = Json::object();
  for (const auto& [name, tally] : tallies) {
    Json& one = out[shown(name)] = {{"allowed", tally.allowed}, {"denied", tally.denied}};
    if (bytes) one["bytes"] = {{"up", tally.up}, {"down", tally.down}};
  }
  return out;
}

Json json_of(const Counts& counts) {
  Json out = Json::object();
  for (const auto& [name, number] : counts)
    out[shown(name)] = number;
  return out;
}

Json json_of(const Summary& sum) {
  return {{"records", sum.records},
          {"first", shown(sum.first)},
          {"last", shown(sum.last)},
          {"requests", sum.requests},
          {"connections", sum.connections},
          {"dns", sum.names},
          {"allowed", sum.all.allowed},
          {"denied", sum.all.denied},
          {"alarms", sum.alarms},
          {"bytes", {{"up", sum.all.up}, {"down", sum.all.down}}},
          {"sandboxes", json_of(sum.sandboxes, true)},
          {"reasons", json_of(sum.reasons)},
          {"hosts", json_of(sum.hosts, false)},
          {"secrets", json_of(sum.secrets)}};
}

void put(std::ostream& out, const std::string& name, const std::string& what) {
  out << "  " << name << std::string(name.size() < 32 ? 32 - name.size() : 0, ' ') << "  " << what
      << "\n";
}

std::string text_of(const Tally& tally) {
  return std::to_string(tally.allowed) + " allowed, " + std::to_string(tally.denied) + " denied";
}

void print(const Summary& sum, std::ostream& out) {
  out << sum.records << " records, " << shown(sum.first) << " to " << shown(sum.last) << "\n"
      << sum.requests << " requests, " << sum.connections << " connections, " << sum.names
      << " names asked for; " << text_of(sum.all) << "; bytes up " << sum.all.up << " down "
      << sum.all.down << "\n";
  if (sum.alarms > 0) out << sum.alarms << " ALARMS\n";
  if (!sum.sandboxes.empty()) out << "sandboxes\n";
  for (const auto& [name, tally] : sum.sandboxes) {
    put(out, name.empty() ? "-" : shown(name),
        text_of(tally) + ", bytes up " + std::to_string(tally.up) + " down " +
            std::to_string(tally.down));
  }
  if (!sum.reasons.empty()) out << "denied because\n";
  for (const auto& [name, number] : sum.reasons)
    put(out, shown(name), std::to_string(number));
  std::vector<std::pair<std::string, Tally>> hosts(sum.hosts.begin(), sum.hosts.end());
  std::stable_sort(hosts.begin(), hosts.end(), [](const auto& left, const auto& right) {
    return left.second.allowed + left.second.denied > right.second.allowed + right.second.denied;
  });
  if (!hosts.empty()) out << "hosts\n";
  for (std::size_t i = 0; i < hosts.size() && i < hosts_shown; ++i) {
    put(out, shown(hosts[i].first), text_of(hosts[i].second));
  }
  if (hosts.size() > hosts_shown) out << "  and " << hosts.size() - hosts_shown << " more\n";
  if (!sum.secrets.empty()) out << "secrets used in\n";
  for (const auto& [name, number] : sum.secrets) {
    put(out, shown(name), std::to_string(number) + " requests");
  }
}

}  // namespace

Result<std::size_t, AuditFault> audit_summary(const AuditQuery& query, std::ostream& out) {
  auto filter = RecordFilter::from(query, std::chrono::system_clock::now());
  if (!filter) return filter.error();
  auto source = LineSource::open(query.file);
  if (!source) return source.error();
  Summary sum;
  const auto add = [&](std::string_view text) {
    for (const LineHead& head : line_parts(text).records) {
      const auto record = ReadRecord::parse(head.text);
      if (record && filter->wants(*record)) sum.add(*record);
    }
  };
  while (const auto line = source->next())
    add(line->text);
  if (const auto line = source->rest()) add(line->text);
  if (query.json) {
    out << json_of(sum).dump() << "\n";
  } else {
    print(sum, out);
  }
  return sum.records;
}

}  // namespace egret
