#include "proxy/secrets/placeholder_store.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "certs/private_directory.h"
#include "proxy/secrets/random.h"

namespace egret {
namespace {

using Json = nlohmann::json;

constexpr const char* placeholders_file = "placeholders.json";
constexpr const char* token_file = "proxy_token";
constexpr std::size_t file_bytes_max = 1024 * 1024;
constexpr std::size_t sandbox_name_max = 128;
constexpr int format_version = 1;

struct Kept {
  PlaceholderShape shape;
  Placeholder placeholder;
};
using Store = std::map<std::string, Kept, std::less<>>;

bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

// The name becomes a part of a path.
bool is_plain_name(std::string_view sandbox) {
  return !sandbox.empty() && sandbox.size() <= sandbox_name_max && sandbox.front() != '.' &&
         std::all_of(sandbox.begin(), sandbox.end(),
                     [](char c) { return is_alphanumeric(c) || c == '-' || c == '_' || c == '.'; });
}

Result<PrivateDirectory, SecretSourceFault> open_state(const std::string& state_dir,
                                                       std::string_view sandbox) {
  if (!is_plain_name(sandbox)) {
    return SecretSourceFault{
        "sandbox name: use letters, digits, `-`, `_` and `.`, not beginning with a dot"};
  }
  auto directory = PrivateDirectory::open(state_dir + "/sandboxes/" + std::string(sandbox),
                                          PrivateDirectory::Missing::create);
  if (!directory) return SecretSourceFault{directory.error().what};
  return std::move(*directory);
}

SecretSourceFault damaged(const PrivateDirectory& directory, const char* file) {
  return SecretSourceFault{directory.path_of(file) +
                           ": damaged, or written by another version; remove it to have new ones "
                           "minted (clients that hold the old ones must then be started again)"};
}

// Nothing where the entry is not exactly what we write.
std::optional<Kept> parse_entry(const Json& entry) {
  if (!entry.is_object() || entry.size() != 3) return std::nullopt;
  const auto text = entry.find("text");
  const auto prefix = entry.find("prefix");
  const auto bytes = entry.find("bytes");
  if (text == entry.end() || prefix == entry.end() || bytes == entry.end()) return std::nullopt;
  if (!text->is_string() || !prefix->is_string() || !bytes->is_number_unsigned()) {
    return std::nullopt;
  }
  auto placeholder = Placeholder::parse(text->get_ref<const std::string&>());
  if (!placeholder) return std::nullopt;
  return Kept{{prefix->get<std::string>(), bytes->get<std::size_t>()}, std::move(*placeholder)};
}

std::optional<Store> parse_store(const std::string& text) {
  const Json root = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!root.is_object() || root.size() != 2) return std::nullopt;
  const auto version = root.find("version");
  const auto entries = root.find("placeholders");
  if (version == root.end() || *version != format_version) return std::nullopt;
  if (entries == root.end() || !entries->is_object()) return std::nullopt;
  Store store;
  for (const auto& [name, entry] : entries->items()) {
    auto kept = parse_entry(entry);
    if (!kept) return std::nullopt;
    store.emplace(name, std::move(*kept));
  }
  return store;
}

std::string render(const Store& store) {
  Json entries = Json::object();
  for (const auto& [name, kept] : store) {
    entries[name] = {{"text", kept.placeholder.text()},
                     {"prefix", kept.shape.prefix},
                     {"bytes", kept.shape.bytes}};
  }
  const Json root = {{"version", format_version}, {"placeholders", std::move(entries)}};
  return root.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<Store, SecretSourceFault> read_store(const PrivateDirectory& directory) {
  const auto text = directory.read(placeholders_file, file_bytes_max);
  if (!text) return SecretSourceFault{text.error().what};
  if (!*text) return Store{};
  auto store = parse_store(**text);
  if (!store) return damaged(directory, placeholders_file);
  return std::move(*store);
}

std::string mint_token() {
  constexpr std::string_view base62 =
      "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  constexpr unsigned fair_below = 248;  // the largest multiple of 62 in a byte
  const RandomSource random = system_random();
  std::string token;
  while (token.size() < proxy_token_characters) {
    unsigned char byte = 0;
    random({&byte, 1});
    if (byte < fair_below) token += base62[byte % base62.size()];
  }
  return token;
}

}  // namespace

Result<std::vector<Placeholder>, SecretSourceFault> placeholders_for(
    const std::string& state_dir, std::string_view sandbox,
    const std::vector<PlaceholderRequest>& requests) {
  const auto directory = open_state(state_dir, sandbox);
  if (!directory) return directory.error();
  auto store = read_store(*directory);
  if (!store) return store.error();
  bool minted = false;
  std::vector<Placeholder> placeholders;
  for (const auto& [name, shape] : requests) {
    auto kept = store->find(name);
    if (kept == store->end() || !(kept->second.shape == shape)) {
      Kept fresh{shape, Placeholder::mint(shape, system_random())};
      kept = store->insert_or_assign(name, std::move(fresh)).first;
      minted = true;
    }
    placeholders.push_back(kept->second.placeholder);
  }
  if (minted) {
    if (auto written = directory->replace(placeholders_file, render(*store)); !written) {
      return SecretSourceFault{written.error().what};
    }
  }
  return placeholders;
}

Result<Placeholder, SecretSourceFault> placeholder_for(const std::string& state_dir,
                                                       std::string_view sandbox,
                                                       std::string_view secret_name,
                                                       const PlaceholderShape& shape) {
  auto placeholders = placeholders_for(state_dir, sandbox, {{std::string(secret_name), shape}});
  if (!placeholders) return placeholders.error();
  return std::move(placeholders->front());
}

Result<std::string, SecretSourceFault> proxy_token(const std::string& state_dir,
                                                   std::string_view sandbox) {
  const auto directory = open_state(state_dir, sandbox);
  if (!directory) return directory.error();
  auto kept = directory->read(token_file, file_bytes_max);
  if (!kept) return SecretSourceFault{kept.error().what};
  std::string token = *kept ? std::move(**kept) : mint_token();
  if (token.size() != proxy_token_characters ||
      !std::all_of(token.begin(), token.end(), is_alphanumeric)) {
    return damaged(*directory, token_file);
  }
  if (!*kept) {
    if (auto written = directory->create(token_file, token); !written) {
      return SecretSourceFault{written.error().what};
    }
  }
  return {boost::system::in_place_value, std::move(token)};
}

}  // namespace egret
