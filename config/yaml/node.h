// A YAML file as a plain tree: every pair of a mapping in file order (also repeated keys), every
// value with the place where it stands. yaml-cpp's own Node keeps the first of two equal keys and
// reads a scalar as an empty list, so the tree is built from its parser's events instead.
#pragma once

#include <compare>
#include <string>
#include <vector>

namespace egret::yaml {

// Both from 1. A column counts bytes.
struct Mark {
  int line = 1;
  int column = 1;
  auto operator<=>(const Mark&) const = default;
};

struct Node {
  enum class Kind {
    null,
    scalar,
    list,
    mapping,
    broken,  // already reported: readers pass over it in silence
  };
  Kind kind = Kind::null;
  Mark mark;
  std::string name;     // the key under which it stands, or under which its list stands
  std::string text;     // scalar: the value
  bool quoted = false;  // scalar: in quotes or a block, so that it is text whatever it looks like
  std::vector<Node> keys;   // mapping: keys[i] belongs to items[i]
  std::vector<Node> items;  // list and mapping
};

// "a list", "text", …: for messages.
std::string kind_in_words(const Node& node);

}  // namespace egret::yaml
