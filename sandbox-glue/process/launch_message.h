// What the gate and egret_launch say to each other over the channel. Both come from one build.
//
//   egret_launch → gate   ready_tag, once it stands in the finished sandbox as its process 1
//   gate → egret_launch   LaunchOrder, with the image's descriptor and then one descriptor for each
//                         of 0, 1, 2 that is not to be the new terminal
//   its child → gate      started_tag, with the new terminal's master if there is one
//   gate → its child      go_tag; then it becomes the command, and the channel closes.
//
// The image is a memory file: LaunchImageHead, then argc + envc strings, each ended by NUL.
#pragma once

#include <cstdint>
#include <sys/ioctl.h>
#include <termios.h>

namespace egret {

constexpr char ready_tag = 'R';
constexpr char order_tag = 'O';
constexpr char started_tag = 'S';
constexpr char go_tag = 'G';

struct LaunchOrder {
  char tag = order_tag;
  std::uint8_t terminal_mask = 0;  // bit N: descriptor N is the new terminal
  winsize window{};
  termios settings{};
};

struct LaunchImageHead {
  std::uint32_t argc = 0;
  std::uint32_t envc = 0;
};

}  // namespace egret
