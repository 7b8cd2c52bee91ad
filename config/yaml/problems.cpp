#include "config/yaml/problems.h"

#include <algorithm>
#include <tuple>

namespace egret::yaml {

void Problems::add(Mark mark, std::string what, std::string instead) {
  errors_.push_back({file_, mark.line, mark.column, std::move(what), std::move(instead)});
}

void Problems::add_whole_file(std::string what, std::string instead) {
  errors_.push_back({file_, 0, 0, std::move(what), std::move(instead)});
}

void Problems::append(ConfigErrors others) {
  for (ConfigError& error : others)
    errors_.push_back(std::move(error));
}

ConfigErrors Problems::take() {
  auto place = [](const ConfigError& e) {
    return std::tie(e.file, e.line, e.column, e.what, e.instead);
  };
  std::sort(errors_.begin(), errors_.end(),
            [&](const auto& a, const auto& b) { return place(a) < place(b); });
  errors_.erase(std::unique(errors_.begin(), errors_.end(),
                            [&](const auto& a, const auto& b) { return place(a) == place(b); }),
                errors_.end());
  if (errors_.size() > reported_max) {
    const std::size_t more = errors_.size() - reported_max;
    errors_.erase(errors_.begin() + static_cast<std::ptrdiff_t>(reported_max), errors_.end());
    errors_.push_back({file_, 0, 0, std::to_string(more) + " more errors", "fix these first"});
  }
  return std::move(errors_);
}

}  // namespace egret::yaml
