#include "sandbox-glue/namespace/tool.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox-glue/namespace/memory_file.h"

namespace egret {
namespace {

constexpr std::size_t tool_words_bytes_max = 2048;
constexpr std::size_t tool_output_bytes_max = 16 * 1024 * 1024;

// posix_spawn's two records, released together.
class SpawnSetup {
 public:
  SpawnSetup() {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
  }
  ~SpawnSetup() {
    ::posix_spawnattr_destroy(&attributes_);
    ::posix_spawn_file_actions_destroy(&actions_);
  }
  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;

  void redirect(const UniqueFd& from, int to) {
    ::posix_spawn_file_actions_adddup2(&actions_, from.get(), to);
  }
  void silence(int fd) {
    ::posix_spawn_file_actions_addopen(&actions_, fd, "/dev/null", O_WRONLY, 0);
  }
  void close_above_stdio() { ::posix_spawn_file_actions_addclosefrom_np(&actions_, 3); }
  void unblock_signals() {
    sigset_t none;
    ::sigemptyset(&none);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK);
  }
  int spawn(pid_t& pid, char* const* argv, char* const* environment) {
    return ::posix_spawn(&pid, argv[0], &actions_, &attributes_, argv, environment);
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

std::string without_trailing_newlines(std::string text) {
  while (!text.empty() && text.back() == '\n')
    text.pop_back();
  return text;
}

}  // namespace

Result<std::string, SetupFault> find_tool(const std::string& name, const std::string& package) {
  std::string folders = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin";
  if (const char* path = std::getenv("PATH")) folders.append(":").append(path);
  for (std::size_t begin = 0; begin < folders.size();) {
    const std::size_t end = std::min(folders.find(':', begin), folders.size());
    const std::string candidate = folders.substr(begin, end - begin) + "/" + name;
    if (candidate.front() == '/' && ::access(candidate.c_str(), X_OK) == 0) {
      return {boost::system::in_place_value, candidate};
    }
    begin = end + 1;
  }
  return SetupFault{name + " is not installed", "apt install " + package};
}

namespace {

// `output` null: nobody reads what the tool says on stdout.
Result<void, SetupFault> run(const std::vector<std::string>& argv, std::string_view input,
                             const UniqueFd* output, char* const* environment) {
  auto in = make_memory_file("egret-tool-input", input);
  if (!in) return in.error();
  auto words = make_memory_file("egret-tool-words", {});
  if (!words) return words.error();

  SpawnSetup setup;
  setup.redirect(*in, STDIN_FILENO);
  if (output != nullptr) {
    setup.redirect(*output, STDOUT_FILENO);
  } else {
    setup.silence(STDOUT_FILENO);
  }
  setup.redirect(*words, STDERR_FILENO);
  setup.close_above_stdio();
  setup.unblock_signals();
  std::vector<char*> arguments;
  for (const auto& argument : argv)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);

  pid_t pid = -1;
  if (const int error = setup.spawn(pid, arguments.data(), environment); error != 0) {
    return system_fault("cannot run " + argv.front(), error);
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return system_fault("cannot wait for " + argv.front(), errno);
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return SetupFault{argv.front() + " failed: " +
                        without_trailing_newlines(read_memory_file(*words, tool_words_bytes_max)),
                    {}};
}

Result<std::string, SetupFault> read(const std::vector<std::string>& argv, std::string_view input,
                                     char* const* environment) {
  auto output = make_memory_file("egret-tool-output", {});
  if (!output) return output.error();
  if (auto ran = run(argv, input, &*output, environment); !ran) return ran.error();
  std::string text = read_memory_file(*output, tool_output_bytes_max + 1);
  if (text.size() > tool_output_bytes_max) {
    return SetupFault{argv.front() + " printed more than 16 MiB", {}};
  }
  return {boost::system::in_place_value, std::move(text)};
}

}  // namespace

Result<void, SetupFault> run_tool(const std::vector<std::string>& argv, std::string_view input) {
  std::array<char*, 1> empty{nullptr};
  return run(argv, input, nullptr, empty.data());
}

Result<std::string, SetupFault> read_tool(const std::vector<std::string>& argv,
                                          std::string_view input) {
  std::array<char*, 1> empty{nullptr};
  return read(argv, input, empty.data());
}

Result<std::string, SetupFault> ask_tool(const std::vector<std::string>& argv) {
  auto text = read(argv, {}, environ);
  if (!text) return text;
  return {boost::system::in_place_value, without_trailing_newlines(std::move(*text))};
}

}  // namespace egret
