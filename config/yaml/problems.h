// Collects what is wrong with one file. Readers go on after a problem, so that a person sees all of
// them at once.
#pragma once

#include <string>

#include "config/config.h"
#include "config/yaml/node.h"

namespace egret::yaml {

class Problems {
 public:
  static constexpr std::size_t reported_max = 100;

  explicit Problems(std::string file) : file_(std::move(file)) {}

  void add(Mark mark, std::string what, std::string instead);
  void add_whole_file(std::string what, std::string instead);
  void append(ConfigErrors others);

  bool empty() const { return errors_.empty(); }
  // Sorted by place, without repetitions; past reported_max a last line counts the rest.
  ConfigErrors take();

 private:
  std::string file_;
  ConfigErrors errors_;
};

}  // namespace egret::yaml
