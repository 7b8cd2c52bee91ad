#include "proxy/wire/fields.h"

#include <algorithm>
#include <cstdlib>
#include <limits>

#include "policy/secret/secret.h"
#include "proxy/wire/http1_syntax.h"

namespace egret {

void FieldList::add(std::string_view name, std::string_view value) {
  const std::size_t at = append(name, value);
  for (std::size_t i = at; i < at + name.size(); ++i)
    storage_[i] = syntax::lower(storage_[i]);
  entries_.push_back({static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(name.size()),
                      static_cast<std::uint32_t>(at + name.size()),
                      static_cast<std::uint32_t>(value.size())});
}

// The texts may lie in the storage itself, and the old block may hold a secret: so growing copies
// first and wipes then.
std::size_t FieldList::append(std::string_view first, std::string_view second) {
  const std::size_t at = storage_.size();
  const std::size_t needed = at + first.size() + second.size();
  if (needed > std::numeric_limits<std::uint32_t>::max()) std::abort();
  if (needed <= storage_.capacity()) {
    storage_.append(first).append(second);
    return at;
  }
  std::string grown;
  grown.reserve(std::max<std::size_t>({needed, 2 * storage_.capacity(), 1024}));
  grown.append(storage_).append(first).append(second);
  storage_.swap(grown);
  egret::wipe(grown);
  return at;
}

void FieldList::clear() {
  storage_.clear();
  entries_.clear();
}

FieldList::Field FieldList::operator[](std::size_t index) const {
  const Entry& entry = entries_[index];
  const std::string_view all(storage_);
  return {all.substr(entry.name_at, entry.name_bytes),
          all.substr(entry.value_at, entry.value_bytes), entry.sensitive};
}

std::optional<std::string_view> FieldList::find(std::string_view lower_case_name) const {
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const Field field = (*this)[i];
    if (field.name == lower_case_name) return field.value;
  }
  return std::nullopt;
}

std::size_t FieldList::count(std::string_view lower_case_name) const {
  std::size_t found = 0;
  for (std::size_t i = 0; i < entries_.size(); ++i)
    found += (*this)[i].name == lower_case_name;
  return found;
}

void FieldList::remove(std::string_view lower_case_name) {
  const std::string_view all(storage_);
  std::erase_if(entries_, [&](const Entry& entry) {
    return all.substr(entry.name_at, entry.name_bytes) == lower_case_name;
  });
}

void FieldList::remove_at(std::size_t index) {
  if (index >= entries_.size()) std::abort();
  entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(index));
}

void FieldList::set_value(std::size_t index, std::string_view value) {
  Entry& entry = entries_[index];
  if (value.size() <= entry.value_bytes) {
    std::char_traits<char>::move(storage_.data() + entry.value_at, value.data(), value.size());
  } else {
    entry.value_at = static_cast<std::uint32_t>(append(value, {}));
  }
  entry.value_bytes = static_cast<std::uint32_t>(value.size());
}

std::size_t FieldList::bytes() const {
  std::size_t sum = 0;
  for (const Entry& entry : entries_)
    sum += entry.name_bytes + entry.value_bytes + 4u;
  return sum;
}

void FieldList::wipe() {
  storage_.resize(storage_.capacity());
  egret::wipe(storage_);
  entries_.clear();
}

}  // namespace egret
