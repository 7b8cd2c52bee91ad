// A list of HTTP fields: names in lower case, order kept, one block of storage. Cleared and filled
// again without allocating. The same list serves HTTP/1 and HTTP/2.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace egret {

class FieldList {
 public:
  struct Field {
    std::string_view name;   // lower case
    std::string_view value;  // without surrounding white space
    bool sensitive = false;  // never into a compression table (RFC 7541 7.1.3)
  };

  // The name is lower-cased here. Views handed out before stay valid only until the next change; a
  // view into this very list may be passed in.
  void add(std::string_view name, std::string_view value);
  void clear();
  std::size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }
  Field operator[](std::size_t index) const;

  // The first value of this name.
  std::optional<std::string_view> find(std::string_view lower_case_name) const;
  std::size_t count(std::string_view lower_case_name) const;
  bool has(std::string_view lower_case_name) const { return find(lower_case_name).has_value(); }
  void remove(std::string_view lower_case_name);  // every field of this name
  void remove_at(std::size_t index);
  void set_value(std::size_t index, std::string_view value);
  void mark_sensitive(std::size_t index) { entries_[index].sensitive = true; }
  // Sum of name + value + 4 octets a field.
  std::size_t bytes() const;
  // Room for this many more octets: what is added within it moves nothing, so that no copy of a
  // secret is left in freed memory.
  void reserve_more(std::size_t bytes) { storage_.reserve(storage_.size() + bytes); }
  // Overwrites the storage: it may have held a secret.
  void wipe();

 private:
  struct Entry {
    std::uint32_t name_at, name_bytes, value_at, value_bytes;
    bool sensitive = false;
  };
  std::size_t append(std::string_view first, std::string_view second);  // where they are now
  std::string storage_;
  std::vector<Entry> entries_;
};

}  // namespace egret
