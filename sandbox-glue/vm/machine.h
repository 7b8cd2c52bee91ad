// The virtual machine that a person asks for with `egret run --vm`.
#pragma once

#include <string>

namespace egret {

constexpr unsigned machine_memory_mib_default = 1024;
constexpr unsigned machine_memory_mib_min = 64;
constexpr unsigned machine_memory_mib_max = 1U << 20U;
constexpr unsigned machine_cpus_max = 255;

struct Machine {
  std::string kernel;  // a Linux kernel (bzImage); empty: the disk's own boot loader
  std::string initrd;
  std::string disk;    // becomes /dev/vda; raw, or qcow2 where it is called so; never guessed
  std::string append;  // more words for the kernel's command line
  unsigned memory_mib = machine_memory_mib_default;
  unsigned cpus = 1;
  bool kvm = true;  // where /dev/kvm can be used

  friend bool operator==(const Machine&, const Machine&) = default;
};

}  // namespace egret
