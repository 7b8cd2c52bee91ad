// Profiles: named, reusable parts of a policy, shipped or from the file. One may include others, so
// that a sum is not pasted; each contributes its rules once, however often it is reached.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/schema/context.h"
#include "policy/decide/rule.h"

namespace egret::schema {

struct Profile {
  struct Include {
    std::string name;
    yaml::Mark mark;
  };
  std::vector<Include> includes;
  std::vector<Rule> rules;
};

Profile read_profile(Context& context, const Node& node);

class ProfileBook {
 public:
  // A file's `profiles:`. Names of shipped profiles cannot be used again.
  void read(Context& context, const Node& node);
  // Reports includes that lead nowhere or in a circle. Call once, after read().
  void check_includes(Context& context);

  bool knows(std::string_view name) const;
  std::vector<std::string> known_names() const;  // the file's, then the shipped ones
  std::vector<std::string> names_of_file() const;
  // The profiles' rules with all that they include, each profile once: includes first.
  std::vector<Rule> rules_of(std::span<const std::string> names) const;

 private:
  Profile find(const std::string& name) const;
  void check_circle(Context& context, std::vector<std::string>& trail, const Profile& profile,
                    std::vector<std::string>& settled) const;
  void collect(const std::string& name, std::vector<std::string>& seen,
               std::vector<Rule>& rules) const;

  std::map<std::string, Profile> of_file_;
};

// Reads a shipped profile's text; `errors` gets what is wrong with it (never anything in a release:
// the tests read them all).
Profile read_shipped_profile(std::string_view name, ConfigErrors& errors);

}  // namespace egret::schema
