#include "sandbox-glue/host/confined_user.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <limits>
#include <pwd.h>
#include <unistd.h>

#include "policy/unique_fd.h"
#include "sandbox-glue/host/read_number.h"

namespace egret {
namespace {

constexpr const char* subuid_path = "/etc/subuid";
constexpr std::size_t subuid_bytes_max = 4 * 1024 * 1024;
constexpr std::size_t ranges_max = 64;

struct Entry {
  std::string name;
  uid_t uid;
};

template <class Look>
std::optional<Entry> look_up(Look&& look) {
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 16384> buffer{};
  if (look(&entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) {
    return std::nullopt;
  }
  return Entry{found->pw_name, found->pw_uid};
}

std::optional<Entry> entry_of(uid_t uid) {
  return look_up([uid](passwd* entry, char* buffer, std::size_t bytes, passwd** found) {
    return ::getpwuid_r(uid, entry, buffer, bytes, found);
  });
}

std::optional<Entry> entry_of(const std::string& name) {
  return look_up([&name](passwd* entry, char* buffer, std::size_t bytes, passwd** found) {
    return ::getpwnam_r(name.c_str(), entry, buffer, bytes, found);
  });
}

// Nobody has subordinate uids where there is no file.
Result<std::string, SetupFault> read_subuid() {
  std::string text;
  const UniqueFd file(::open(subuid_path, O_RDONLY | O_CLOEXEC));
  if (!file && errno == ENOENT) return {boost::system::in_place_value, text};
  std::array<char, 4096> piece{};
  ssize_t got = file ? 1 : -1;
  while (got > 0 && text.size() < subuid_bytes_max) {
    got = ::read(file.get(), piece.data(), piece.size());
    if (got > 0) text.append(piece.data(), static_cast<std::size_t>(got));
  }
  if (got < 0) return system_fault(std::string("cannot read ") + subuid_path, errno);
  if (got > 0) return SetupFault{std::string(subuid_path) + " has more than 4 MiB", {}};
  return {boost::system::in_place_value, std::move(text)};
}

}  // namespace

std::string user_name(uid_t uid) {
  const auto entry = entry_of(uid);
  return entry ? entry->name : std::to_string(uid);
}

bool contains(const std::vector<UidRange>& uids, uid_t uid) {
  return std::any_of(uids.begin(), uids.end(), [uid](const UidRange& range) {
    return range.first <= uid && uid <= range.last;
  });
}

// Lines `name-or-uid:first:count`.
std::vector<UidRange> subordinate_uids(std::string_view subuid, std::string_view name, uid_t uid) {
  std::vector<UidRange> ranges;
  const std::string number = std::to_string(uid);
  for (std::size_t at = 0; at < subuid.size();) {
    const std::size_t end = std::min(subuid.find('\n', at), subuid.size());
    const std::string_view line = subuid.substr(at, end - at);
    at = end + 1;
    const std::size_t one = line.find(':');
    const std::size_t two = line.find(':', one == std::string_view::npos ? one : one + 1);
    if (two == std::string_view::npos) continue;
    const std::string_view owner = line.substr(0, one);
    if (owner != name && owner != number) continue;
    const auto first = read_number<std::uint32_t>(line.substr(one + 1, two - one - 1));
    const auto count = read_number<std::uint32_t>(line.substr(two + 1));
    if (!first || !count || *count == 0) continue;
    constexpr std::uint64_t last_uid = std::numeric_limits<std::uint32_t>::max() - 1;
    const std::uint64_t last =
        std::min<std::uint64_t>(std::uint64_t{*first} + *count - 1, last_uid);
    if (*first <= last) ranges.push_back({*first, static_cast<std::uint32_t>(last)});
  }
  return merged(std::move(ranges));
}

Result<ConfinedUser, SetupFault> find_confined_user(const std::string& name_or_uid) {
  auto entry = entry_of(name_or_uid);
  if (!entry) {
    const auto uid = read_number<uid_t>(name_or_uid);
    if (!uid || *uid == std::numeric_limits<uid_t>::max()) {
      return SetupFault{"there is no user \"" + name_or_uid + "\" here",
                        "adduser --disabled-password, or give the uid"};
    }
    entry = Entry{user_name(*uid), *uid};
  }
  auto subuid = read_subuid();
  if (!subuid) return subuid.error();
  std::vector<UidRange> uids = subordinate_uids(*subuid, entry->name, entry->uid);
  uids.push_back({entry->uid, entry->uid});
  ConfinedUser user{entry->name, entry->uid, merged(std::move(uids))};
  if (contains(user.uids, 0)) {
    return SetupFault{"root cannot be confined: who may load rules may unload them",
                      "run the agent as a user of its own, e.g. adduser --disabled-password agent"};
  }
  if (user.uids.size() > ranges_max) {
    return SetupFault{"the user has more than 64 ranges in " + std::string(subuid_path), {}};
  }
  return user;
}

}  // namespace egret
