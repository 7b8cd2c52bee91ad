// The person's terminal on this side, the sandbox's own terminal on the other, and bytes between.
//
// The command never holds the person's terminal: it could type into it or change it for good. It
// gets one from its own /dev/pts, whose master the gate holds. With the person at the keyboard
// (standard input is the terminal, and we are in its foreground) the real one is raw, so that every
// key, Ctrl-C too, is the inner terminal's to interpret.
#pragma once

#include <cstdint>
#include <string>
#include <sys/ioctl.h>
#include <termios.h>

#include "policy/unique_fd.h"

namespace egret {

class TerminalRelay {
 public:
  // Looks at descriptors 0, 1 and 2 of this process.
  TerminalRelay();
  ~TerminalRelay();  // leaves the terminal as it was
  TerminalRelay(const TerminalRelay&) = delete;
  TerminalRelay& operator=(const TerminalRelay&) = delete;

  std::uint8_t mask() const { return mask_; }  // bit N: descriptor N is a terminal
  winsize window() const;
  termios inner_settings() const;  // what the sandbox's terminal should start with

  // From here on bytes flow. `master` is the sandbox's terminal.
  void attach(UniqueFd master);
  bool attached() const { return static_cast<bool>(master_); }

  void enter_raw();  // only with the person at the keyboard
  void leave_raw() noexcept;
  void resize();

  // What to poll for; -1 and 0 where there is nothing to wait for.
  int master() const { return master_.get(); }
  short master_events() const;
  int keyboard() const;

  void read_keyboard();
  void write_pending();
  void read_master();
  void drain_master();  // until the sandbox has closed its side

 private:
  bool in_foreground() const;
  enum class MasterState { Open, Empty, Closed };
  MasterState copy_master();

  std::uint8_t mask_ = 0;
  int output_ = -1;  // the person's terminal: 1, else 2, else 0
  UniqueFd master_;
  termios before_{};
  bool raw_ = false;
  bool keyboard_open_ = false;
  std::string pending_;  // keys that the inner terminal has not taken yet
};

}  // namespace egret
