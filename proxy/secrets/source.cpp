#include "proxy/secrets/source.h"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <optional>
#include <string.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <variant>

#include "certs/read_to_end.h"
#include "policy/unique_fd.h"
#include "proxy/secrets/capture.h"

namespace egret {
namespace {

// One newline at the end is not part of the value.
constexpr std::size_t raw_bytes_max = Secret::bytes_max + 2;

SecretSourceFault fault(std::string_view name, std::string_view source, std::string_view what) {
  std::string text{"secret "};
  text.append(name).append(": ").append(source).append(": ").append(what);
  return SecretSourceFault{std::move(text)};
}

std::string reason(int error) {
  return std::generic_category().message(error);
}

Result<Secret, SecretSourceFault> checked(std::string_view name, std::string_view source,
                                          std::string&& raw) {
  auto secret = Secret::from(std::move(raw));
  if (!secret) return fault(name, source, describe(secret.error()));
  return std::move(*secret);
}

// Why this file is no place for a secret.
std::optional<std::string> unfit(const struct stat& status, const std::string& path) {
  if (!S_ISREG(status.st_mode)) return "not a regular file; give the path of the file itself";
  if (status.st_uid != ::geteuid() && status.st_uid != 0) {
    return "belongs to user " + std::to_string(status.st_uid) + "; use a file of your own";
  }
  if ((status.st_mode & 077) != 0) {
    return "other users may read or change it; run `chmod 600 " + path + "`";
  }
  if (status.st_size > static_cast<off_t>(raw_bytes_max)) return std::string("larger than 8 KiB");
  return std::nullopt;
}

bool unchanged(const struct stat& before, int descriptor) {
  struct stat after {};
  return ::fstat(descriptor, &after) == 0 && after.st_size == before.st_size &&
         after.st_mtim.tv_sec == before.st_mtim.tv_sec &&
         after.st_mtim.tv_nsec == before.st_mtim.tv_nsec;
}

}  // namespace

Result<Secret, SecretSourceFault> read_secret(std::string_view name, const SecretSourceEnv& from) {
  const std::string source = "environment variable " + from.variable;
  const char* value = std::getenv(from.variable.c_str());
  if (value == nullptr) {
    return fault(name, source, "is not set; set it before starting, or change the secret's `from`");
  }
  return checked(name, source, std::string{value});
}

Result<Secret, SecretSourceFault> read_secret(std::string_view name, const SecretSourceFile& from) {
  const std::string source = "file " + from.path;
  // O_NONBLOCK: a FIFO in the file's place must not block the start.
  const UniqueFd file{
      ::open(from.path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
  if (file.get() < 0) {
    const int error = errno;
    if (error == ELOOP) {
      return fault(name, source, "is a symbolic link; give the path of the file itself");
    }
    return fault(name, source, "cannot be opened: " + reason(error));
  }
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return fault(name, source, reason(errno));
  if (const auto why = unfit(status, from.path)) return fault(name, source, *why);
  std::string raw;
  const ReadEnd end = read_to_end(file.get(), raw_bytes_max, raw);
  const bool whole = end == ReadEnd::end_of_file && unchanged(status, file.get());
  if (!whole) {
    wipe(raw);
    return fault(name, source,
                 end == ReadEnd::too_long ? "larger than 8 KiB"
                 : end == ReadEnd::failed ? "cannot be read"
                                          : "changed while it was read; start again");
  }
  return checked(name, source, std::move(raw));
}

Result<Secret, SecretSourceFault> read_secret(std::string_view name, const SecretSourceExec& from,
                                              std::chrono::milliseconds limit) {
  if (from.argv.empty() || from.argv.front().empty()) {
    return fault(name, "exec", "names no program");
  }
  // Only the program is named: an argument may say too much.
  const std::string source = "program " + from.argv.front();
  auto output = capture_output(from.argv, raw_bytes_max, limit);
  if (!output) return fault(name, source, output.error().what);
  return checked(name, source, std::move(*output));
}

Result<Secret, SecretSourceFault> read_secret(std::string_view name, const SecretSource& from) {
  return std::visit([&](const auto& source) { return read_secret(name, source); }, from);
}

void forget_variable(const std::string& variable) {
  if (char* value = std::getenv(variable.c_str())) {
    ::explicit_bzero(value, ::strlen(value));
    ::unsetenv(variable.c_str());
  }
}

}  // namespace egret
