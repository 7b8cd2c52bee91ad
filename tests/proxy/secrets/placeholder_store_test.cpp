#include "proxy/secrets/placeholder_store.h"

#include <algorithm>
#include <functional>
#include <set>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "tests/certs/temporary_directory.h"

using namespace egret;
using namespace egret::test;

namespace {

const PlaceholderShape github{"ghp_", 40};
const PlaceholderShape plain{};

std::string text_of(const Result<Placeholder, SecretSourceFault>& placeholder) {
  return placeholder ? placeholder->text() : "! " + placeholder.error().what;
}

std::string text_of(const Result<std::string, SecretSourceFault>& token) {
  return token ? *token : "! " + token.error().what;
}

bool holds(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

// What eight processes that run `work` at once tell.
std::vector<std::string> told_by_processes(const std::function<std::string(int)>& work) {
  constexpr int processes = 8;
  int start[2];
  int answers[2];
  REQUIRE(::pipe(start) == 0);
  REQUIRE(::pipe(answers) == 0);
  std::vector<pid_t> children;
  for (int i = 0; i < processes; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      char go = 0;
      ::close(start[1]);
      if (::read(start[0], &go, 1) != 0) ::_exit(1);
      const std::string answer = work(i) + "\n";  // under PIPE_BUF: one piece
      ::_exit(::write(answers[1], answer.data(), answer.size()) > 0 ? 0 : 1);
    }
    children.push_back(child);
  }
  for (const int end : {start[0], start[1], answers[1]})
    ::close(end);
  std::string all;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::read(answers[0], buffer, sizeof buffer)) > 0;) {
    all.append(buffer, static_cast<std::size_t>(got));
  }
  ::close(answers[0]);
  for (const pid_t child : children) {
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
  }
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < all.size();) {
    const std::size_t end = all.find('\n', at);
    lines.push_back(all.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

}  // namespace

TEST_CASE("a placeholder is minted once for each sandbox and secret and then stays the same") {
  const TemporaryDirectory state;
  const std::string first = text_of(placeholder_for(state.path(), "web", "GITHUB_TOKEN", github));
  CHECK(first.size() == 40);
  CHECK(first.starts_with("ghp_egret"));
  CHECK(text_of(placeholder_for(state.path(), "web", "GITHUB_TOKEN", github)) == first);
  std::set<std::string> others{first};
  CHECK(others.insert(text_of(placeholder_for(state.path(), "web", "GH_TOKEN", github))).second);
  CHECK(others.insert(text_of(placeholder_for(state.path(), "db", "GITHUB_TOKEN", github))).second);
  CHECK(text_of(placeholder_for(state.path(), "web", "GITHUB_TOKEN", github)) == first);
}

TEST_CASE("several placeholders come in the order they were asked for") {
  const TemporaryDirectory state;
  const auto all =
      placeholders_for(state.path(), "web", {{"B", plain}, {"A", github}, {"B", plain}});
  REQUIRE(all.has_value());
  REQUIRE(all->size() == 3);
  CHECK((*all)[0] == (*all)[2]);
  CHECK((*all)[1].text() == text_of(placeholder_for(state.path(), "web", "A", github)));
  CHECK((*all)[0].text() == text_of(placeholder_for(state.path(), "web", "B", plain)));
}

TEST_CASE("a placeholder is minted anew when the shape of its secret has changed") {
  const TemporaryDirectory state;
  const std::string first = text_of(placeholder_for(state.path(), "web", "TOKEN", github));
  const std::string other = text_of(placeholder_for(state.path(), "web", "OTHER", github));
  const std::string second = text_of(placeholder_for(state.path(), "web", "TOKEN", {"glpat-", 50}));
  CHECK(second.starts_with("glpat-egret"));
  CHECK(second.size() == 50);
  CHECK(text_of(placeholder_for(state.path(), "web", "TOKEN", github)) != first);
  CHECK(text_of(placeholder_for(state.path(), "web", "OTHER", github)) == other);
}

TEST_CASE("what is kept is for its owner's eyes only") {
  const TemporaryDirectory root;
  const std::string state = root / "state";
  text_of(placeholder_for(state, "web", "TOKEN", github));
  text_of(proxy_token(state, "web"));
  CHECK(mode_of(state) == 0700);
  CHECK(mode_of(state + "/sandboxes/web") == 0700);
  CHECK(mode_of(state + "/sandboxes/web/placeholders.json") == 0600);
  CHECK(mode_of(state + "/sandboxes/web/proxy_token") == 0600);
}

TEST_CASE("a proxy token is 32 base62 characters, one for each sandbox, and stays the same") {
  const TemporaryDirectory state;
  const std::string token = text_of(proxy_token(state.path(), "web"));
  CHECK(token.size() == 32);
  CHECK(std::all_of(token.begin(), token.end(), [](unsigned char c) { return std::isalnum(c); }));
  CHECK(text_of(proxy_token(state.path(), "web")) == token);
  CHECK(text_of(proxy_token(state.path(), "db")) != token);
}

TEST_CASE("a sandbox name that is no plain name opens no path") {
  const TemporaryDirectory root;
  const std::string state = root / "state";
  using std::string_literals::operator""s;
  for (const std::string& name : {""s, "."s, ".."s, "../web"s, "a/b"s, "a\0b"s, ".hidden"s, "a b"s,
                                  "\xc3\xa9"s, std::string(200, 'a')}) {
    CAPTURE(name);
    CHECK(text_of(placeholder_for(state, name, "TOKEN", github)).starts_with("! sandbox name"));
    CHECK(text_of(proxy_token(state, name)).starts_with("! sandbox name"));
  }
  CHECK_FALSE(std::filesystem::exists(state));
}

TEST_CASE("a damaged or foreign file is refused, named, and left as it is") {
  const TemporaryDirectory state;
  const std::string good = text_of(placeholder_for(state.path(), "web", "TOKEN", github));
  const std::string path = state / "sandboxes/web/placeholders.json";
  const std::string entry = R"("bytes":40,"prefix":"ghp_","text":")" + good + "\"";
  const auto with = [](const std::string& placeholders) {
    return R"({"version":1,"placeholders":)" + placeholders + "}";
  };
  const std::string cases[] = {
      "",
      "{}",
      "[]",
      "null",
      "{",
      "text",
      std::string(5, '\0'),
      with("{}").substr(0, 20),
      with("[]"),
      with("null"),
      with(R"({"TOKEN":"ghp_egret"})"),
      with(R"({"TOKEN":{}})"),
      with(R"({"TOKEN":{"bytes":40,"prefix":"ghp_","text":"no placeholder"}})"),
      with(R"({"TOKEN":{"bytes":-1,"prefix":"ghp_","text":")" + good + "\"}}"),
      with(R"({"TOKEN":{"bytes":40,"prefix":7,"text":")" + good + "\"}}"),
      with("{\"TOKEN\":{" + entry + R"(,"more":1}})"),
      R"({"version":2,"placeholders":{}})",
      R"({"version":1,"placeholders":{},"more":1})",
      with("{}") + "x",
  };
  for (const std::string& bytes : cases) {
    CAPTURE(bytes);
    write_file(path, bytes);
    const std::string seen = text_of(placeholder_for(state.path(), "web", "TOKEN", github));
    CHECK(seen.starts_with("! " + path + ": damaged"));
    CHECK(read_file(path) == bytes);
  }
  write_file(path, with("{\"TOKEN\":{" + entry + "}}"));
  CHECK(text_of(placeholder_for(state.path(), "web", "TOKEN", github)) == good);

  const std::string token = state / "sandboxes/web/proxy_token";
  for (const char* bytes :
       {"", "short", "0123456789012345678901234567890\n", "01234567890123456789012345678901x",
        "0123456789012345678901234567890:"}) {
    CAPTURE(bytes);
    write_file(token, bytes);
    CHECK(text_of(proxy_token(state.path(), "web")).starts_with("! " + token + ": damaged"));
  }
}

TEST_CASE("a file that others could have read or replaced is refused") {
  const TemporaryDirectory state;
  text_of(placeholder_for(state.path(), "web", "TOKEN", github));
  const std::string path = state / "sandboxes/web/placeholders.json";
  ::chmod(path.c_str(), 0644);
  CHECK(holds(text_of(placeholder_for(state.path(), "web", "TOKEN", github)), "chmod 600"));
  ::rename(path.c_str(), (state / "real").c_str());
  REQUIRE(::symlink((state / "real").c_str(), path.c_str()) == 0);
  CHECK(holds(text_of(placeholder_for(state.path(), "web", "TOKEN", github)), "symbolic link"));
  ::unlink(path.c_str());
  ::chmod((state / "sandboxes/web").c_str(), 0755);
  CHECK(holds(text_of(placeholder_for(state.path(), "web", "TOKEN", github)), "chmod 700"));
  CHECK(holds(text_of(proxy_token(state.path(), "web")), "chmod 700"));
}

TEST_CASE("processes that start at once agree on the same placeholders and the same token") {
  const TemporaryDirectory root;
  const std::string state = root / "state";
  const auto lines = told_by_processes([&](int number) {
    // Each one brings a secret of its own too: none may be lost.
    const std::string own = "OWN_" + std::to_string(number);
    text_of(placeholder_for(state, "web", own, plain));
    return text_of(placeholder_for(state, "web", "TOKEN", github)) + " " +
           text_of(proxy_token(state, "web"));
  });
  REQUIRE(lines.size() == 8);
  CHECK_FALSE(holds(lines.front(), "!"));
  for (const std::string& line : lines)
    CHECK(line == lines.front());
  const std::string kept = read_file(state + "/sandboxes/web/placeholders.json");
  for (int i = 0; i < 8; ++i)
    CHECK(holds(kept, "OWN_" + std::to_string(i)));
}
