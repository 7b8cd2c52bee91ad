#include "proxy/secrets/source.h"

#include <cstdlib>
#include <string.h>
#include <unistd.h>
#include <utility>
#include <variant>

#include "certs/private_file.h"
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

Result<Secret, SecretSourceFault> checked(std::string_view name, std::string_view source,
                                          std::string&& raw) {
  auto secret = Secret::from(std::move(raw));
  if (!secret) return fault(name, source, describe(secret.error()));
  return std::move(*secret);
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
  auto raw = read_private_file(from.path, raw_bytes_max);
  if (!raw) return fault(name, source, raw.error().what);
  return checked(name, source, std::move(*raw));
}

std::optional<std::string> credential_path(const SecretSourceCredential& from) {
  const char* directory = std::getenv("CREDENTIALS_DIRECTORY");
  if (directory == nullptr || directory[0] != '/') return std::nullopt;
  return std::string(directory) + "/" + from.credential;
}

Result<Secret, SecretSourceFault> read_secret(std::string_view name,
                                              const SecretSourceCredential& from) {
  const std::string source = "credential " + from.credential;
  const auto path = credential_path(from);
  if (!path) {
    return fault(name, source,
                 "$CREDENTIALS_DIRECTORY is not set; systemd sets it for a unit with "
                 "LoadCredential=" +
                     from.credential + ":/path");
  }
  auto raw = read_private_file(*path, raw_bytes_max, GroupBits::may_be_a_mask);
  if (!raw) {
    return fault(name, source,
                 raw.error().what + "; look at LoadCredential=" + from.credential + ":/path");
  }
  return checked(name, source, std::move(*raw));
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
