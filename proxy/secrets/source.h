// Where real secrets come from: a variable of our environment, a file that only its owner can read,
// a credential that the service manager keeps, or the output of a program. Read once at start and
// at reload; a secret that cannot be had is a fault that names it and its source and says what to
// do, never a value or a part of one (ATTACKS F08-F10, J11).
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "config/config.h"
#include "policy/result.h"
#include "policy/secret/secret.h"

namespace egret {

struct SecretSourceFault {
  std::string what;
};

inline constexpr std::chrono::milliseconds exec_time_limit{10'000};

// The variable's value. It stays in our environment until forget_variable().
Result<Secret, SecretSourceFault> read_secret(std::string_view name, const SecretSourceEnv& from);

// A regular file of at most 8 KiB, no link, ours or root's, without any group or other bit.
Result<Secret, SecretSourceFault> read_secret(std::string_view name, const SecretSourceFile& from);

// A file of $CREDENTIALS_DIRECTORY, as file: else; it may also be root's with an access list that
// names us.
Result<Secret, SecretSourceFault> read_secret(std::string_view name,
                                              const SecretSourceCredential& from);
// Where that file lies; nothing where no service manager keeps credentials for us.
std::optional<std::string> credential_path(const SecretSourceCredential& from);

// What the program prints, at most 8 KiB. No shell; stdin and stderr are /dev/null, our environment
// is its own, and it inherits no other descriptor. Past the time limit it and its children are
// killed. Blocks the caller; PATH is searched where argv[0] has no slash.
Result<Secret, SecretSourceFault> read_secret(std::string_view name, const SecretSourceExec& from,
                                              std::chrono::milliseconds limit = exec_time_limit);

Result<Secret, SecretSourceFault> read_secret(std::string_view name, const SecretSource& from);

// Overwrites the value where the kernel shows it (/proc/PID/environ) and unsets the variable. For
// the time before other threads start.
void forget_variable(const std::string& variable);

}  // namespace egret
