#include "sandbox-glue/process/terminal.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace egret {
namespace {

constexpr std::size_t keys_bytes_max = 1024;
constexpr std::size_t screen_bytes_max = 16384;

bool has_bit(std::uint8_t mask, int fd) {
  return (mask & (1U << static_cast<unsigned>(fd))) != 0;
}

// The person's terminal may be shared with other programs, so it stays in blocking mode.
void write_all(int fd, const char* bytes, std::size_t length) {
  while (length > 0) {
    const ssize_t n = ::write(fd, bytes, length);
    if (n >= 0) {
      bytes += n;
      length -= static_cast<std::size_t>(n);
    } else if (errno == EAGAIN) {
      pollfd wait{fd, POLLOUT, 0};
      ::poll(&wait, 1, -1);
    } else if (errno != EINTR) {
      return;  // the terminal is gone; the command hears it by SIGHUP
    }
  }
}

}  // namespace

TerminalRelay::TerminalRelay() {
  for (int fd = 0; fd < 3; ++fd) {
    if (::isatty(fd) != 0) mask_ = static_cast<std::uint8_t>(mask_ | (1U << fd));
  }
  for (const int fd : {1, 2, 0}) {
    if (output_ < 0 && has_bit(mask_, fd)) output_ = fd;
  }
  keyboard_open_ = has_bit(mask_, 0);
  if (output_ >= 0) ::tcgetattr(output_, &before_);
}

TerminalRelay::~TerminalRelay() {
  leave_raw();
}

winsize TerminalRelay::window() const {
  winsize size{};
  if (output_ >= 0) ::ioctl(output_, TIOCGWINSZ, &size);
  return size;
}

// Where the outer terminal stays cooked, it echoes and turns newlines by itself.
termios TerminalRelay::inner_settings() const {
  termios settings = before_;
  if (!has_bit(mask_, 0)) {
    settings.c_oflag &= ~static_cast<tcflag_t>(OPOST);
    settings.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  }
  return settings;
}

void TerminalRelay::attach(UniqueFd master) {
  master_ = std::move(master);
  ::fcntl(master_.get(), F_SETFL, O_NONBLOCK | O_RDWR);
  enter_raw();
  resize();
}

bool TerminalRelay::in_foreground() const {
  return ::tcgetpgrp(0) == ::getpgrp();
}

void TerminalRelay::enter_raw() {
  if (raw_ || !attached() || !keyboard_open_ || !in_foreground()) return;
  if (::tcgetattr(0, &before_) != 0) return;
  termios settings = before_;
  ::cfmakeraw(&settings);
  raw_ = ::tcsetattr(0, TCSADRAIN, &settings) == 0;
}

void TerminalRelay::leave_raw() noexcept {
  if (!raw_) return;
  raw_ = false;
  ::tcsetattr(0, TCSADRAIN, &before_);
}

void TerminalRelay::resize() {
  if (!attached()) return;
  const winsize size = window();
  ::ioctl(master_.get(), TIOCSWINSZ, &size);
}

short TerminalRelay::master_events() const {
  return static_cast<short>(pending_.empty() ? POLLIN : POLLIN | POLLOUT);
}

int TerminalRelay::keyboard() const {
  return attached() && raw_ && keyboard_open_ && pending_.empty() ? 0 : -1;
}

void TerminalRelay::read_keyboard() {
  std::array<char, keys_bytes_max> keys;
  const ssize_t n = ::read(0, keys.data(), keys.size());
  if (n > 0) {
    pending_.assign(keys.data(), static_cast<std::size_t>(n));
    write_pending();
  } else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
    keyboard_open_ = false;
  }
}

void TerminalRelay::write_pending() {
  if (pending_.empty()) return;
  const ssize_t n = ::write(master_.get(), pending_.data(), pending_.size());
  if (n > 0) {
    pending_.erase(0, static_cast<std::size_t>(n));
  } else if (n < 0 && errno != EINTR && errno != EAGAIN) {
    pending_.clear();
  }
}

TerminalRelay::MasterState TerminalRelay::copy_master() {
  std::array<char, screen_bytes_max> screen;
  const ssize_t n = ::read(master_.get(), screen.data(), screen.size());
  if (n > 0) {
    write_all(output_, screen.data(), static_cast<std::size_t>(n));
    return MasterState::Open;
  }
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return MasterState::Empty;
  return MasterState::Closed;  // EIO: nobody has the other side open any more
}

void TerminalRelay::read_master() {
  if (copy_master() == MasterState::Closed) master_.reset();
}

void TerminalRelay::drain_master() {
  while (attached() && copy_master() == MasterState::Open) {
  }
  master_.reset();
}

}  // namespace egret
