#include "sandbox-glue/container/options.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace egret {
namespace {

// Resources, the image's choice and the user inside: nothing that joins, mounts or adds power.
constexpr std::array<std::string_view, 33> harmless = {"arch",
                                                       "blkio-weight",
                                                       "cpu-period",
                                                       "cpu-quota",
                                                       "cpu-shares",
                                                       "cpus",
                                                       "cpuset-cpus",
                                                       "cpuset-mems",
                                                       "entrypoint",
                                                       "init",
                                                       "label",
                                                       "memory",
                                                       "memory-swap",
                                                       "memory-swappiness",
                                                       "memory-reservation",
                                                       "oom-score-adj",
                                                       "os",
                                                       "pids-limit",
                                                       "platform",
                                                       "pull",
                                                       "quiet",
                                                       "read-only",
                                                       "read-only-tmpfs",
                                                       "shm-size",
                                                       "stop-timeout",
                                                       "timeout",
                                                       "tls-verify",
                                                       "tmpfs",
                                                       "tz",
                                                       "ulimit",
                                                       "umask",
                                                       "user",
                                                       "variant"};

constexpr std::array<std::string_view, 14> opens_network = {
    "network", "net",      "ip",  "ip6",           "publish",     "publish-all", "expose",
    "dns",     "add-host", "pod", "network-alias", "mac-address", "dns-search",  "dns-option"};

struct Option {
  std::string name;
  std::string value;
  bool has_value = false;
};

Option read_option(std::string_view text) {
  while (!text.empty() && text.front() == '-')
    text.remove_prefix(1);
  const std::size_t end = std::min(text.find('='), text.find(' '));
  if (end == std::string_view::npos) return {std::string(text), {}, false};
  return {std::string(text.substr(0, end)), std::string(text.substr(end + 1)), true};
}

bool among(const auto& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

bool may_be_handed_on(const Option& option) {
  // On hosts with SELinux the project's files are not to be relabelled.
  if (option.name == "security-opt") return option.value == "label=disable";
  return among(harmless, option.name);
}

std::string refusal(const std::string& text, const Option& option) {
  const std::string begin = "--container-option " + text + ": ";
  if (option.name == "volume" || option.name == "mount" || option.name == "v") {
    return begin + "what the command may write is named with --rw PATH";
  }
  if (option.name == "env" || option.name == "e" || option.name == "env-file") {
    return begin + "a variable is passed with --env NAME";
  }
  if (among(opens_network, option.name)) {
    return begin + "the container's network is the gate's";
  }
  return begin +
         "not among the options that are handed on (memory, cpus, pids-limit, ulimit, shm-size, "
         "user, entrypoint, platform, pull, tmpfs, read-only, label, ...): it could open the "
         "network or the host";
}

}  // namespace

Result<std::vector<std::string>, std::string> container_options(
    const std::vector<std::string>& given) {
  std::vector<std::string> options;
  for (const std::string& text : given) {
    const Option option = read_option(text);
    const bool clean = text.find_first_of(std::string("\n\0", 2)) == std::string::npos;
    if (!clean || !may_be_handed_on(option)) return refusal(text, option);
    options.push_back("--" + option.name + (option.has_value ? "=" + option.value : ""));
  }
  return options;
}

bool has_option(const std::vector<std::string>& options, std::string_view name,
                std::string_view value_start) {
  const std::string wanted = "--" + std::string(name);
  return std::any_of(options.begin(), options.end(), [&](const std::string& option) {
    return option == wanted || option.starts_with(wanted + "=" + std::string(value_start));
  });
}

}  // namespace egret
