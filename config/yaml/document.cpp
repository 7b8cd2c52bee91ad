#include "config/yaml/document.h"

#include <sstream>
#include <utility>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include "config/yaml/source_check.h"

namespace egret::yaml {
namespace {

Mark mark_of(const YAML::Mark& mark) {
  return {mark.line + 1, mark.column + 1};
}

Node node_at(Node::Kind kind, const YAML::Mark& mark) {
  Node node;
  node.kind = kind;
  node.mark = mark_of(mark);
  return node;
}

std::string_view line_of(std::string_view text, int line) {
  for (int i = 1; i < line; ++i) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  return text.substr(0, text.find('\n'));
}

bool has_control(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return true;
  }
  return false;
}

class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(std::string_view source, Problems& problems) : source_(source), problems_(problems) {}

  std::optional<Node> take() { return std::move(root_); }
  int documents() const { return documents_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ != 2) return;
    problems_.add(mark_of(mark), "a second document in the file",
                  "write one document, without further `---` or `...` lines");
  }
  void OnDocumentEnd() override {}

  void OnAnchor(const YAML::Mark& mark, const std::string& name) override {
    problems_.add(mark_of(mark), "the anchor `&" + name + "`",
                  "write the value out; anchors and aliases are not supported");
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    problems_.add(mark_of(mark), "an alias (`*name`)",
                  "write the value out; a wildcard host needs quotes: \"*.example.com\"");
    add(node_at(Node::Kind::broken, mark));
  }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override {
    Node node = node_at(Node::Kind::null, mark);
    // A missing value is reported by the parser at whatever follows; point at its key or dash.
    if (const Node* key = pending_key())
      node.mark = key->mark;
    else if (!open_.empty() && open_.back().kind == Node::Kind::list)
      node.mark = dash_of(mark);
    add(std::move(node));
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                const std::string& value) override {
    Node node = node_at(Node::Kind::scalar, mark);
    node.text = value;
    node.quoted = tag == "!";
    if (!check_tag(mark, tag) || !check_text(mark, node)) node.kind = Node::Kind::broken;
    add(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    open(Node::Kind::list, mark, tag);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    open(Node::Kind::mapping, mark, tag);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapEnd() override { close(); }

 private:
  // The key whose value is due, where a mapping is open.
  const Node* pending_key() const {
    if (open_.empty() || open_.back().kind != Node::Kind::mapping) return nullptr;
    const Node& mapping = open_.back();
    return mapping.keys.size() > mapping.items.size() ? &mapping.keys.back() : nullptr;
  }

  void add(Node node) {
    if (too_deep_ > 0 || documents_ > 1) return;
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Node& parent = open_.back();
    if (parent.kind == Node::Kind::mapping && !pending_key()) {
      parent.keys.push_back(std::move(node));
      return;
    }
    parent.items.push_back(std::move(node));
  }

  void open(Node::Kind kind, const YAML::Mark& mark, const std::string& tag) {
    check_tag(mark, tag);
    if (too_deep_ > 0 || open_.size() >= depth_max) {
      if (too_deep_++ == 0) {
        problems_.add(mark_of(mark), "more than 8 levels of nesting",
                      "no setting stands that deep; look for a stray bracket or indentation");
      }
      return;
    }
    Node node = node_at(kind, mark);
    if (const Node* key = pending_key())
      node.name = key->text;
    else if (!open_.empty())
      node.name = open_.back().name;
    open_.push_back(std::move(node));
  }

  void close() {
    if (too_deep_ > 0) {
      if (--too_deep_ == 0) add(node_at(Node::Kind::broken, {}));
      return;
    }
    Node node = std::move(open_.back());
    open_.pop_back();
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      node.items[i].name = node.kind == Node::Kind::mapping ? node.keys[i].text : node.name;
    }
    add(std::move(node));
  }

  bool check_tag(const YAML::Mark& mark, const std::string& tag) {
    if (tag == "?" || tag == "!" || tag.empty()) return true;
    problems_.add(mark_of(mark), "a tag (`!...`)", "remove it; the types are known without");
    return false;
  }

  // yaml-cpp lets a quote run over line ends, even up to the end of the file.
  bool check_text(const YAML::Mark& mark, const Node& node) {
    const auto at = static_cast<std::size_t>(mark.pos);
    const char opening = node.quoted && at < source_.size() ? source_[at] : '\0';
    if (opening == '"' || opening == '\'') {
      if (!closes_on_its_line(source_.substr(at), opening)) {
        problems_.add(mark_of(mark), "a quote that is not closed on its line",
                      std::string("close it with ") + opening);
        return false;
      }
    }
    if (!has_control(node.text)) return true;
    problems_.add(mark_of(mark), "text with a control character or line break",
                  "write plain text on one line");
    return false;
  }

  static bool closes_on_its_line(std::string_view text, char quote) {
    for (std::size_t i = 1; i < text.size() && text[i] != '\n'; ++i) {
      if (text[i] == '\\' && quote == '"')
        ++i;
      else if (text[i] == quote)
        return true;
    }
    return false;
  }

  // The last `-`, `[` or `,` before a missing list item, behind blank lines and comments.
  Mark dash_of(const YAML::Mark& next) const {
    for (int line = next.line + 1; line >= 1; --line) {
      std::string_view text = line_of(source_, line);
      if (line == next.line + 1) text = text.substr(0, static_cast<std::size_t>(next.column));
      text = text.substr(0, text.find(" #"));
      const std::size_t last = text.find_last_not_of(" \t\r");
      if (last == std::string_view::npos || text[text.find_first_not_of(" \t")] == '#') continue;
      if (line == next.line + 1 && text[last] != '[' && text[last] != ',' && text[last] != '-')
        break;
      return {line, static_cast<int>(last) + 1};
    }
    return mark_of(next);
  }

  std::string_view source_;
  Problems& problems_;
  std::optional<Node> root_;
  std::vector<Node> open_;
  std::size_t too_deep_ = 0;
  int documents_ = 0;
};

// A parser's own words, with the two mistakes that people really make explained.
void report_syntax(const YAML::Exception& fault, std::string_view source, Problems& problems) {
  const Mark mark = fault.mark.is_null() ? Mark{} : mark_of(fault.mark);
  const std::string_view line = line_of(source, mark.line);
  const auto before = static_cast<std::size_t>(mark.column > 1 ? mark.column - 2 : 0);
  const bool alias =
      fault.msg.find("alias") != std::string::npos || fault.msg.find("anchor") != std::string::npos;
  const std::size_t star = line.find('*', before);
  if (alias && star != std::string_view::npos && star < before + 2) {
    const std::string_view word = line.substr(star, line.find_first_of(" ,]}#\r", star) - star);
    problems.add({mark.line, static_cast<int>(star) + 1},
                 "`" + std::string(word) + "` without quotes is a YAML alias",
                 "write it in quotes: \"" + std::string(word) + "\"");
    return;
  }
  problems.add(mark, "not YAML: " + fault.msg,
               "check indentation, colons, brackets and quotes here and on the line above");
}

}  // namespace

std::string kind_in_words(const Node& node) {
  switch (node.kind) {
    case Node::Kind::null:
      return "empty";
    case Node::Kind::scalar:
      return node.quoted ? "text in quotes" : "a single value";
    case Node::Kind::list:
      return "a list";
    case Node::Kind::mapping:
      return "a mapping";
    case Node::Kind::broken:
      break;
  }
  return "unreadable";
}

std::optional<Node> read_document(std::string_view text, Problems& problems) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  if (check_source(text, problems) == Source::unreadable) return std::nullopt;
  std::istringstream stream{std::string(text)};
  TreeBuilder builder(text, problems);
  try {
    YAML::Parser parser(stream);
    // yaml-cpp never gets past a stray `,`: it reports one empty document after the other, for
    // ever.
    while (builder.documents() < 2 && parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& fault) {
    report_syntax(fault, text, problems);
    return std::nullopt;
  }
  std::optional<Node> root = builder.take();
  if (root && root->kind != Node::Kind::null) return root;
  problems.add({}, "the file holds no configuration", "begin it with `version: 1`");
  return std::nullopt;
}

}  // namespace egret::yaml
