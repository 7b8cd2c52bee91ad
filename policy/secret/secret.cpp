#include "policy/secret/secret.h"

#include <algorithm>
#include <optional>
#include <string.h>
#include <utility>

namespace egret {
namespace {

std::optional<SecretFault> fault_of(std::string_view value) {
  if (value.empty()) return SecretFault::empty;
  if (value.size() < Secret::bytes_min) return SecretFault::too_short;
  if (value.size() > Secret::bytes_max) return SecretFault::too_long;
  const bool printable =
      std::all_of(value.begin(), value.end(), [](char c) { return c >= 0x20 && c <= 0x7e; });
  if (!printable) return SecretFault::forbidden_byte;
  return std::nullopt;
}

}  // namespace

std::string_view describe(SecretFault fault) {
  switch (fault) {
    case SecretFault::empty:
      return "the secret is empty";
    case SecretFault::too_short:
      return "the secret is shorter than 8 bytes";
    case SecretFault::too_long:
      return "the secret is longer than 8 KiB";
    case SecretFault::forbidden_byte:
      return "the secret holds a control character or a non-ASCII byte";
  }
  return "the secret is not usable";
}

void wipe_bytes(void* data, std::size_t size) {
  explicit_bzero(data, size);
}

void wipe(std::string& text) {
  // Up to the capacity: what was longer once, or lay in the small buffer of a moved-from string.
  text.resize(text.capacity());
  wipe_bytes(text.data(), text.size());
  text.clear();
}

Result<Secret, SecretFault> Secret::from(std::string&& raw) {
  std::string_view value = raw;
  if (value.ends_with('\n')) {
    value.remove_suffix(1);
    if (value.ends_with('\r')) value.remove_suffix(1);
  }
  if (const auto fault = fault_of(value)) {
    wipe(raw);
    return *fault;
  }
  Secret secret;
  const std::size_t bytes = value.size();
  secret.value_ = std::move(raw);
  secret.value_.resize(bytes);
  wipe(raw);
  return secret;
}

Secret::Secret(Secret&& other) noexcept : value_(std::move(other.value_)) {
  wipe(other.value_);
}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    wipe(value_);
    value_ = std::move(other.value_);
    wipe(other.value_);
  }
  return *this;
}

Secret::~Secret() {
  wipe(value_);
}

}  // namespace egret
