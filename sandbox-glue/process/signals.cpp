#include "sandbox-glue/process/signals.h"

#include <cerrno>
#include <unistd.h>
#include <utility>

namespace egret {
namespace {

bool is_ignored(int signal) {
  struct sigaction current {};
  ::sigaction(signal, nullptr, &current);
  return (current.sa_flags & SA_SIGINFO) == 0 && current.sa_handler == SIG_IGN;
}

}  // namespace

SignalInbox::SignalInbox(UniqueFd descriptor, const sigset_t& before)
    : descriptor_(std::move(descriptor)), before_(before) {}

SignalInbox::SignalInbox(SignalInbox&& other) noexcept = default;

SignalInbox::~SignalInbox() {
  if (descriptor_) ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

Result<SignalInbox, SetupFault> SignalInbox::open() {
  sigset_t wanted;
  ::sigemptyset(&wanted);
  for (const int signal : {SIGTERM, SIGUSR1, SIGUSR2, SIGCONT, SIGTSTP, SIGWINCH}) {
    ::sigaddset(&wanted, signal);
  }
  for (const int signal : {SIGHUP, SIGINT, SIGQUIT}) {
    if (!is_ignored(signal)) ::sigaddset(&wanted, signal);
  }
  UniqueFd descriptor(::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!descriptor) return system_fault("cannot listen for signals", errno);
  sigset_t before;
  ::pthread_sigmask(SIG_BLOCK, &wanted, &before);
  return SignalInbox(std::move(descriptor), before);
}

std::optional<signalfd_siginfo> SignalInbox::next() {
  signalfd_siginfo info{};
  if (::read(descriptor_.get(), &info, sizeof(info)) != sizeof(info)) return {};
  return info;
}

}  // namespace egret
