#include "config/yaml/schema.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <numeric>

namespace egret::yaml {
namespace {

// Levenshtein, one row at a time.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

std::string quoted(std::string_view text) {
  constexpr std::size_t shown_max = 80;
  if (text.size() > shown_max) return "`" + std::string(text.substr(0, shown_max)) + "...`";
  return "`" + std::string(text) + "`";
}

std::string subject(const Node& node) {
  return node.name.empty() ? "this" : quoted(node.name);
}

void report_kind(Problems& problems, const Node& node, std::string_view needed,
                 std::string_view example) {
  if (node.kind == Node::Kind::broken) return;
  problems.add(
      node.mark,
      subject(node) + " is " + kind_in_words(node) + " where " + std::string(needed) + " is needed",
      "write " + std::string(example));
}

bool check_key(Problems& problems, const Node& key) {
  if (key.kind == Node::Kind::broken) return false;
  if (key.kind != Node::Kind::scalar || key.text.empty()) {
    problems.add(key.mark, "a key that is " + kind_in_words(key), "write a name before the colon");
    return false;
  }
  if (key.text == "<<") {
    problems.add(key.mark, "the merge key `<<`",
                 "write the keys out; a profile can `include` others");
    return false;
  }
  return true;
}

}  // namespace

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) text += i + 1 == names.size() ? " and " : ", ";
    text += quoted(names[i]);
  }
  return text;
}

std::optional<std::string> nearest(std::string_view text,
                                   const std::vector<std::string>& candidates) {
  constexpr std::size_t compared_max = 64;
  if (text.size() > compared_max) return std::nullopt;
  const std::size_t allowed = std::max<std::size_t>(1, text.size() / 3);
  std::optional<std::string> best;
  std::size_t best_distance = allowed + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t d = distance(text, candidate);
    if (d < best_distance) {
      best_distance = d;
      best = candidate;
    }
  }
  return best;
}

void report_unknown(Problems& problems, Mark mark, std::string_view kind, std::string_view text,
                    const std::vector<std::string>& known) {
  std::string instead = "there is none here";
  if (const auto near = nearest(text, known)) {
    instead = "write " + quoted(*near) + " (known: " + listed(known) + ")";
  } else if (!known.empty()) {
    instead = "known: " + listed(known);
  }
  problems.add(mark, "unknown " + std::string(kind) + " " + quoted(text), std::move(instead));
}

std::vector<Pair> pairs_of(Problems& problems, const Node& node, std::string_view example) {
  std::vector<Pair> pairs;
  if (node.kind != Node::Kind::mapping) {
    report_kind(problems, node, "a mapping", example);
    return pairs;
  }
  std::map<std::string_view, int> first_line;
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    const Node& key = node.keys[i];
    if (!check_key(problems, key)) continue;
    const auto [first, added] = first_line.emplace(key.text, key.mark.line);
    if (!added) {
      problems.add(key.mark, "the key " + quoted(key.text) + " stands here a second time",
                   "keep one of them; the first is in line " + std::to_string(first->second));
      continue;
    }
    pairs.push_back({&key, &node.items[i]});
  }
  return pairs;
}

std::vector<const Node*> values_of(Problems& problems, const Node& node, std::span<const Key> keys,
                                   std::string_view example) {
  std::vector<const Node*> values(keys.size(), nullptr);
  std::vector<std::string> names;
  for (const Key& key : keys)
    names.emplace_back(key.name);
  std::vector<bool> present(keys.size(), false);
  for (const Pair& pair : pairs_of(problems, node, example)) {
    const auto at = std::find(names.begin(), names.end(), pair.key->text);
    if (at == names.end()) {
      report_unknown(problems, pair.key->mark, "key", pair.key->text, names);
      continue;
    }
    const auto index = static_cast<std::size_t>(at - names.begin());
    present[index] = true;
    if (pair.value->kind == Node::Kind::null) {
      problems.add(pair.value->mark, quoted(pair.key->text) + " has no value",
                   "write one behind the colon, or remove the line");
    } else if (pair.value->kind != Node::Kind::broken) {
      values[index] = pair.value;
    }
  }
  if (node.kind != Node::Kind::mapping) return values;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (keys[i].need == Need::optional || present[i]) continue;
    problems.add(node.mark, "the key " + quoted(keys[i].name) + " is missing",
                 "write " + std::string(example));
  }
  return values;
}

std::span<const Node> list_of(Problems& problems, const Node& node, std::string_view example,
                              Empty empty) {
  if (node.kind != Node::Kind::list) {
    report_kind(problems, node, "a list", example);
    return {};
  }
  if (node.items.empty() && empty == Empty::refused) {
    problems.add(node.mark, subject(node) + " is an empty list",
                 "write " + std::string(example) + ", or remove the line");
  }
  return node.items;
}

const std::string* text_of(Problems& problems, const Node& node, std::string_view example) {
  if (node.kind == Node::Kind::null) {
    problems.add(node.mark, subject(node) + " has no value", "write " + std::string(example));
    return nullptr;
  }
  if (node.kind != Node::Kind::scalar) {
    report_kind(problems, node, "one value", example);
    return nullptr;
  }
  if (node.text.empty()) {
    problems.add(node.mark, subject(node) + " is an empty text", "write " + std::string(example));
    return nullptr;
  }
  return &node.text;
}

std::optional<bool> truth_of(Problems& problems, const Node& node) {
  if (node.kind == Node::Kind::scalar && !node.quoted) {
    if (node.text == "true") return true;
    if (node.text == "false") return false;
  }
  if (node.kind != Node::Kind::broken) {
    problems.add(node.mark, subject(node) + " is neither true nor false",
                 "write `true` or `false`, without quotes");
  }
  return std::nullopt;
}

std::optional<int> integer_of(Problems& problems, const Node& node, int min, int max) {
  if (node.kind == Node::Kind::broken) return std::nullopt;
  int value = 0;
  if (node.kind == Node::Kind::scalar && !node.quoted) {
    const char* const end = node.text.data() + node.text.size();
    const auto [stop, fault] = std::from_chars(node.text.data(), end, value);
    const bool canonical =
        fault == std::errc{} && stop == end && std::to_string(value) == node.text;
    if (canonical && value >= min && value <= max) return value;
  }
  problems.add(
      node.mark,
      subject(node) + " is not a number from " + std::to_string(min) + " to " + std::to_string(max),
      "write digits only, without quotes");
  return std::nullopt;
}

}  // namespace egret::yaml
